// An output folder, looked through once: the files of records in it, and whether runs that died left anything.
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
    bool temporaries;                   // there are files that appear not to have been finished
} tub_out_listing;

// No folder, nothing in it. Errors: TUB_ERROR_MEMORY, TUB_ERROR_OUTPUT: it can't be listed. To be finished in every case.
tub_status tub_out_listing_read(const char *folder, tub_out_listing *out, tub_error *err);
void tub_out_listing_finish(tub_out_listing *listing);

#endif
