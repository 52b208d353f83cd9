// How many frames a video has, by decoding all of it: containers are often wrong, and a frame's place in its video must
// be known before the first window is encoded.
#ifndef TUB_FRAME_COUNT_H
#define TUB_FRAME_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "source.h"

// Output frames, that is, after resampling in time; as many as a walk over the same source counts. `source`: open, at
// its end afterwards. `step`: after each frame, false stops; may be NULL. TUB_END: stopped. Errors: the source's.
tub_status tub_frames_count(const tub_source_ops *ops, void *source, double fps, bool (*step)(void *user), void *user,
                            int64_t *frames, tub_error *err);

#endif
