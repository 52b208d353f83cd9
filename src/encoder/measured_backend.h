// Which of the processor's backends is faster here: measured once, then remembered.
//
// A transformer block of a small model is run on 196 tokens, a few times with each backend in turns. The answer is kept
// in tubelet/backends.json under $XDG_CACHE_HOME (or ~/.cache). Its key is the processor, its instruction set, the
// type, the build of our backends (tub_backends_identity()) and the versions of third-party libraries. The number of
// threads isn't part of the key, as no result may depend on it. The first candidate stays unless another is clearly
// faster, so that noise doesn't decide. If nothing can be remembered, nothing is measured either.
//
// Thread-safety: safe. If several threads and processes start at once, one measures and the others take its answer.
#ifndef TUB_MEASURED_BACKEND_H
#define TUB_MEASURED_BACKEND_H

#include "backend.h"

enum { TUB_CANDIDATES = 4 };

typedef struct tub_candidates {
    const tub_backend_ops *backends[TUB_CANDIDATES];    // the preferred one first
    int count;
    tub_dtype dtype;                                    // supported by all of them
} tub_candidates;

// `measure`: if nothing is remembered, measure; else the first is taken. `log` gets a line about a measurement, and
// about a choice that isn't the first. Never fails: if something can't be measured or read, the first is taken.
const tub_backend_ops *tub_measured_backend(const tub_candidates *candidates, bool measure, const tub_log *log);

#endif
