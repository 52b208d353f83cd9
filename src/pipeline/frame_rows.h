// Rows of a frame model: turns embeddings of single frames into means over windows.
//
// Embeddings arrive in the order of the frames. They stay in a ring as long as a window may need them, which a second
// windower keeps track of.
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

// Takes a row. False: stop.
typedef bool (*tub_take_row)(void *user, int64_t row, const float *values);

// Adds the embedding of a source frame that stands for output frames first .. first + count - 1. No window wants the
// frames before `first` that weren't added. `last`: output frame `first` is the video's last, and only the video's end
// needs it. Errors: TUB_ERROR_MEMORY. TUB_END: `take` said stop.
tub_status tub_frame_rows_add(tub_frame_rows *f, const float *embedding, int64_t first, int64_t count, bool last,
                              tub_take_row take, void *user, tub_error *err);
// The video has ended with `frames` output frames: gives the remaining rows.
tub_status tub_frame_rows_finish(tub_frame_rows *f, int64_t frames, tub_take_row take, void *user, tub_error *err);

#endif
