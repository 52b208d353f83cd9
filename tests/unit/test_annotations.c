// Annotation files: which ids they name, which videos match them, which ids have no features.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <tubelet/npy.h>

#include "annotations.h"
#include "toy_videos.h"

static char *root;
static tub_arena arena;
static tub_error err;

static int set_up(void **state)
{
    (void)state;
    root = toy_folder();
    tub_arena_init(&arena);
    return root ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tub_arena_finish(&arena);
    toy_remove(root);
    return 0;
}

static tub_status read(const char *text, tub_annotations *out)
{
    toy_write(root, "anno.json", "%s", text);
    return tub_annotations_read(&arena, toy_path(root, "anno.json"), out, &err);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "[{\"video_name\": \"a\", \"duration\": 1.5}]", "{\"a\": {\"frame\": 5}}", "{\"database\": [1]}", "{\"database\": {}}",
        "{\"database\": {\"a\": {}}", "{\"database\": {\"a\": {}, \"a\": {}}}", "", "{\"database\": null}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tub_annotations a;
        assert_int_equal(read(wrong[i], &a), TUB_ERROR_ARGUMENT);
        assert_non_null(strstr(err.text, "anno.json"));
    }
    tub_annotations a;
    read(wrong[0], &a);
    assert_non_null(strstr(err.text, "a list"));
    read(wrong[1], &a);
    assert_non_null(strstr(err.text, "`database`"));
    assert_int_equal(tub_annotations_read(&arena, toy_path(root, "none.json"), &a, &err), TUB_ERROR_ARGUMENT);
}

static void test_select_and_missing(void **state)
{
    (void)state;
    tub_annotations a;
    assert_int_equal(read("{\"version\": \"x\", \"database\": {\"one\": {\"subset\": \"t\"}, \"v_two\": {}, \"three\": {}, "
                          "\"03-\xe8\xa5\xbf\": {}}}", &a), TUB_OK);
    assert_int_equal(a.count, 4);
    tub_entry entries[] = {{.stem = "one"}, {.stem = "other"}, {.stem = "two"}, {.stem = "v_three"}, {.stem = "ONE"}};
    tub_entries list = {.items = entries, .count = 5};
    assert_int_equal(tub_annotations_select(&a, "anno.json", &list, &err), TUB_OK);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[2].stem, "v_three");
    list = (tub_entries){.items = entries, .count = 1};
    entries[0].stem = "stranger";
    assert_int_equal(tub_annotations_select(&a, "anno.json", &list, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "stranger"));

    const tub_feature_place place = {root, {.name = "{stem}", .container = TUB_CONTAINER_NPY, .dtype = TUB_F32}};
    const int64_t dims[] = {1, 2};
    const float row[2] = {1, 2};
    assert_int_equal(tub_npy_write(toy_path(root, "one.npy"), TUB_F32, 2, dims, row, &err), TUB_OK);
    assert_int_equal(tub_npy_write(toy_path(root, "v_three.npy"), TUB_F32, 2, dims, row, &err), TUB_OK);
    toy_write(root, "v_two.npy", "torn");
    assert_int_equal(tub_annotations_write_missing(&a, &place, &(tub_video_facts){0}, &(tub_stem_map){0}, &err), TUB_OK);
    char *text = toy_read(root, "missing_files.txt");
    assert_string_equal(text, "v_two\n03-\xe8\xa5\xbf\n");
    tub_free(text);
    tub_annotations_finish(&a);
}

static tub_status read_facts(const char *text, tub_video_facts *out)
{
    toy_write(root, "anno.json", "%s", text);
    tub_status status = tub_video_facts_read(toy_path(root, "anno.json"), out, &err);
    if (status != TUB_OK)
        tub_video_facts_finish(out);
    return status;
}

static void expect_two(const tub_video_facts *f, const char *second)
{
    assert_int_equal(f->count, 2);
    const tub_fact *a = tub_video_facts_find(f, "a"), *b = tub_video_facts_find(f, second);
    assert_ptr_equal(a, &f->items[0]);
    assert_ptr_equal(b, &f->items[1]);
    assert_string_equal(a->split, "training");
    assert_true(a->duration == 1.5 && a->fps == 25 && a->frames == 38 && a->last_end == 1.25);
    assert_true(!b->split && b->duration == 0 && b->last_end == 0);
}

// The scanner leaves escaped ids, and so the whole file, to the parser.
static void test_facts(void **state)
{
    (void)state;
    static const char a[] = "{\"database\": {\"a\": {\"subset\": \"training\", \"duration\": 1.5, \"fps\": \"25\", \"frame\": 38, "
                            "\"annotations\": [{\"segment\": [0.5, 1.25]}, {\"segment\": [0, 1]}]}, ";
    static const struct {
        const char *end, *second;
    } files[] = {{"\"v_b\": {}}}", "b"}, {"\"\\u0062\": {}}}", "b"}, {"\"b\": null}, \"version\": \"\\u00e9\"}", "v_b"}};
    char text[400];
    tub_video_facts f;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(text, sizeof text, "%s%s", a, files[i].end);
        assert_int_equal(read_facts(text, &f), TUB_OK);
        expect_two(&f, files[i].second);
        tub_video_facts_finish(&f);
    }
    static const char *const wrong[] = {"\"a\": {}}}", "\"b\": {\"fps\": 1, \"fps\": 2}}}", "\"b\": {}}", "\"b\": {}}} x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, "%s%s", a, wrong[i]);
        assert_int_equal(read_facts(text, &f), TUB_ERROR_ARGUMENT);
    }
    assert_int_equal(read_facts("{\"database\": {}}", &f), TUB_ERROR_ARGUMENT);
}

// Annotations of hundreds of thousands of videos, with segments, must be readable by all their readers or by none.
static void test_large_facts(void **state)
{
    (void)state;
    enum { BYTES = 80 << 20 };
    tub_video_facts f;
    tub_annotations a;
    const char *path = toy_path(root, "large.json");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "{\"database\": {\"a\": {\"duration\": 2}%*s}}", BYTES, "");
    assert_int_equal(fclose(file), 0);
    assert_int_equal(tub_annotations_read(&arena, path, &a, &err), TUB_OK);
    assert_int_equal(tub_video_facts_read(path, &f, &err), TUB_OK);
    assert_true(f.count == 1 && f.items[0].duration == 2);
    tub_video_facts_finish(&f);
    tub_annotations_finish(&a);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_refused), TEST(test_select_and_missing), TEST(test_facts), TEST(test_large_facts)};
    return cmocka_run_group_tests_name("annotations", tests, NULL, NULL);
}
