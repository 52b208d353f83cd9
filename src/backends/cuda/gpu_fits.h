// Remembers from one run to the next how many items at once fitted into a GPU's memory.
//
// A wave that was halved in the middle of a run would be halved again in the next run, at the same cost. So the result
// is kept, together with how much memory was free when the backend was opened. If no more is free now, the next
// executable of the same program begins with that wave; if more is free (another program has ended), it begins as
// usual. The file is tubelet/gpu-fits.txt under $XDG_CACHE_HOME (or ~/.cache), with one line per program, card and
// limit.
//
// Without tuning (TUB_GPU_WITHOUT_TUNING) nothing is read or written. A file that can't be read or written only costs
// speed.
//
// Thread-safety: one thread at a time per executable; several processes may share the file, the last one wins.
#ifndef TUB_GPU_FITS_H
#define TUB_GPU_FITS_H

#include "gpu_executable.h"

// The most items at once according to earlier runs; INT_MAX: unknown.
int tub_gpu_fits_known(const tub_executable *e);
// Keeps e->wave as what fits.
void tub_gpu_fits_keep(const tub_executable *e);

#endif
