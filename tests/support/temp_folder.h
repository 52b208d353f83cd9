// A test's own folder, and small files in it.
#ifndef TEST_TEMP_FOLDER_H
#define TEST_TEMP_FOLDER_H

#include <stddef.h>

// Makes a new folder under $TMPDIR (or /tmp). Fails the test if it can't. The caller frees the name with free().
char *test_folder_make(void);
// Removes it and everything in it, and frees the name.
void test_folder_remove(char *folder);

// "folder/name", in one of eight static buffers that are used in turn.
const char *test_path(const char *folder, const char *name);
void test_write_file(const char *path, const void *data, size_t bytes);
// NUL-terminated; the caller frees it with free(); NULL if there is no such file.
char *test_read_file(const char *path, size_t *bytes);
// How many entries of the folder end with `tail` ("" for all; "." and ".." don't count).
int test_count_files(const char *folder, const char *tail);

#endif
