// Which of the processor's backends is faster here: measured once, then remembered.
//
// What is measured is a transformer block of a small model on 196 tokens, a few times with each backend in turns. The
// answer is kept in $XDG_CACHE_HOME (or ~/.cache) /tubelet/backends.json under the processor, its instruction set, the
// type, the build of our backends (tub_backends_identity()) and the versions of others' libraries: not under the
// threads, on which no result may depend. The first of the candidates stays unless another is clearly faster, so that
// noise doesn't choose; where nothing can be remembered, nothing is measured either.
//
// Thread-safety: safe; of several threads and processes that start at once one measures, and the others take its answer.
#ifndef TUB_MEASURED_BACKEND_H
#define TUB_MEASURED_BACKEND_H

#include "backend.h"

enum { TUB_CANDIDATES = 4 };

typedef struct tub_candidates {
    const tub_backend_ops *backends[TUB_CANDIDATES];    // the preferred one first
    int count;
    tub_dtype dtype;                                    // which all of them support
} tub_candidates;

// `measure`: where nothing is remembered; else the first. `log`: told of a measurement and of a choice that isn't the
// first. Never fails: what can't be measured or read leaves the first.
const tub_backend_ops *tub_measured_backend(const tub_candidates *candidates, bool measure, const tub_log *log);

#endif
