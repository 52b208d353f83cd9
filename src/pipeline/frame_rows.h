// Rows of a frame model: embeddings of single frames in, means over windows out.
//
// Embeddings arrive in the order of the frames and stay in a ring as long as a window may need them; a second windower
// knows how long that is.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_FRAME_ROWS_H
#define TUB_FRAME_ROWS_H

#include <stdbool.h>
#include <stdint.h>
#include <tubelet/sampling.h>

typedef struct tub_frame_rows tub_frame_rows;

// `s` is resolved. Errors: TUB_ERROR_MEMORY.
tub_status tub_frame_rows_open(const tub_sampling *s, int dim, tub_frame_rows **out, tub_error *err);
void tub_frame_rows_close(tub_frame_rows **f);      // accepts NULL

// Somebody for the rows. False: stop.
typedef bool (*tub_take_row)(void *user, int64_t row, const float *values);

// The embedding of a source frame that stands for output frames first .. first + count - 1; frames before `first` that
// weren't given are wanted by no window. `last`: output frame `first` ends the video and only its end asked for it.
// Errors: TUB_ERROR_MEMORY. TUB_END: `take` said stop.
tub_status tub_frame_rows_add(tub_frame_rows *f, const float *embedding, int64_t first, int64_t count, bool last,
                              tub_take_row take, void *user, tub_error *err);
// The video has `frames` output frames: what is left.
tub_status tub_frame_rows_finish(tub_frame_rows *f, int64_t frames, tub_take_row take, void *user, tub_error *err);

#endif
