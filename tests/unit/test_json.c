// JSON: what is rejected, and that the messages name the file and the key.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "temp_folder.h"

static json_t *parse(const char *text)
{
    json_t *json = NULL;
    assert_int_equal(tub_json_parse(text, strlen(text), "config.json", TUB_ERROR_MODEL, &json, NULL), TUB_OK);
    return json;
}

static void refuse(const char *text, size_t bytes, const char *why)
{
    json_t *json = NULL;
    tub_error err = {0};
    assert_int_equal(tub_json_parse(text, bytes, "config.json", TUB_ERROR_MODEL, &json, &err), TUB_ERROR_MODEL);
    assert_null(json);
    assert_non_null(strstr(err.text, "config.json"));
    if (!strstr(err.text, why))
        fail_msg("\"%s\" should say \"%s\"", err.text, why);
}

static void test_rejected_texts(void **state)
{
    (void)state;
    refuse("", 0, "line 1");
    refuse("{\"a\": 1,\n \"b\": }", 16, "line 2");
    refuse("{\"a\": 1, \"a\": 2}", 16, "duplicate");
    refuse("{\"a\": \"\xff\"}", 10, "decode byte 0xff");
    refuse("{\"a\": 1} x", 10, "end of file");
    refuse("{\"a\": NaN}", 10, "line 1");
    // Only the given number of bytes is read.
    json_t *json = NULL;
    assert_int_equal(tub_json_parse("{}garbage", 2, "x", TUB_ERROR_INPUT, &json, NULL), TUB_OK);
    json_decref(json);
}

static int allocations; // left until one fails
static bool once;       // only one fails, and the next succeeds again

static void *allocate(size_t bytes)
{
    if (once ? allocations-- != 0 : allocations-- > 0)
        return malloc(bytes);
    errno = ENOMEM;
    return NULL;
}

// Nothing but memory is reported, whatever jansson makes of the text.
static void run_short(const char *text, const json_t *usual)
{
    tub_status status = TUB_ERROR_MEMORY;
    int most = 0, short_of = 0;
    for (; most < 100; most++) {
        json_t *json = NULL;
        tub_error err = {0};
        allocations = most;
        status = tub_json_parse(text, strlen(text), "config.json", TUB_ERROR_MODEL, &json, &err);
        const bool reached = once ? allocations < 0 : allocations <= 0;
        allocations = 100;
        if (status == TUB_OK ? !json_equal(json, usual) : status != TUB_ERROR_MEMORY || json)
            fail_msg("allocation %d: status %d, %s", most, status, err.text);
        short_of += status == TUB_ERROR_MEMORY;
        json_decref(json);
        if (!reached)
            break;
    }
    assert_in_range(most, 10, 99);
    assert_in_range(short_of, 5, most);
}

static void test_short_memory(void **state)
{
    (void)state;
    const char text[] = "{\"a\": [1, 2.5, \"b\"], \"a longer name than any so far\": {\"d\": null}}";
    json_t *usual = parse(text);
    json_set_alloc_funcs(allocate, free);
    run_short(text, usual);
    once = true;
    run_short(text, usual);
    json_set_alloc_funcs(malloc, free);
    json_decref(usual);
}

// Either the whole text is returned, or none.
static void test_short_memory_of_texts(void **state)
{
    (void)state;
    json_t *value = parse("{\"b\": 1, \"a longer name than others\": {\"d\": null}, \"a\": [1, 2, \"c\"]}");
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS;
    char *usual = tub_json_text(value, flags);
    int none = 0;
    json_set_alloc_funcs(allocate, free);
    for (int at = 0; at < 100; at++) {
        once = at % 2;
        allocations = at / 2;
        char *text = tub_json_text(value, flags);
        allocations = 100;
        if (text && strcmp(text, usual) != 0)
            fail_msg("allocation %d: %s", at / 2, text);
        none += !text;
        free(text);
    }
    json_set_alloc_funcs(malloc, free);
    assert_in_range(none, 10, 90);
    free(usual);
    json_decref(value);
}

