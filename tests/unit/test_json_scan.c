// The scanner of JSON lines gives the same verdicts and values as the parser, or leaves the line to it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_scan.h"

static const char *const keys[] = {"a", "bb", "T"};
enum { KEYS = 3 };

static bool same_value(const tub_field *field, const json_t *value)
{
    switch (field->kind) {
    case TUB_FIELD_NONE:
        return value == NULL;
    case TUB_FIELD_TEXT:
        return json_is_string(value) && json_string_length(value) == field->bytes &&
               memcmp(json_string_value(value), field->text, field->bytes) == 0;
    case TUB_FIELD_INTEGER:
        return json_is_integer(value) && json_integer_value(value) == field->number;
    case TUB_FIELD_OTHER:
        return value && !json_is_string(value) && !json_is_integer(value);
    }
    return false;
}

// Whether the scanner was sure; fails if it was and the parser disagrees.
static bool compare(const char *text, size_t bytes)
{
    tub_field fields[KEYS];
    char *copy = malloc(bytes + 1); // so that a byte read too far shows
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    json_t *parsed = json_loadb(text, bytes, 0, NULL);
    tub_scan verdict = tub_json_scan(copy, bytes, keys, KEYS, fields);
    if (verdict != TUB_SCAN_HARD && (verdict == TUB_SCAN_OBJECT) != json_is_object(parsed))
        fail_msg("the parser says %s of %s", json_is_object(parsed) ? "yes" : "no", copy);
    for (size_t i = 0; verdict == TUB_SCAN_OBJECT && i < KEYS; i++)
        if (!same_value(&fields[i], json_object_get(parsed, keys[i])))
            fail_msg("another value of %s in %s", keys[i], copy);
    json_decref(parsed);
    free(copy);
    return verdict != TUB_SCAN_HARD;
}

static const char *const sure[] = {
    "{}",
    " { } ",
    "{\"a\":1,\"bb\":\"x\",\"T\":-0}",
    "{\"a\":\"caf\xc3\xa9\",\"T\":9223372036854775807}",
    "{\"T\":-9223372036854775808,\"a\":null}",
    "{\"a\":{\"T\":5},\"T\":[1,[2,{\"a\":[]}],{}],\"bb\":true}",
    "{\"x\":\"\\n\\u00e9\\\"\",\"a\":\"plain\"}",
    "{\"a\":1,\"a\":\"later\"}",
    "{\"a\":1.5e-3,\"bb\":false}",
    "{\"aa\":7,\"\":8,\"b\":9}",
    "[1]",
    "7",
    "",
    "not json",
    "{\"a\":1",
    "{\"a\":1}}",
    "{\"a\":1} x",
    "{\"a\":\"torn",
    "{\"a\":01}",
    "{\"a\":1.}",
    "{\"a\":-}",
    "{\"a\":1e}",
    "{\"a\" 1}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{\"a\":[1,]}",
    "{\"a\":[1}",
    "{\"a\":{1}}",
    "{\"a\":tru}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12g4\"}",
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\xc0\xaf\"}",
    "{\"a\":\"tab\there\"}",
    "{'a':1}",
};

static const char *const hard[] = {
    "{\"a\":\"with \\\"quotes\\\"\"}", "{\"\\u0061\":1}", "{\"x\":\"\\ud83d\\ude00\"}", "{\"x\":\"\\u0000\"}",
    "{\"a\":9223372036854775808}",     "{\"x\":1e999}",
};

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sure / sizeof *sure; i++)
        if (!compare(sure[i], strlen(sure[i])))
            fail_msg("hard: %s", sure[i]);
    for (size_t i = 0; i < sizeof hard / sizeof *hard; i++)
        if (compare(hard[i], strlen(hard[i])))
            fail_msg("not hard: %s", hard[i]);
    assert_true(compare("{\"a\":1}\0{", 9));
}

// Every cut of a line, and many changed bytes.
static void test_mutants(void **state)
{
    (void)state;
    static const char line[] = "{\"a\":\"x\xe2\x82\xac\\n\",\"bb\":[1.5,{\"c\":[]},\"\\u00e9\"],\"T\":-12,\"n\":null}";
    static const char bytes[] = "\"\\{}[]:,0-9.eEtfnu \x01\x7f\xc3\xff";
    char text[sizeof line];
    for (size_t at = 0; at + 1 < sizeof line; at++) {
        compare(line, at);
        for (size_t i = 0; i < sizeof bytes; i++) {
            memcpy(text, line, sizeof line);
            text[at] = bytes[i];
            compare(text, sizeof line - 1);
        }
    }
}

// Values nested as deep as the parser allows.
static void test_depth(void **state)
{
    (void)state;
    enum { DEEP = 3000 };
    char *text = malloc(2 * DEEP + 16);
    assert_non_null(text);
    for (int depth = 1; depth < DEEP; depth *= 3) {
        int used = sprintf(text, "{\"a\":");
        memset(text + used, '[', (size_t)depth);
        memset(text + used + depth, ']', (size_t)depth);
        strcpy(text + used + 2 * depth, "}");
        assert_true(compare(text, strlen(text)) || depth > 60);
    }
    free(text);
}

typedef struct seen {
    char text[200];
} seen;

static bool note(void *user, const tub_field *name, const tub_field *value)
{
    seen *s = user;
    size_t at = strlen(s->text);
    snprintf(s->text + at, sizeof s->text - at, "%.*s=%.*s;", (int)name->bytes, name->text, (int)value->bytes,
             value->text ? value->text : "");
    return name->text[0] != 'z';
}

static void test_members(void **state)
{
    (void)state;
    static const char text[] = "{\"k\": {\"x\": 1, \"y\": [2]}, \"l\":\"m\"} ";
    seen s = {0};
    assert_int_equal(tub_json_members(text, strlen(text), note, &s), TUB_SCAN_OBJECT);
    assert_string_equal(s.text, "k={\"x\": 1, \"y\": [2]};l=m;");
    // A nested value that is followed by more.
    s = (seen){0};
    assert_int_equal(tub_json_members(text + 6, 18, note, &s), TUB_SCAN_OBJECT);
    assert_string_equal(s.text, "x=;y=[2];");
    assert_int_equal(tub_json_members(text + 6, 17, note, &s), TUB_SCAN_NONE);
    assert_int_equal(tub_json_members("{\"z\":1}", 7, note, &s), TUB_SCAN_HARD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_mutants),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
