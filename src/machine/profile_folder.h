// Where profiles of tuned settings lie.
#ifndef TUB_PROFILE_FOLDER_H
#define TUB_PROFILE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

// Files are named <that many digits of the machine's hash>-<as many of the model's>.json.
enum { TUB_PROFILE_PREFIX = 16 };

// $XDG_CACHE_HOME/tubelet/profiles, or ~/.cache/tubelet/profiles. False where neither variable is set.
bool tub_profile_folder(char *out, size_t size);

#endif
