// Binding: names and shapes are reported exactly, prefixes, stacking, and random checkpoints that repeat.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binder.h"
#include "hash.h"
#include "half.h"
#include "safetensors.h"
#include "temp_folder.h"

static char *folder;
static tub_checkpoint *checkpoint;
static tub_arena arena;

// net.w [2, 3], net.b [2] (bfloat16), net.extra [1], head.w [1, 2]
static int make_checkpoint(void **state)
{
    (void)state;
    folder = test_folder_make();
    static const float data[6] = {1, 2, 3, 4, 5, 6};
    const uint16_t half[2] = {tub_to_bf16(7), tub_to_bf16(8)};
    const tub_tensor t[] = {{.name = "net.w", .dtype = TUB_F32, .rank = 2, .dims = {2, 3}, .data = data},
                            {.name = "net.b", .dtype = TUB_BF16, .rank = 1, .dims = {2}, .data = half},
                            {.name = "net.extra", .dtype = TUB_F32, .rank = 1, .dims = {1}, .data = data},
                            {.name = "head.w", .dtype = TUB_F32, .rank = 2, .dims = {1, 2}, .data = data}};
    test_write_file(test_path(folder, "config.json"), "{}", 2);
    if (tub_safetensors_write(test_path(folder, "model.safetensors"), t, 4, NULL) != TUB_OK)
        return 1;
    tub_arena_init(&arena);
    return tub_checkpoint_open(folder, &checkpoint, NULL);
}

static int drop_checkpoint(void **state)
{
    (void)state;
    tub_checkpoint_close(&checkpoint);
    tub_arena_finish(&arena);
    test_folder_remove(folder);
    return 0;
}

static tub_binder *load(void)
{
    static const char *const prefixes[] = {"", "net.", NULL};
    tub_binder *b = NULL;
    assert_int_equal(tub_binder_load(checkpoint, &arena, &b, NULL), TUB_OK);
    tub_binder_prefix(b, prefixes, "w");
    return b;
}

static void ends(tub_binder *b, tub_status status, const char *first, const char *second)
{
    tub_error err = {0};
    assert_int_equal(tub_binder_end(b, &err), status);
    if (!strstr(err.text, first) || !strstr(err.text, second))
        fail_msg("expected \"%s\" and \"%s\", got \"%s\"", first, second, err.text);
    tub_binder_free(&b);
}

static void bind_all(tub_binder *b)
{
    tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(2, 3), "w");
    tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(2), "%s", "b");
    tub_bind_absolute(b, TUB_FILL_WEIGHT, TUB_SHAPE(1, 2), "head.w");
}

static void binds_below_a_prefix(void **state)
{
    (void)state;
    static const char *const ignored[] = {"net.ex*", NULL};
    tub_binder *b = load();
    assert_string_equal(tub_binder_prefix_in_use(b), "net.");
    assert_true(tub_binder_has(b, "w", false));
    assert_false(tub_binder_has(b, "x", true));
    assert_true(tub_binder_has_absolute(b, "head.w", false));
    int rank;
    int64_t dims[8];
    tub_binder_shape(b, "w", &rank, dims);
    assert_true(rank == 2 && dims[0] == 2 && dims[1] == 3);
    bind_all(b);
    tub_binder_ignore(b, ignored);
    ends(b, TUB_OK, "", "");
}

static void names_the_wrong_tensor(void **state)
{
    (void)state;
    tub_binder *b = load();
    bind_all(b);
    ends(b, TUB_ERROR_MODEL, "tensor \"net.extra\"", "is unexpected");
    b = load();
    tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(3), "layer.%d.bias", 7);
    tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(3), "another");
    ends(b, TUB_ERROR_MODEL, "tensor \"net.layer.7.bias\"", "is missing");
    b = load();
    assert_null(tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(3, 2), "w").data);
    ends(b, TUB_ERROR_MODEL, "tensor \"net.w\"", "has shape [2, 3], but config.json asks for [3, 2]");
    b = load();
    tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(6), "w");
    ends(b, TUB_ERROR_MODEL, folder, "asks for [6]");
}

// Sizes computed from such a weight's shape would be divided by zero.
static void refuses_a_weight_without_values(void **state)
{
    (void)state;
    static const float none[1];
    const tub_tensor t[] = {{.name = "patch", .dtype = TUB_F32, .rank = 4, .dims = {2, 3, 0, 0}, .data = none},
                            {.name = "registers", .dtype = TUB_F32, .rank = 3, .dims = {1, 0, 2}, .data = none}};
    char *own = test_folder_make();
    tub_checkpoint *c = NULL;
    tub_binder *b = NULL;
    test_write_file(test_path(own, "config.json"), "{}", 2);
    assert_int_equal(tub_safetensors_write(test_path(own, "model.safetensors"), t, 2, NULL), TUB_OK);
    assert_int_equal(tub_checkpoint_open(own, &c, NULL), TUB_OK);
    assert_int_equal(tub_binder_load(c, &arena, &b, NULL), TUB_OK);
    tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 0, 2), "registers");
    tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(2, 3, 0, 0), "patch");
    ends(b, TUB_ERROR_MODEL, "tensor \"patch\"", "has no values");
    tub_checkpoint_close(&c);
    test_folder_remove(own);
}