static void test_files(void **state)
{
    (void)state;
    char *folder = test_folder_make();
    const char *path = test_path(folder, "config.json"), *missing = test_path(folder, "missing.json");
    json_t *json = NULL;
    tub_error err = {0};
    assert_int_equal(tub_json_load(missing, TUB_ERROR_MODEL, &json, &err), TUB_ERROR_MODEL);
    assert_int_equal(err.status, TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, missing));
    test_write_file(path, "{\"a\": [1, 2]}", 13);
    assert_int_equal(tub_json_load(path, TUB_ERROR_MODEL, &json, &err), TUB_OK);
    assert_int_equal(json_array_size(json_object_get(json, "a")), 2);
    json_decref(json);
    test_write_file(path, "{\"a\": [1, 2}", 12);
    assert_int_equal(tub_json_load(path, TUB_ERROR_INPUT, &json, &err), TUB_ERROR_INPUT);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(tub_json_load(folder, TUB_ERROR_MODEL, &json, NULL), TUB_ERROR_MODEL);
    test_folder_remove(folder);
}

static void expect(tub_status got, const tub_error *err, const char *key, const char *why)
{
    assert_int_equal(got, TUB_ERROR_MODEL);
    assert_int_equal(err->status, TUB_ERROR_MODEL);
    if (strncmp(err->text, "here: key \"", 11) != 0 || !strstr(err->text, key) || !strstr(err->text, why))
        fail_msg("\"%s\" should begin with its place, name %s and say \"%s\"", err->text, key, why);
}

static void test_typed_values(void **state)
{
    (void)state;
    json_t *o = parse("{\"i\": 12, \"r\": 0.5, \"s\": \"text\", \"t\": true, \"n\": null, \"l\": [], \"o\": {}}");
    int64_t i;
    double d;
    bool b;
    const char *s;
    tub_error err = {0};
    assert_int_equal(tub_json_int(o, "here", "i", 3, 0, 12, &i, NULL), TUB_OK);
    assert_int_equal(i, 12);
    assert_int_equal(tub_json_int(o, "here", "n", 3, 5, 6, &i, NULL), TUB_OK);
    assert_int_equal(i, 3);
    assert_int_equal(tub_json_int(o, "here", "absent", 4, 0, 9, &i, NULL), TUB_OK);
    assert_int_equal(i, 4);
    expect(tub_json_int(o, "here", "i", 3, 13, 99, &i, &err), &err, "\"i\"", "between 13 and 99");
    expect(tub_json_int(o, "here", "i", 3, 0, 11, &i, &err), &err, "\"i\"", "is 12");
    expect(tub_json_int(o, "here", "r", 3, 0, 9, &i, &err), &err, "\"r\"", "an integer, not a real number");
    expect(tub_json_int(o, "here", "s", 3, 0, 9, &i, &err), &err, "\"s\"", "not a string");
    assert_int_equal(tub_json_double(o, "here", "r", 1, &d, NULL), TUB_OK);
    assert_true(d == 0.5);
    assert_int_equal(tub_json_double(o, "here", "i", 1, &d, NULL), TUB_OK);
    assert_true(d == 12);
    assert_int_equal(tub_json_double(o, "here", "absent", 1e-6, &d, NULL), TUB_OK);
    assert_true(d == 1e-6);
    expect(tub_json_double(o, "here", "l", 1, &d, &err), &err, "\"l\"", "a number, not an array");
    assert_int_equal(tub_json_bool(o, "here", "t", false, &b, NULL), TUB_OK);
    assert_true(b);
    assert_int_equal(tub_json_bool(o, "here", "n", true, &b, NULL), TUB_OK);
    assert_true(b);
    expect(tub_json_bool(o, "here", "i", false, &b, &err), &err, "\"i\"", "true or false");
    assert_int_equal(tub_json_string(o, "here", "s", NULL, &s, NULL), TUB_OK);
    assert_string_equal(s, "text");
    assert_int_equal(tub_json_string(o, "here", "absent", NULL, &s, NULL), TUB_OK);
    assert_null(s);
    expect(tub_json_string(o, "here", "o", "x", &s, &err), &err, "\"o\"", "a string, not an object");
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rejected_texts),        cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_short_memory_of_texts), cmocka_unit_test(test_files),
        cmocka_unit_test(test_typed_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
