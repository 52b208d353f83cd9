// Where what was measured on this machine is kept.
#ifndef TUB_CACHE_PATH_H
#define TUB_CACHE_PATH_H

// "$XDG_CACHE_HOME/tubelet/NAME", or "~/.cache/tubelet/NAME": the caller's, freed with tub_free(). NULL where neither
// variable holds an absolute path, or out of memory. Nothing is made.
char *tub_cache_path(const char *name);

#endif
