// The folder with profiles of tuned settings, and the build that they belong to.
#ifndef TUB_PROFILE_FOLDER_H
#define TUB_PROFILE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

// Files are named MACHINE-MODEL.json: the first TUB_PROFILE_PREFIX digits of the machine's hash and of the model's.
enum { TUB_PROFILE_PREFIX = 16, TUB_PROFILE_BUILD = 160 };

// $XDG_CACHE_HOME/tubelet/profiles, or ~/.cache/tubelet/profiles. False if neither variable is set.
bool tub_profile_folder(char *out, size_t size);

// What a profile was measured with: "0.1.0 3f09ac51b2d4, oneDNN 2.7.3". It differs if the build of our backends
// (tub_backends_identity()) or a library that they compute with differs.
void tub_profile_build(char out[TUB_PROFILE_BUILD]);

#endif
