// Counts a video's frames by decoding all of it: containers are often wrong, and a frame's place in its video must be
// known before the first window is encoded.
#ifndef TUB_FRAME_COUNT_H
#define TUB_FRAME_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "source.h"

// Counts output frames, that is, frames after resampling in time: as many as a walk over the same source counts.
// `source` is open, and at its end afterwards. `step` is called after each frame, and returns false to stop; may be
// NULL. TUB_END: stopped. Errors: the source's.
tub_status tub_frames_count(const tub_source_ops *ops, void *source, double fps, bool (*step)(void *user), void *user,
                            int64_t *frames, tub_error *err);

#endif
