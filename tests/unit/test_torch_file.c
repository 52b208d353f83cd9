// Files of torch.save: every container and pickle gives the same tensors, and harmful files are refused. The files are
// made by tools/make_torch_files.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "safetensors.h"
#include "temp_folder.h"
#include "torch_file.h"

#define TORCH TEST_DATA "/data/torch/"

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

static void *values_of(const tub_tensor_file *f, const tub_tensor_entry *e)
{
    void *values = tub_calloc((size_t)e->bytes, 1);
    tub_error err;
    if (tub_tensor_file_values(f, e, values, &err) != TUB_OK)
        fail_msg("%s", err.text);
    return values;
}

static void check_same(const char *path, const tub_tensor_file *f, const tub_tensor_entry *e,
                       const tub_tensor_file *expected, const tub_tensor_entry *x)
{
    if (strcmp(e->name, x->name) != 0)
        fail_msg("%s: \"%s\" where \"%s\" was expected", path, e->name, x->name);
    if (strcmp(e->type, x->type) != 0 || e->tensor.dtype != x->tensor.dtype || e->tensor.rank != x->tensor.rank ||
        memcmp(e->tensor.dims, x->tensor.dims, (size_t)x->tensor.rank * sizeof *x->tensor.dims) != 0 ||
        e->bytes != x->bytes || strcmp(e->tensor.name, e->name) != 0)
        fail_msg("%s: \"%s\" has another type or shape", path, e->name);
    void *values = values_of(f, e), *wanted = values_of(expected, x);
    if (memcmp(values, wanted, (size_t)x->bytes) != 0)
        fail_msg("%s: \"%s\" has other values", path, e->name);
    tub_free(values);
    tub_free(wanted);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tub_tensor_entry *)a)->name, ((const tub_tensor_entry *)b)->name);
}

static void reads_the_same_from_every_file(void **state)
{
    (void)state;
    tub_tensor_file expected, f;
    tub_error err;
    assert_int_equal(tub_safetensors_open(TORCH "expected.safetensors", &expected, NULL), TUB_OK);
    qsort(expected.entries, expected.count, sizeof *expected.entries, by_name);
    DIR *good = opendir(TORCH "good");
    assert_non_null(good);
    int files = 0;
    for (const struct dirent *d; (d = readdir(good));) {
        if (d->d_name[0] == '.')
            continue;
        const char *path = test_path(TORCH "good", d->d_name);
        if (tub_torch_open(path, &f, &err) != TUB_OK)
            fail_msg("%s", err.text);
        assert_int_equal(f.count, expected.count);
        for (size_t i = 0; i < f.count; i++)
            check_same(path, &f, &f.entries[i], &expected, &expected.entries[i]);
        tub_tensor_file_finish(&f);
        files++;
    }
    closedir(good);
    assert_true(files >= 10);
    tub_tensor_file_finish(&expected);
}

static void expect_refusal(const char *path, const char *words)
{
    tub_tensor_file f;
    tub_error err = {0};
    if (tub_torch_open(path, &f, &err) != TUB_ERROR_MODEL)
        fail_msg("%s: isn't refused", path);
    if (!strstr(err.text, words) || !strstr(err.text, path))
        fail_msg("%s: expected \"%s\", got \"%s\"", path, words, err.text);
}

static void refuses_what_is_made_to_harm(void **state)
{
    (void)state;
    char *list = test_read_file(TORCH "refusals.txt", NULL);
    assert_non_null(list);
    int files = 0;
    for (char *line = strtok(list, "\n"); line; line = strtok(NULL, "\n"), files++) {
        char *tab = strchr(line, '\t');
        assert_non_null(tab);
        *tab = 0;
        expect_refusal(test_path(TORCH "bad", line), tab + 1);
    }
    assert_int_equal(files, test_count_files(TORCH "bad", ".pt"));
    free(list);
    expect_refusal(test_path(folder, "absent.pt"), "can't be opened");
    expect_refusal(folder, "isn't a file");
}

