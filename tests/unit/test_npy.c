// .npy files: written and read back, in pieces, and every kind of bad file.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/npy.h>

#include "hash.h"
#include "temp_folder.h"

static int set_up(void **state)
{
    *state = test_folder_make();
    return 0;
}

static int tear_down(void **state)
{
    test_folder_remove(*state);
    return 0;
}

static void there_and_back(const char *path, tub_dtype dtype, int rank, const int64_t *dims, const void *data,
                           size_t bytes)
{
    tub_array a;
    int64_t file_bytes;
    assert_int_equal(tub_npy_write(path, dtype, rank, dims, data, NULL), TUB_OK);
    assert_int_equal(tub_npy_read(path, &a, NULL), TUB_OK);
    assert_int_equal(a.dtype, dtype);
    assert_int_equal(a.rank, rank);
    for (int i = 0; i < rank; i++)
        assert_int_equal(a.dims[i], dims[i]);
    assert_memory_equal(a.data, data, bytes);
    tub_array_finish(&a);
    assert_null(a.data);
    assert_int_equal(tub_npy_stat(path, &a, &file_bytes, NULL), TUB_OK);
    assert_int_equal(file_bytes, TUB_NPY_HEADER + bytes);
    assert_int_equal(a.rank, rank);
    assert_null(a.data);
}

static void test_there_and_back(void **state)
{
    const char *path = test_path(*state, "a.npy");
    float f[24];
    for (int i = 0; i < 24; i++)
        f[i] = 0.1f * (float)i;
    there_and_back(path, TUB_F32, 2, (int64_t[]){4, 6}, f, sizeof f);
    there_and_back(path, TUB_F32, 1, (int64_t[]){24}, f, sizeof f);
    there_and_back(path, TUB_F32, 0, NULL, f, 4);
    there_and_back(path, TUB_U8, 4, (int64_t[]){2, 4, 4, 3}, f, 96);
    there_and_back(path, TUB_F16, 2, (int64_t[]){3, 5}, f, 30);
    there_and_back(path, TUB_U8, 8, (int64_t[]){1, 2, 1, 2, 1, 2, 1, 2}, f, 16);
    there_and_back(path, TUB_F32, 2, (int64_t[]){0, 768}, f, 0);
}

