// The cache of packed weights for one compilation: a backend's store. It also saves reading the checkpoint to compute
// its hash.
#ifndef TUB_NATIVE_WEIGHTS_H
#define TUB_NATIVE_WEIGHTS_H

#include "native_encoder.h"
#include "weight_cache.h"

typedef struct tub_native_weights {
    tub_weight_store store;
    tub_weight_cache *cache; // NULL: there is none
    tub_native_opening *opening;
} tub_native_weights;

// Opens the cache if the opening's params ask for it and its backend supports it. Everything is borrowed until the
// encoder is open; `w` must stay where it is. The opening has been prepared; its hash may be computed after the
// compilation.
void tub_native_weights_open(tub_native_weights *w, tub_native_opening *opening, const tub_encoder_info *info,
                             tub_dtype dtype, tub_team *team);
const tub_weight_store *tub_native_weights_store(const tub_native_weights *w); // NULL: there is none
// The encoder is open: from now on, what was packed is written in the background.
void tub_native_weights_write(tub_native_weights *w, const char *hash);
// Call this before the executable is released. `hurry`: what isn't written yet is dropped.
void tub_native_weights_close(tub_native_weights *w, bool hurry);

#endif
