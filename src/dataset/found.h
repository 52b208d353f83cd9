// What an output folder holds of earlier runs. It is read by a thread of its own, while the videos are listed.
#ifndef TUB_FOUND_H
#define TUB_FOUND_H

#include <pthread.h>
#include <stdatomic.h>

#include "out_listing.h"
#include "records.h"

typedef struct tub_found {
    tub_out_listing listing;
    tub_records manifests, failures;
    // until the end
    const char *folder;
    pthread_t thread;
    bool running;
    atomic_bool is_read;
    tub_status status;
    tub_error error;
} tub_found;    // all zero: nothing was looked for

// `found` stays where it is, `folder` as it is, until the end. No folder, nothing in it.
void tub_found_start(tub_found *found, const char *folder);
// Whether tub_found_end() won't wait.
bool tub_found_is_read(const tub_found *found);
// Waits; once. Errors: TUB_ERROR_OUTPUT (a file can't be read), TUB_ERROR_MEMORY.
tub_status tub_found_end(tub_found *found, tub_error *err);
void tub_found_finish(tub_found *found);

#endif
