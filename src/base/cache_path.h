// The folder for what was measured on this machine.
#ifndef TUB_CACHE_PATH_H
#define TUB_CACHE_PATH_H

#include <stdbool.h>
#include <stddef.h>

// "$XDG_CACHE_HOME/tubelet/NAME", or "~/.cache/tubelet/NAME"; the caller frees it with tub_free(). NULL if neither
// variable has an absolute path, or out of memory. Creates nothing.
char *tub_cache_path(const char *name);
// Writes `data` as the whole file, atomically (atomic_file.h), and makes its folder. False: it can't be written.
bool tub_cache_save(const char *path, const void *data, size_t bytes);

#endif
