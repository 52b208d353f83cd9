// Names of temporary files: ".<name>.<host>.<pid>.<n>.tmp" beside the file that they become. In a container with its
// own process numbers, <host>+<number> replaces <host>.
#ifndef TUB_TEMP_NAME_H
#define TUB_TEMP_NAME_H

#include <stdbool.h>
#include <time.h>

// All of these are freed with tub_free(); NULL: out of memory.
char *tub_temp_name(const char *path, int n);   // a long <name> is truncated to what file systems allow
char *tub_folder_of(const char *path);          // "." if the path names none

// Whether a file with this name is a temporary one whose process is dead. `written`, `folder`: its time, and that of
// its folder.
bool tub_temp_is_stale(const char *name, time_t written, time_t folder);

#endif
