// The safetensors reader, with files made to break it, and the writer, checked by the reader.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atomic_file.h"
#include "memory.h"
#include "safetensors.h"
#include "temp_folder.h"

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = test_folder_make();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

// A file with this header and `data` bytes after it; `claimed`: its first 8 bytes (0: the header's own length).
static const char *make_file(const char *header, size_t data, uint64_t claimed)
{
    size_t length = strlen(header), bytes = 8 + length + data;
    uint64_t n = claimed ? claimed : length;
    char *file = tub_calloc(bytes, 1);
    for (int i = 0; i < 8; i++)
        file[i] = (char)(n >> 8 * i);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < data; i++)
        file[8 + length + i] = (char)(i + 1);
    const char *path = test_path(folder, "hostile.safetensors");
    test_write_file(path, file, bytes);
    tub_free(file);
    return path;
}

static void refuses(const char *header, size_t data, const char *why)
{
    tub_tensor_file s;
    tub_error err = {0};
    assert_int_equal(tub_safetensors_open(make_file(header, data, 0), &s, &err), TUB_ERROR_MODEL);
    if (!strstr(err.text, why) || !strstr(err.text, "hostile.safetensors"))
        fail_msg("header %s: expected \"%s\", got \"%s\"", header, why, err.text);
}

static void accepts(const char *header, size_t data, size_t count)
{
    tub_tensor_file s;
    tub_error err = {0};
    if (tub_safetensors_open(make_file(header, data, 0), &s, &err) != TUB_OK)
        fail_msg("header %s: %s", header, err.text);
    assert_int_equal(s.count, count);
    tub_tensor_file_finish(&s);
}

#define T(shape, begin, end) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

static void refuses_ranges(void **state)
{
    (void)state;
    refuses("{\"a\":" T("[2]", "0", "8") "}", 7, "truncated");
    refuses("{\"a\":" T("[2]", "0", "8") "}", 9, "after the last tensor");
    refuses("{\"a\":" T("[2]", "0", "8") ",\"b\":" T("[2]", "4", "12") "}", 12, "overlap");
    refuses("{\"a\":" T("[2]", "0", "8") ",\"b\":" T("[2]", "12", "20") "}", 20, "hole");
    refuses("{\"a\":" T("[2]", "4", "12") "}", 12, "hole");
    refuses("{\"a\":" T("[3]", "0", "8") "}", 8, "its range has 8");
    refuses("{\"a\":" T("[2]", "8", "0") "}", 8, "aren't a range");
    refuses("{\"a\":" T("[2]", "-8", "0") "}", 8, "aren't a range");
    refuses("{\"a\":" T("[2]", "0.0", "8") "}", 8, "aren't a range");
    refuses("{\"a\":" T("[1]", "9223372036854775804", "9223372036854775807") "}", 8, "range has 3");
    refuses("{\"a\":" T("[2]", "-0", "8") "}", 8, "-0");
    refuses("{\"a\":" T("[0]", "9223372036854775807", "9223372036854775807") "}", 8, "leaves the file");
    refuses("{\"a\":" T("[2305843009213693950]", "0", "9223372036854775800") "}", 8, "overflows");
}

