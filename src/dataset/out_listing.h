// Looks through an output folder once: which files of records it has, and whether runs that died left anything.
#ifndef TUB_OUT_LISTING_H
#define TUB_OUT_LISTING_H

#include <stdbool.h>
#include <tubelet/status.h>

#include "memory.h"

typedef struct tub_paths {
    char **items;
    size_t count, capacity;
} tub_paths;

// Paths are in the order of their bytes.
typedef struct tub_out_listing {
    tub_paths manifests, failures;      // FOLDER/manifest.jsonl and manifest.<anything>.jsonl, likewise failures
    bool temporaries;                   // there are files that seem unfinished
} tub_out_listing;

// A folder that doesn't exist is like an empty one. Finish the listing in every case. Errors: TUB_ERROR_MEMORY,
// TUB_ERROR_OUTPUT (the folder can't be listed).
tub_status tub_out_listing_read(const char *folder, tub_out_listing *out, tub_error *err);
void tub_out_listing_finish(tub_out_listing *listing);

#endif