static void stacks(void **state)
{
    (void)state;
    tub_binder *b = load();
    tub_tensor w = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(2, 3), "w"),
               bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(2), "b");
    tub_tensor extra = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(1), "extra");
    const tub_tensor matrices[2] = {w, w}, none[2] = {{0}, {0}};
    const int64_t zeros[3] = {2, 3, 1};
    tub_tensor twice = tub_bind_stack(b, matrices, NULL, 2);
    assert_int_equal(twice.dims[0], 4);
    assert_int_equal(twice.dims[1], 3);
    assert_true(((const float *)twice.data)[6] == 1 && ((const float *)twice.data)[11] == 6);
    // bfloat16, nothing (3 zeros) and float32 stack to float32.
    const tub_tensor vectors[3] = {bias, {0}, extra};
    tub_tensor mixed = tub_bind_stack(b, vectors, zeros, 3);
    assert_int_equal(mixed.dtype, TUB_F32);
    assert_int_equal(mixed.dims[0], 6);
    const float wanted[6] = {7, 8, 0, 0, 0, 1};
    assert_memory_equal(mixed.data, wanted, sizeof wanted);
    const tub_tensor halves[2] = {{0}, bias};
    tub_tensor half = tub_bind_stack(b, halves, zeros, 2);
    assert_int_equal(half.dtype, TUB_BF16);
    const float *values = tub_bind_floats(b, &half);
    assert_true(values[0] == 0 && values[1] == 0 && values[2] == 7 && values[3] == 8);
    assert_null(tub_bind_stack(b, none, zeros, 2).data);
    tub_binder_free(&b);
}

// Copies rows of strided matrices, from anywhere to anywhere, between types.
static void rows_stay_where_they_are(void **state)
{
    (void)state;
    static const uint16_t halves[3] = {0x3f80, 0x4000, 0x4040}; // 1, 2, 3 in bfloat16
    tub_binder *b = load();
    const tub_tensor w = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(2, 3), "w");
    const tub_tensor row = {.name = "row", .dtype = TUB_BF16, .rank = 2, .dims = {1, 3}, .data = halves};
    const tub_tensor parts[3] = {w, row, w};
    const tub_tensor rows = tub_bind_rows(b, parts, 3);
    const float wanted[15] = {1, 2, 3, 4, 5, 6, 1, 2, 3, 1, 2, 3, 4, 5, 6};
    assert_int_equal(tub_tensor_count(&rows), 15);
    assert_int_equal(rows.dtype, TUB_F32);
    assert_null(rows.data);
    assert_true(tub_tensor_is_there(&rows));
    for (int first = 0; first < 15; first++)
        for (int count = 0; first + count <= 15; count++) {
            float got[16] = {0};
            tub_tensor_floats(&rows, first, count, got);
            assert_memory_equal(got, wanted + first, (size_t)count * sizeof *got);
            assert_true(got[count] == 0);
        }
    assert_memory_equal(tub_bind_floats(b, &rows), wanted, sizeof wanted);
    tub_binder_free(&b);
}

static void creates_the_same_again(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"first.", "second.", NULL};
    const float *values[3];
    for (int i = 0; i < 3; i++) {
        tub_binder *b = NULL;
        size_t count;
        assert_int_equal(tub_binder_create(i == 2 ? 6 : 5, &arena, &b, NULL), TUB_OK);
        tub_binder_prefix(b, prefixes, "w");
        if (i == 1) // earlier calls make no difference
            tub_bind(b, TUB_FILL_ONE, TUB_SHAPE(9), "other");
        values[i] = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(100, 400), "w").data;
        const tub_tensor *made = tub_binder_created(b, &count);
        assert_int_equal(count, i == 1 ? 2 : 1);
        assert_string_equal(made[count - 1].name, "first.w");
        assert_int_equal(tub_binder_end(b, NULL), TUB_OK);
        tub_binder_free(&b);
    }
    assert_memory_equal(values[0], values[1], 40000 * sizeof(float));
    assert_memory_not_equal(values[0], values[2], 40000 * sizeof(float));
    // The exact bytes, so that a difference on another machine or after a change of ours shows.
    char hash[TUB_HASH_TEXT];
    tub_hash_bytes(values[0], 40000 * sizeof(float), hash);
    assert_string_equal(hash, "051b56f4842020486d8d79f0864b8577");
    double sum = 0, squares = 0;
    for (int i = 0; i < 40000; i++) {
        sum += values[0][i];
        squares += (double)values[0][i] * values[0][i];
    }
    assert_true(fabs(sum / 40000) < 1e-3);
    assert_true(fabs(sqrt(squares / 40000) - 1 / sqrt(400)) < 1e-3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_checkpoint, drop_checkpoint)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(binds_below_a_prefix),
                                       TEST(names_the_wrong_tensor),
                                       TEST(refuses_a_weight_without_values),
                                       TEST(stacks),
                                       TEST(rows_stay_where_they_are),
                                       TEST(creates_the_same_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