static void refuses_shapes(void **state)
{
    (void)state;
    refuses("{\"a\":" T("[-1]", "0", "8") "}", 8, "non-negative");
    refuses("{\"a\":" T("[2.0]", "0", "8") "}", 8, "non-negative");
    refuses("{\"a\":" T("[\"2\"]", "0", "8") "}", 8, "non-negative");
    refuses("{\"a\":" T("2", "0", "8") "}", 8, "list");
    refuses("{\"a\":" T("[4294967296,4294967296]", "0", "0") "}", 0, "overflows");
    refuses("{\"a\":" T("[0,4294967296,4294967296,4294967296]", "0", "0") "}", 0, "overflows");
    refuses("{\"a\":" T("[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, "at most 8");
    refuses("{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "whole number of bytes");
}

static void refuses_headers(void **state)
{
    (void)state;
    refuses("{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown dtype \"F31\"");
    refuses("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown dtype");
    refuses("{\"a\":" T("[1]", "0", "4") ",\"a\":" T("[1]", "4", "8") "}", 8, "duplicate");
    refuses("[]", 0, "isn't an object");
    refuses("{\"a\":3}", 0, "isn't described by an object");
    refuses("{\"a\":[\"F32\",[1],[0,4]]}", 4, "isn't described by an object");
    refuses("{", 0, "JSON");
    refuses("{\"\xff\":3}", 0, "JSON");
    refuses("{\"__metadata__\":{\"a\":1}}", 0, "isn't a string");
    refuses("{\"__metadata__\":[]}", 0, "isn't an object");
}

static void refuses_sizes(void **state)
{
    (void)state;
    tub_tensor_file s;
    tub_error err;
    assert_int_equal(tub_safetensors_open(make_file("{}", 0, 1000), &s, &err), TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "truncated"));
    assert_int_equal(tub_safetensors_open(make_file("{}", 0, 100000001), &s, &err), TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "header of 100000001"));
    assert_int_equal(tub_safetensors_open(make_file("{}", 0, UINT64_MAX), &s, &err), TUB_ERROR_MODEL);
    test_write_file(test_path(folder, "short"), "1234567", 7);
    assert_int_equal(tub_safetensors_open(test_path(folder, "short"), &s, &err), TUB_ERROR_MODEL);
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 376859504\n";
    test_write_file(test_path(folder, "pointer"), pointer, sizeof pointer - 1);
    assert_int_equal(tub_safetensors_open(test_path(folder, "pointer"), &s, &err), TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "git lfs pull"));
    // What saving a browser's address gives, and a server's reply.
    static const char *const texts[] = {"<!doctype html>\n<html class=\"\">\n<head>", "Entry not found"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        test_write_file(test_path(folder, "text"), texts[i], strlen(texts[i]));
        assert_int_equal(tub_safetensors_open(test_path(folder, "text"), &s, &err), TUB_ERROR_MODEL);
        assert_non_null(strstr(err.text, i ? "(\"Entry not found\"): download it again" : "(\"<!doctype html>\")"));
    }
    assert_int_equal(tub_safetensors_open(test_path(folder, "absent"), &s, &err), TUB_ERROR_MODEL);
    assert_int_equal(tub_safetensors_open(folder, &s, &err), TUB_ERROR_MODEL);
    assert_int_equal(mkfifo(test_path(folder, "fifo"), 0600), 0);
    assert_int_equal(tub_safetensors_open(test_path(folder, "fifo"), &s, &err), TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "isn't a file"));
}

