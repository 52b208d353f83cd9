#include "temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *test_folder_make(void)
{
    const char *parent = getenv("TMPDIR");
    char *folder = NULL;
    assert_true(asprintf(&folder, "%s/tubelet-test-XXXXXX", parent && *parent ? parent : "/tmp") > 0);
    assert_non_null(mkdtemp(folder));
    return folder;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

void test_folder_remove(char *folder)
{
    if (folder)
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

const char *test_path(const char *folder, const char *name)
{
    static char paths[8][1024];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    assert_true(snprintf(path, sizeof paths[0], "%s/%s", folder, name) < (int)sizeof paths[0]);
    return path;
}

void test_write_file(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

char *test_read_file(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long size = ftell(f);
    rewind(f);
    char *data = calloc((size_t)size + 1, 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, f), size);
    fclose(f);
    if (bytes)
        *bytes = (size_t)size;
    return data;
}

int test_count_files(const char *folder, const char *tail)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    int count = 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        size_t length = strlen(e->d_name), tail_length = strlen(tail);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && length >= tail_length &&
            strcmp(e->d_name + length - tail_length, tail) == 0)
            count++;
    }
    closedir(d);
    return count;
}
