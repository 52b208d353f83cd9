// How many items at once fitted into a GPU's memory, from one run to the next.
//
// A wave that was halved in the middle of a run would be halved in the next one too, at the same cost. So what was come
// to is kept, with how much memory was free when the backend was opened: where no more is free now, the next executable
// of the same program begins with it; where there is more (another program has gone), it begins as usual.
// $XDG_CACHE_HOME (or ~/.cache) /tubelet/gpu-fits.txt, a line a program, card and limit.
//
// Without tuning (TUB_GPU_WITHOUT_TUNING) nothing is read or written. A file that can't be costs speed only.
//
// Thread-safety: one thread at a time per executable; several processes may share the file, the last one wins.
#ifndef TUB_GPU_FITS_H
#define TUB_GPU_FITS_H

#include "gpu_executable.h"

// At most this many items at once, by earlier runs; INT_MAX: nothing is known.
int tub_gpu_fits_known(const tub_executable *e);
// e->wave is what fits.
void tub_gpu_fits_keep(const tub_executable *e);

#endif