// The parser needs forty times the bytes of a list of numbers.
static void refuses_headers_that_want_memory(void **state)
{
    (void)state;
    const char begin[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"more\":[0", end[] = "]}}";
    enum { NUMBERS = 1 << 20 };
    char *header = tub_calloc(sizeof begin + 2 * NUMBERS + sizeof end, 1);
    for (int some = 0; some < 2; some++) {
        int numbers = some ? 1000 : NUMBERS;
        char *at = stpcpy(header, begin);
        for (int i = 0; i < numbers; i++)
            at = stpcpy(at, ",0");
        strcpy(at, end);
        if (some)
            accepts(header, 8, 1);
        else
            refuses(header, 8, "more memory");
    }
    tub_free(header);
}

static void accepts_what_is_legal(void **state)
{
    (void)state;
    accepts("{}", 0, 0);
    accepts("{\"-0\\\"-0\":" T("[2]", "0", "8") "}", 8, 1);
    accepts("{\"a\":{\"dtype\":\"F8_E4M3FNUZ\",\"shape\":[3],\"data_offsets\":[0,3],\"more\":-0.5}}", 3, 1);
    accepts("  {\"a\":" T("[2]", "0", "8") "}   ", 8, 1);
    accepts("{\"b\":" T("[1]", "4", "8") ",\"a\":" T("[1]", "0", "4") ",\"__metadata__\":{\"format\":\"pt\"}}", 8, 2);
    accepts("{\"z\":" T("[1,0,3]", "4", "4") ",\"a\":" T("[]", "0", "4") "}", 4, 2);
    accepts("{\"i\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3, 1);
}

static void round_trip(void **state)
{
    (void)state;
    const float a[6] = {1, -2, 3, 4, 5, 6.5f};
    const uint16_t b[2] = {0x3f80, 0xbf80};
    const tub_tensor tensors[3] = {
        {.name = "b \"quoted\"", .dtype = TUB_BF16, .rank = 1, .dims = {2}, .data = b},
        {.name = "a", .dtype = TUB_F32, .rank = 2, .dims = {2, 3}, .data = a},
        {.name = "none", .dtype = TUB_F32, .rank = 2, .dims = {0, 3}, .data = a},
    };
    const char *path = test_path(folder, "round.safetensors");
    tub_error err;
    assert_int_equal(tub_safetensors_write(path, tensors, 3, &err), TUB_OK);
    tub_tensor_file s;
    assert_int_equal(tub_safetensors_open(path, &s, &err), TUB_OK);
    assert_int_equal(s.count, 3);
    for (size_t i = 0; i < 3; i++) {
        const tub_tensor *t = &tensors[i], *r = NULL;
        for (size_t k = 0; k < 3; k++) {
            if (strcmp(s.entries[k].name, t->name) != 0)
                continue;
            r = &s.entries[k].tensor;
            char data[24];
            assert_true(s.entries[k].bytes <= 24);
            assert_int_equal(tub_tensor_file_values(&s, &s.entries[k], data, &err), TUB_OK);
            assert_memory_equal(data, t->data, (size_t)s.entries[k].bytes);
        }
        assert_non_null(r);
        assert_int_equal(r->dtype, t->dtype);
        assert_int_equal(r->rank, t->rank);
        assert_memory_equal(r->dims, t->dims, (size_t)t->rank * sizeof(int64_t));
    }
    tub_tensor_file_finish(&s);
}

// What a killed writer left beside the file is removed: for a large model that is gigabytes.
static void sweeps_before_it_writes(void **state)
{
    (void)state;
    const float a = 1;
    const tub_tensor t = {.name = "a", .dtype = TUB_F32, .rank = 1, .dims = {1}, .data = &a};
    const char *path = test_path(folder, "model.safetensors");
    const int before = test_count_files(folder, "model.safetensors");
    pid_t child = fork();
    if (child == 0) {
        tub_atomic_file *file;
        _exit(tub_atomic_open(path, &file, NULL) != TUB_OK);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(test_count_files(folder, ".tmp"), 1);
    assert_int_equal(tub_safetensors_write(path, &t, 1, NULL), TUB_OK);
    assert_int_equal(test_count_files(folder, ".tmp"), 0);
    assert_int_equal(test_count_files(folder, "model.safetensors"), before + 1);
}

// Every prefix of a good file is refused, and no flipped byte of the header crashes the reader.
static void survives_mutations(void **state)
{
    (void)state;
    const float a[4] = {1, 2, 3, 4};
    const tub_tensor t = {.name = "layer.weight", .dtype = TUB_F32, .rank = 2, .dims = {2, 2}, .data = a};
    const char *path = test_path(folder, "good.safetensors"), *bad = test_path(folder, "bad.safetensors");
    size_t bytes;
    assert_int_equal(tub_safetensors_write(path, &t, 1, NULL), TUB_OK);
    char *file = test_read_file(path, &bytes);
    assert_non_null(file);
    tub_tensor_file s;
    for (size_t length = 0; length < bytes; length++) {
        test_write_file(bad, file, length);
        assert_int_equal(tub_safetensors_open(bad, &s, NULL), TUB_ERROR_MODEL);
    }
    for (size_t i = 0; i < bytes - 16; i++) {
        for (int bit = 0; bit < 8; bit++) {
            file[i] ^= (char)(1 << bit);
            test_write_file(bad, file, bytes);
            if (tub_safetensors_open(bad, &s, NULL) == TUB_OK) {
                for (size_t k = 0; k < s.count; k++)
                    assert_true(s.entries[k].offset >= 8 && s.entries[k].offset + s.entries[k].bytes <= (int64_t)bytes);
                tub_tensor_file_finish(&s);
            }
            file[i] ^= (char)(1 << bit);
        }
    }
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_ranges),
        cmocka_unit_test(refuses_shapes),
        cmocka_unit_test(refuses_headers),
        cmocka_unit_test(refuses_sizes),
        cmocka_unit_test(accepts_what_is_legal),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(sweeps_before_it_writes),
        cmocka_unit_test(refuses_headers_that_want_memory),
        cmocka_unit_test(survives_mutations),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
