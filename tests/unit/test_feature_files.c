// Writes and reads files of features: .npy and .npz, float32 and float16.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32.h"
#include "feature_array.h"
#include "feature_layout.h"
#include "feature_writer.h"
#include "half.h"
#include "memory.h"
#include "temp_folder.h"

enum { ROWS = 7, DIM = 3 };

static char *folder;
static tub_error err;
static float values[ROWS * DIM];

static int set_up(void **state)
{
    (void)state;
    folder = test_folder_make();
    for (int i = 0; i < ROWS * DIM; i++)
        values[i] = (float)i / 7 - 1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

// Writes it in two pieces; the returned checksum and size are the file's.
static const char *write_file(const char *name, tub_layout layout)
{
    const char *path = test_path(folder, name);
    tub_feature_writer *w;
    tub_atomic_file *file;
    char checksum[TUB_HASH_TEXT], again[TUB_HASH_TEXT];
    int64_t bytes;
    size_t there;
    assert_int_equal(tub_layout_complete(&layout, NULL, "x", &err), TUB_OK);
    assert_int_equal(tub_feature_begin(path, &layout, DIM, &w, &err), TUB_OK);
    assert_int_equal(tub_feature_append(w, values, 2, &err), TUB_OK);
    assert_int_equal(tub_feature_append(w, values + 2 * DIM, ROWS - 2, &err), TUB_OK);
    assert_int_equal(tub_feature_seal(&w, checksum, &bytes, &file, &err), TUB_OK);
    assert_int_equal(tub_atomic_commit(&file, &err), TUB_OK);
    char *data = test_read_file(path, &there);
    assert_int_equal(there, bytes);
    tub_hash_bytes(data, there, again);
    assert_string_equal(checksum, again);
    free(data);
    return path;
}

static void read_back(const char *path, const char *key, tub_dtype dtype)
{
    tub_feature_array a, b;
    float *read;
    assert_int_equal(tub_feature_array_stat(path, key, &a, &err), TUB_OK);
    assert_int_equal(tub_feature_array_read(path, key, &b, &read, &err), TUB_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(a.rows, ROWS);
    assert_int_equal(a.dim, DIM);
    assert_int_equal(a.dtype, dtype);
    for (int i = 0; i < ROWS * DIM; i++)
        assert_true(read[i] == (dtype == TUB_F16 ? tub_from_f16(tub_to_f16(values[i])) : values[i]));
    tub_free(read);
}

static void test_kinds(void **state)
{
    (void)state;
    read_back(write_file("a.npy", (tub_layout){0}), NULL, TUB_F32);
    read_back(write_file("b.npy", (tub_layout){.dtype = TUB_F16}), NULL, TUB_F16);
    read_back(write_file("c.npz", (tub_layout){.container = TUB_CONTAINER_NPZ}), "feats", TUB_F32);
    read_back(write_file("deep/er/d.npz", (tub_layout){.key = "feature", .dtype = TUB_F16}), NULL, TUB_F16);
}

static void refuse(const char *name, const char *key, const char *why)
{
    tub_feature_array a;
    float *read;
    assert_int_equal(tub_feature_array_read(test_path(folder, name), key, &a, &read, &err), TUB_ERROR_INPUT);
    assert_non_null(strstr(err.text, name));
    assert_non_null(strstr(err.text, why));
}

static void test_refusals(void **state)
{
    (void)state;
    const char *npy = write_file("a.npy", (tub_layout){0}), *npz = write_file("c.npz", (tub_layout){.key = "x"});
    refuse("c.npz", "feats", "no array `feats`");
    assert_int_equal(truncate(npy, 128 + 4 * ROWS * DIM - 4), 0);
    refuse("a.npy", NULL, "truncated");
    assert_int_equal(truncate(npy, 60), 0);
    refuse("a.npy", NULL, "truncated");
    assert_int_equal(truncate(npz, 200), 0);
    refuse("c.npz", "x", "not a whole .npz");
    test_write_file(test_path(folder, "text.npy"), "hello, hello", 12);
    refuse("text.npy", NULL, "not a .npy");
    refuse("nowhere.npy", NULL, "can't be opened");
}

static void test_every_truncation_is_seen(void **state)
{
    (void)state;
    size_t bytes;
    char *whole = test_read_file(write_file("c.npz", (tub_layout){.container = TUB_CONTAINER_NPZ}), &bytes);
    for (size_t some = 0; some < bytes; some++) {
        tub_feature_array a;
        test_write_file(test_path(folder, "cut.npz"), whole, some);
        assert_int_equal(tub_feature_array_stat(test_path(folder, "cut.npz"), "feats", &a, &err), TUB_ERROR_INPUT);
    }
    free(whole);
}

static void test_overflow(void **state)
{
    (void)state;
    tub_layout layout = {.dtype = TUB_F16};
    tub_feature_writer *w;
    int64_t row;
    float value;
    assert_int_equal(tub_layout_complete(&layout, NULL, "x", &err), TUB_OK);
    assert_int_equal(tub_feature_begin(test_path(folder, "a.npy"), &layout, DIM, &w, &err), TUB_OK);
    const float fine[DIM] = {65504, -65504, INFINITY}, big[DIM] = {1, -1e5f, 1e6f};
    assert_int_equal(tub_feature_append(w, fine, 1, &err), TUB_OK);
    assert_false(tub_feature_overflowed(w, &row, &value));
    assert_int_equal(tub_feature_append(w, fine, 1, &err), TUB_OK);
    assert_int_equal(tub_feature_append(w, big, 1, &err), TUB_OK);
    assert_true(tub_feature_overflowed(w, &row, &value));
    assert_int_equal(row, 2);
    assert_true(value == -1e5f);
    tub_feature_abandon(&w);
    assert_int_equal(test_count_files(folder, ""), 0);
}

static void test_crc32(void **state)
{
    (void)state;
    assert_int_equal(tub_crc32(0, "123456789", 9), 0xcbf43926);     // the check value of the polynomial's definition
    assert_int_equal(tub_crc32(tub_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
    for (size_t cut = 0; cut <= 9; cut++)
        assert_int_equal(tub_crc32_join(tub_crc32(0, "123456789", cut), tub_crc32(0, "123456789" + cut, 9 - cut), 9 - cut),
                         0xcbf43926);
}

static void test_layouts(void **state)
{
    (void)state;
    tub_layout open = {0}, asked = {.dtype = TUB_F16}, keyed = {.key = "x"};
    json_t *root = json_pack("{s:{s:s, s:s, s:s, s:s}}", "files", "name", "v_{bare}", "container", "npz", "key", "feature",
                             "dtype", "float32");
    assert_int_equal(tub_layout_complete(&open, root, "x", &err), TUB_OK);
    assert_string_equal(open.name, "v_{bare}");
    assert_string_equal(open.key, "feature");
    assert_true(tub_layout_has_crops(&open));
    assert_int_equal(open.dtype, TUB_F32);
    assert_int_equal(tub_layout_complete(&asked, root, "x", &err), TUB_OK);
    assert_int_equal(asked.dtype, TUB_F16);
    assert_int_equal(tub_layout_complete(&keyed, NULL, "x", &err), TUB_OK);
    assert_int_equal(keyed.container, TUB_CONTAINER_NPZ);
    json_t *again = tub_layout_json(&open);
    assert_true(json_equal(again, json_object_get(root, "files")));
    json_decref(again);
    json_object_set_new(json_object_get(root, "files"), "dtype", json_string("float64"));
    open = (tub_layout){0};
    assert_int_equal(tub_layout_complete(&open, root, "x/features.json", &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "files.dtype"));
    json_decref(root);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_kinds),    TEST(test_refusals), TEST(test_every_truncation_is_seen),
                                       TEST(test_overflow), TEST(test_crc32),    TEST(test_layouts)};
    return cmocka_run_group_tests_name("feature files", tests, NULL, NULL);
}
