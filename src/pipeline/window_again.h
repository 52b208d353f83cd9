// What windows would cost without the extractor's optimizations (tub_extractor_params.without): for every window, the
// frames that it shares with earlier ones are decoded and converted again, and the worker is told to encode them again.
//
// The counts are those of a program that handles every window by itself. Together with the work that the worker does
// anyway, a window's frames are decoded from the key frame before them, and each is converted and encoded for the
// window.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_WINDOW_AGAIN_H
#define TUB_WINDOW_AGAIN_H

#include <stdint.h>
#include <tubelet/extractor.h>

#include "source.h"

typedef struct tub_window_again tub_window_again;

// Whether `without` asks for any of this, and whether it is possible with this sampling (TUB_ERROR_ARGUMENT).
bool tub_again_is_asked(unsigned without);
tub_status tub_again_check(unsigned without, const tub_sampling *sampling, tub_error *err);

// `sampling` is resolved and borrowed, as are `ops` and `source`.
tub_status tub_again_open(unsigned without, const tub_sampling *sampling, const tub_source_ops *ops, void *source,
                          const char *path, int stream, tub_window_again **out, tub_error *err);
void tub_again_close(tub_window_again **again); // accepts NULL

// Call this after each frame of the source. *encodes: frames to encode once more.
tub_status tub_again_frame(tub_window_again *again, int *encodes, tub_error *err);

#endif
