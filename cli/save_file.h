// Files that the command writes itself: a report, a plot.
#ifndef TUB_CLI_SAVE_FILE_H
#define TUB_CLI_SAVE_FILE_H

#include <stdio.h>

// `put` writes `what`; the file has its name when it is whole. Returns 0 or an exit code after a message.
int cli_save_file(const char *path, void (*put)(FILE *to, const void *what), const void *what);

#endif