// A file of the legacy container up to its object, with `piece` repeated `count` times between `before` and `after`.
static const char *make_bomb(const char *before, size_t before_bytes, const char *piece, size_t bytes, size_t count,
                             const char *after)
{
    static const char head[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." // its magic number
                               "\x80\x02M\xe9\x03."                                        // version
                               "\x80\x02}.\x80\x02";
    size_t all = sizeof head - 1 + before_bytes + count * bytes + strlen(after);
    char *file = tub_calloc(all, 1), *at = file;
    at = mempcpy(at, head, sizeof head - 1);
    at = mempcpy(at, before, before_bytes);
    for (size_t i = 0; i < count; i++)
        at = mempcpy(at, piece, bytes);
    memcpy(at, after, strlen(after));
    const char *path = test_path(folder, "bomb.pt");
    test_write_file(path, file, all);
    tub_free(file);
    return path;
}

#define BYTES(text) text, sizeof text - 1

// Each byte of these would allocate more than a few bytes of memory, if it were allowed to.
static void refuses_pickles_that_want_memory(void **state)
{
    (void)state;
    const char *more = "takes more memory than a file of its size may take";
    expect_refusal(make_bomb(BYTES("("), BYTES("]"), 1 << 20, "t."), more);
    expect_refusal(make_bomb(BYTES("("), BYTES("}K\x01K\x02s"), 1 << 18, "t."), more);
    expect_refusal(make_bomb(BYTES(""), BYTES("("), 8 << 20, "N."), more);
    expect_refusal(make_bomb(BYTES("N"), BYTES("\x94"), 8 << 20, "."), more);
    expect_refusal(make_bomb(BYTES("](NNNNNNNNeq\x00("), BYTES("h\x00"), 4 << 20, "t."), more);
    // One list of pairs, from which dict after dict is made.
    char pairs[4096] = "](";
    size_t at = 2;
    while (at + 3 < sizeof pairs - 64)
        at += (size_t)snprintf(pairs + at, sizeof pairs - at, "NN\x86");
    static const char use[] = "eq\0"
                              "ccollections\nOrderedDict\nq\1(";
    memcpy(pairs + at, use, sizeof use - 1);
    expect_refusal(make_bomb(pairs, at + sizeof use - 1, BYTES("h\1(h\0tR"), 10000, "t."), more);
    // Lists nested deeply in lists, which costs no work, and is no state dict.
    expect_refusal(make_bomb(BYTES("]"), BYTES("]"), 30000, "."), "more or less than one value");
    char *deep = tub_calloc(20001, 1);
    memset(deep, 'a', 20000);
    deep[19999] = '.';
    expect_refusal(make_bomb(BYTES("]"), BYTES("]"), 19999, deep), "cut short");
    tub_free(deep);
}

// The pickle begins with a mark: nothing was ever pushed.
static void an_empty_tuple_comes_first(void **state)
{
    (void)state;
    static const char file[] = "\x80\x02(t.";
    const char *path = test_path(folder, "empty.pt");
    test_write_file(path, file, sizeof file - 1);
    expect_refusal(path, path);
}

static void refuses_every_part_of_a_file(void **state)
{
    (void)state;
    static const char *const names[] = {"good/legacy_plain.pt", "good/zip_protocol4.pt"};
    tub_tensor_file f;
    for (size_t i = 0; i < 2; i++) {
        size_t bytes;
        char *file = test_read_file(test_path(TORCH, names[i]), &bytes);
        assert_non_null(file);
        const char *part = test_path(folder, "part.pt");
        test_write_file(part, file, bytes);
        for (size_t length = bytes; length-- > 0;) {
            assert_int_equal(truncate(part, (off_t)length), 0);
            assert_int_equal(tub_torch_open(part, &f, NULL), TUB_ERROR_MODEL);
        }
        free(file);
    }
}

// Whatever a changed byte does to the file: accepted tensors lie within it.
static void survives_changed_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {"good/legacy_nested.pt", "good/zip_nested.pth"};
    const char *bad = test_path(folder, "bad.pt");
    for (size_t n = 0; n < 2; n++) {
        size_t bytes;
        char *file = test_read_file(test_path(TORCH, names[n]), &bytes);
        test_write_file(bad, file, bytes);
        int fd = open(bad, O_WRONLY);
        for (size_t i = 0; i < bytes; i++) {
            const char changed = (char)(file[i] ^ 1 << i % 8);
            assert_int_equal(pwrite(fd, &changed, 1, (off_t)i), 1);
            tub_tensor_file f;
            if (tub_torch_open(bad, &f, NULL) == TUB_OK) {
                for (size_t k = 0; k < f.count; k++)
                    tub_free(values_of(&f, &f.entries[k]));
                tub_tensor_file_finish(&f);
            }
            assert_int_equal(pwrite(fd, &file[i], 1, (off_t)i), 1);
        }
        close(fd);
        free(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_same_from_every_file),   cmocka_unit_test(refuses_what_is_made_to_harm),
        cmocka_unit_test(refuses_pickles_that_want_memory), cmocka_unit_test(refuses_every_part_of_a_file),
        cmocka_unit_test(survives_changed_bytes),           cmocka_unit_test(an_empty_tuple_comes_first),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
