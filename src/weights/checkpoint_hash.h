// What identifies a checkpoint: its hash, and its stamp, which can be computed without reading the files.
#ifndef TUB_CHECKPOINT_HASH_H
#define TUB_CHECKPOINT_HASH_H

#include <pthread.h>
#include <stdbool.h>

#include "checkpoint_folder.h"
#include "hash.h"

// XXH3-128 over config.json, if there is one, and every weight file, in name order. Reads the files once.
tub_status tub_checkpoint_hash(const tub_checkpoint *c, char out[TUB_HASH_TEXT], tub_error *err);

// XXH3-128 over size, inode and times of the same files: as long as the stamp is the same, so is the hash. "" if the
// files are so new (two seconds) that a change may not show in their times.
void tub_checkpoint_stamp(const tub_checkpoint *c, char out[TUB_HASH_TEXT]);

// Computes the hash in a thread of its own. All zero: not started.
typedef struct tub_hash_job {
    const tub_checkpoint *checkpoint;
    pthread_t thread;
    bool running;
    char text[TUB_HASH_TEXT];
    tub_status status;
    tub_error error;
} tub_hash_job;

// `job` must stay where it is, and the checkpoint open, until the end.
void tub_hash_job_start(tub_hash_job *job, const tub_checkpoint *c);
// Waits for the job. Accepts one that wasn't started, whose text is "", and one that has ended.
tub_status tub_hash_job_end(tub_hash_job *job, tub_error *err);

#endif
