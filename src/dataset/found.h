// What earlier runs left in an output folder. A thread of its own reads it while the videos are listed.
#ifndef TUB_FOUND_H
#define TUB_FOUND_H

#include <pthread.h>
#include <stdatomic.h>

#include "out_listing.h"
#include "records.h"

typedef struct tub_found {
    tub_out_listing listing;
    tub_records manifests, failures;
    // used until tub_found_end()
    const char *folder;
    pthread_t thread;
    bool running;
    atomic_bool is_read;
    tub_status status;
    tub_error error;
} tub_found;    // all zero: nothing was looked for

// `found` must stay where it is, and `folder` as it is, until the end. A folder that doesn't exist is like an empty
// one.
void tub_found_start(tub_found *found, const char *folder);
// True: tub_found_end() won't have to wait.
bool tub_found_is_read(const tub_found *found);
// Waits for the thread; call it once. Errors: TUB_ERROR_OUTPUT (a file can't be read), TUB_ERROR_MEMORY.
tub_status tub_found_end(tub_found *found, tub_error *err);
void tub_found_finish(tub_found *found);

#endif