// The header as NumPy writes it.
static void test_header_bytes(void **state)
{
    (void)state;
    char header[TUB_NPY_HEADER];
    tub_error err = {0};
    assert_int_equal(tub_npy_header(TUB_F32, 2, (int64_t[]){226, 768}, header, NULL), TUB_OK);
    static const char start[] =
        "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (226, 768), } ";
    assert_memory_equal(header, start, sizeof start - 1);
    assert_int_equal(header[126], ' ');
    assert_int_equal(header[127], '\n');
    assert_int_equal(tub_npy_header(TUB_U8, 1, (int64_t[]){5}, header, NULL), TUB_OK);
    assert_memory_equal(header + 10, "{'descr': '|u1', 'fortran_order': False, 'shape': (5,), } ", 58);
    int64_t wide[8];
    for (int i = 0; i < 8; i++)
        wide[i] = 100000000;
    assert_int_equal(tub_npy_header(TUB_F32, 8, wide, header, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_npy_header(TUB_F32, 9, wide, header, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_npy_header(TUB_BF16, 1, wide, header, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_npy_header(TUB_F32, 1, (int64_t[]){-1}, header, &err), TUB_ERROR_ARGUMENT);
    // Fits as text, but not as a size.
    assert_int_equal(tub_npy_header(TUB_F32, 3, (int64_t[]){4000000000, 4000000000, 4}, header, &err),
                     TUB_ERROR_ARGUMENT);
}

static void test_in_pieces(void **state)
{
    const char *folder = *state, *path = test_path(folder, "rows.npy");
    float row[3] = {1, 2, 3};
    char checksum[TUB_HASH_TEXT], wanted[TUB_HASH_TEXT];
    int64_t bytes;
    tub_npy_writer *w;
    assert_int_equal(tub_npy_begin(path, TUB_F32, 2, (int64_t[]){-7, 3}, &w, NULL), TUB_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(tub_npy_append(w, row, sizeof row, NULL), TUB_OK);
    assert_int_equal(test_count_files(folder, ".npy"), 0);
    assert_int_equal(tub_npy_commit(&w, checksum, &bytes, NULL), TUB_OK);
    assert_null(w);
    assert_int_equal(bytes, 128 + 60);
    size_t size;
    char *file = test_read_file(path, &size);
    assert_int_equal(size, bytes);
    tub_hash_bytes(file, size, wanted);
    assert_string_equal(checksum, wanted);
    free(file);
    tub_array a;
    assert_int_equal(tub_npy_read(path, &a, NULL), TUB_OK);
    assert_int_equal(a.dims[0], 5);
    assert_int_equal(a.dims[1], 3);
    assert_memory_equal((char *)a.data + 48, row, sizeof row);
    tub_array_finish(&a);
}

static void test_whole_and_pieces_give_the_same_bytes(void **state)
{
    const char *one = test_path(*state, "one.npy"), *other = test_path(*state, "other.npy");
    const float data[4] = {1, 2, 3, 4};
    tub_npy_writer *w;
    assert_int_equal(tub_npy_write(one, TUB_F32, 2, (int64_t[]){2, 2}, data, NULL), TUB_OK);
    assert_int_equal(tub_npy_begin(other, TUB_F32, 2, (int64_t[]){0, 2}, &w, NULL), TUB_OK);
    assert_int_equal(tub_npy_append(w, data, 4, NULL), TUB_OK);
    assert_int_equal(tub_npy_append(w, data + 1, 12, NULL), TUB_OK);
    assert_int_equal(tub_npy_commit(&w, NULL, NULL, NULL), TUB_OK);
    size_t n, m;
    char *a = test_read_file(one, &n), *b = test_read_file(other, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

static void test_writer_leaves_nothing_behind(void **state)
{
    const char *folder = *state;
    tub_npy_writer *w = NULL;
    tub_error err = {0};
    tub_npy_abandon(&w);
    tub_npy_abandon(NULL);
    assert_int_equal(tub_npy_begin(test_path(folder, "a.npy"), TUB_F32, 2, (int64_t[]){0, 2}, &w, NULL), TUB_OK);
    tub_npy_append(w, "12345678", 8, NULL);
    tub_npy_abandon(&w);
    // Not whole rows.
    assert_int_equal(tub_npy_begin(test_path(folder, "a.npy"), TUB_F32, 2, (int64_t[]){0, 2}, &w, NULL), TUB_OK);
    tub_npy_append(w, "1234", 4, NULL);
    assert_int_equal(tub_npy_commit(&w, NULL, NULL, &err), TUB_ERROR_ARGUMENT);
    assert_null(w);
    assert_int_equal(tub_npy_begin(test_path(folder, "no/a.npy"), TUB_F32, 1, (int64_t[]){0}, &w, &err),
                     TUB_ERROR_OUTPUT);
    assert_int_equal(tub_npy_begin(test_path(folder, "a.npy"), TUB_F32, 0, NULL, &w, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_npy_begin(test_path(folder, "a.npy"), TUB_BF16, 1, (int64_t[]){0}, &w, &err),
                     TUB_ERROR_ARGUMENT);
    assert_null(w);
    assert_int_equal(test_count_files(folder, ""), 0);
}

// A file of `header` (with the version and length before it) and `data_bytes` zeros.
static void write_npy(const char *path, int version, const char *header, size_t data_bytes)
{
    char file[4096] = "\x93NUMPY";
    size_t n = strlen(header), at = 8;
    file[6] = (char)version;
    file[at++] = (char)(n & 255);
    file[at++] = (char)(n >> 8);
    if (version > 1)
        at += 2;
    memcpy(file + at, header, n);
    test_write_file(path, file, at + n + data_bytes);
}

static void refuse(const char *path, const char *why)
{
    tub_array a;
    tub_error err = {0};
    assert_int_equal(tub_npy_read(path, &a, &err), TUB_ERROR_INPUT);
    assert_non_null(strstr(err.text, path));
    if (!strstr(err.text, why))
        fail_msg("\"%s\" should say \"%s\"", err.text, why);
    assert_null(a.data);
}

static void refuse_header(const char *path, const char *header, const char *why)
{
    write_npy(path, 1, header, 24);
    refuse(path, why);
}

static void test_other_writers_headers(void **state)
{
    const char *path = test_path(*state, "a.npy");
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        "{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}\n",
        " { \"descr\" : \"<f4\" , \"fortran_order\" : False , \"shape\" : ( 2 , 3 , ) } \n",
    };
    for (int version = 1; version <= 3; version++)
        for (int i = 0; i < 3; i++) {
            tub_array a;
            write_npy(path, version, headers[i], 24);
            assert_int_equal(tub_npy_read(path, &a, NULL), TUB_OK);
            assert_int_equal(a.rank, 2);
            assert_int_equal(a.dims[1], 3);
            tub_array_finish(&a);
        }
}

static void test_bad_files(void **state)
{
    const char *folder = *state;
    char path[512];
    snprintf(path, sizeof path, "%s/bad.npy", folder);
    refuse(path, "No such file");
    refuse(folder, "not a regular file");
    test_write_file(path, "", 0);
    refuse(path, "not a .npy");
    test_write_file(path, "\x93NUMPX\x01\x00v\x00{'descr'", 18);
    refuse(path, "not a .npy");
    test_write_file(path, "\x93NUMPY\x09\x00v\x00{'descr'", 18);
    refuse(path, "not a .npy");
    test_write_file(path, "\x93NUMPY\x01\x00v\x00{'descr'", 18);
    refuse(path, "truncated");
    test_write_file(path, "\x93NUMPY\x02\x00\xff\xff\xff\x7f{'descr'", 20);
    refuse(path, "longer than");
    write_npy(path, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 23);
    refuse(path, "truncated");
    write_npy(path, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 25);
    refuse(path, "too long");
    refuse_header(path, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", "Fortran");
    refuse_header(path, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", "type");
    refuse_header(path, "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", "type");
    refuse_header(path, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3), }", "type");
    refuse_header(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3), }", "shape");
    refuse_header(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3), }", "shape");
    refuse_header(path, "{'descr': '<f4', 'fortran_order': False, 'shape': 6, }", "shape");
    refuse_header(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", "shape");
    refuse_header(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,6), }", "8 dimensions");
    refuse_header(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "shape");
    refuse_header(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9999999999, 9999999999,), }",
                  "too large");
    refuse_header(path, "{'descr': '<f4', 'fortran_order': False, }", "header");
    refuse_header(path, "{'descr': '<f4', 'descr': '<f4', 'shape': (6,), }", "header");
    refuse_header(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), } x", "header");
    refuse_header(path, "{'descr': '<f4', 'order': False, 'shape': (6,), }", "header");
    refuse_header(path, "", "header");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_there_and_back),
        CASE(test_header_bytes),
        CASE(test_in_pieces),
        CASE(test_whole_and_pieces_give_the_same_bytes),
        CASE(test_writer_leaves_nothing_behind),
        CASE(test_other_writers_headers),
        CASE(test_bad_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
