// Files that the command writes itself: a report, a plot.
#ifndef TUB_CLI_SAVE_FILE_H
#define TUB_CLI_SAVE_FILE_H

#include <stdbool.h>
#include <stdio.h>

// Whether `path` is a folder, a device or a pipe, which a file that is renamed to it would replace.
bool cli_is_no_file(const char *path);

// `put` writes `what`; the file gets its name when it is whole. Returns 0, or an exit code after a message.
int cli_save_file(const char *path, void (*put)(FILE *to, const void *what), const void *what);

#endif
