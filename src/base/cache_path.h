// Where what was measured on this machine is kept.
#ifndef TUB_CACHE_PATH_H
#define TUB_CACHE_PATH_H

#include <stdbool.h>
#include <stddef.h>

// "$XDG_CACHE_HOME/tubelet/NAME", or "~/.cache/tubelet/NAME": the caller's, freed with tub_free(). NULL where neither
// variable holds an absolute path, or out of memory. Nothing is made.
char *tub_cache_path(const char *name);
// `data` as the whole file, atomically (atomic_file.h), in a folder that is made. False: it can't be written.
bool tub_cache_save(const char *path, const void *data, size_t bytes);

#endif
