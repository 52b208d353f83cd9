// The feature files in a folder and its subfolders, whichever program wrote them.
#ifndef TUB_FEATURE_LISTING_H
#define TUB_FEATURE_LISTING_H

#include <tubelet/status.h>

#include "memory.h"
#include "stem_map.h"

typedef struct tub_feature_listing {
    tub_arena arena;
    const char **files;         // relative to the folder, with their extensions, in the order of their bytes
    size_t count, capacity;
    tub_stem_map map;
} tub_feature_listing;

// Hidden files and folders are left out, and everything deeper than four folders. A folder that doesn't exist has no
// files. Finish the listing in every case. Errors: TUB_ERROR_MEMORY, TUB_ERROR_OUTPUT (one of the folders can't be
// listed).
tub_status tub_feature_listing_read(const char *folder, tub_feature_listing *out, tub_error *err);
void tub_feature_listing_finish(tub_feature_listing *listing);

#endif
