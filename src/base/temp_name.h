// Names of temporary files: ".<name>.<host>.<pid>.<n>.tmp" beside the file that they become; <host>+<number> in a
// container with process numbers of its own.
#ifndef TUB_TEMP_NAME_H
#define TUB_TEMP_NAME_H

#include <stdbool.h>
#include <time.h>

// All of these are freed with tub_free(); NULL: out of memory.
char *tub_temp_name(const char *path, int n);   // a long <name> is cut, so that the file system takes it
char *tub_folder_of(const char *path);          // "." where the path names none

// Whether a file of this name is a temporary one whose process is dead. `written`, `folder`: its time, and that of the
// folder that it is in.
bool tub_temp_is_stale(const char *name, time_t written, time_t folder);

#endif
