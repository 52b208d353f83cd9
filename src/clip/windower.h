// The windower: which frames are wanted, which window is complete, which frames are no longer needed.
//
// A state machine over frames 0, 1, 2, .. (after fps resampling). It knows a frame by its index and by a handle from
// the caller (a slot, a row of a ring). It hands handles back and never looks at them. The number of frames needn't be
// known before the end.
//
//   push(k, handle) for wanted frames in order, skip(k) for the others; after each: while (next(&window)) ..; then
//   while (release(&handle)) ..; at the end finish(n, handle of the last frame), then the same two loops.
//
// The windower holds each pushed handle until no later window can need it, then gives it back through release() exactly
// once. A frame that stands for several indices (resampling) may be pushed several times under the same handle; each
// push is released once.
//
// Thread-safety: one thread at a time per object. No I/O, no threads.
#ifndef TUB_WINDOWER_H
#define TUB_WINDOWER_H

#include <stdbool.h>
#include <stdint.h>
#include <tubelet/sampling.h>

typedef struct tub_windower tub_windower;

// `s` is resolved. NULL on failure.
tub_windower *tub_windower_create(const tub_sampling *s);
void tub_windower_destroy(
    tub_windower **w); // accepts NULL; handles not released yet are the caller's to find: see held

// Whether a window may need frame k, however long the video turns out to be. (The video's last frame, which any mode
// may repeat, is asked for by finish().)
bool tub_windower_wants(const tub_windower *w, int64_t k);

// The same before there is a windower. leaves_out(): whether it is false for some frame.
bool tub_sampling_wants(const tub_sampling *s, int64_t k);
bool tub_sampling_leaves_out(const tub_sampling *s);

// Frame k has come. Over push and skip together, k goes up without gaps. False: out of memory.
bool tub_windower_push(tub_windower *w, int64_t k, int64_t handle);
void tub_windower_skip(tub_windower *w, int64_t k);

// Whether the last frame, n-1, must be handed to finish() even though it wasn't pushed.
bool tub_windower_needs_last(const tub_windower *w, int64_t n);
// There are n frames in all. `last`: the handle of frame n-1, if needs_last() said so (held and released like others).
bool tub_windower_finish(tub_windower *w, int64_t n, int64_t last);

// The next complete window, in order: clip_length handles into `handles`, its number into *row. False: none yet.
bool tub_windower_next(tub_windower *w, int64_t *row, int64_t *handles);
// A handle that no further window needs. False: none. Call after next() is exhausted.
bool tub_windower_release(tub_windower *w, int64_t *handle);
// Gives back every handle still held (abandoning a video). False: none left.
bool tub_windower_drop(tub_windower *w, int64_t *handle);

// Most pushes held at any time, between the calls above: the slots that one video pins.
int64_t tub_windower_most_held(const tub_sampling *s);

#endif
