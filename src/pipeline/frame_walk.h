// A frame walk: one pass over a video that puts the wanted frames into slots and says which windows they make.
//
// Each frame is decoded once and, if a window wants it, converted once. With resampling in time, whether a frame is
// used is known only when the next one has come, but only the current frame can be converted. So every candidate is
// converted, into one slot that the next candidate overwrites if nothing wanted the first. The source leaves out frames
// that it knows to be useless: tub_walk_tell_wants().
//
// Runs in the calling thread; the walk's slot pool may make it wait.
#ifndef TUB_FRAME_WALK_H
#define TUB_FRAME_WALK_H

#include <stdbool.h>
#include <stdint.h>
#include <tubelet/trace.h>

#include "slot_pool.h"
#include "source.h"
#include "windower.h"

// Who takes what the walk finds. Each returns false to stop.
typedef struct tub_walk_sink {
    // A window is complete: clip_length slots, held by the walk during the call. NULL: the sink takes frames instead.
    bool (*window)(void *user, int64_t row, const int *slots);
    // A source frame that stands for output frames first .. first + count - 1, some of which are wanted. The callee
    // gets one count on the slot. `last`: as with TUB_ENTRY_LAST.
    bool (*frame)(void *user, int slot, int64_t first, int64_t count, bool last);
    // After each decoded frame. May be NULL.
    bool (*step)(void *user);
    // Puts the source's current frame into a slot by other means than the source's convert(). TUB_END: use convert().
    // May be NULL.
    tub_status (*make)(void *user, int slot, tub_error *err);
    // Before and after a possible wait for a slot. May be NULL.
    void (*waits)(void *user);
    void (*waited)(void *user, double seconds);
} tub_walk_sink;

typedef struct tub_walk {
    const tub_source_ops *ops;
    void *source;                       // open
    const tub_sampling *sampling;       // resolved
    tub_slot_pool *pool;
    const tub_walk_sink *sink;
    void *user;
    tub_lane *lane;                     // of the calling thread, or NULL
    int64_t frames;                     // out: output frames, that is, after resampling
    double convert_cpu;                 // out: seconds of processor time that conversions have taken so far
    // the walk's own
    tub_windower *windower;
    int64_t *handles;
    int *slots;
    int candidate, previous;            // slots with a count, or -1: the candidate's (see above), and that of the last
                                        // output frame decided
} tub_walk;

// Sets in a source's params which frames a walk may want, unless it wants all. With resampling in time, these are the
// frames that stand for any output frame, wanted or not. `sampling` must outlive the source.
void tub_walk_tell_wants(const tub_sampling *sampling, tub_video_params *params);

// The caller fills in the first block of `walk` and zeroes the rest. TUB_END: the sink or the pool said stop. Errors:
// the source's; TUB_ERROR_VIDEO (no frame, senseless timestamps), TUB_ERROR_MEMORY. No slot stays held.
tub_status tub_walk_run(tub_walk *walk, tub_error *err);

#endif
