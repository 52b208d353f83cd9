// Which values are worth trying on a machine: the tuning guide's ranges, cut to what makes sense there.
#ifndef TUB_TUNE_RANGES_H
#define TUB_TUNE_RANGES_H

#include <tubelet/encoder.h>

enum { TUB_RANGE_MOST = 10 };

typedef struct tub_range {
    int values[TUB_RANGE_MOST];
    int count;
    char note[200]; // the range, and why it is this one, in one line
} tub_range;

// `workspace`: bytes that one item of a batch needs. `memory`: what the process may use. `whole`: the guide's whole
// range, although this machine most likely gains nothing from it.
void tub_range_of_batch(const tub_encoder_info *info, size_t workspace, size_t memory, bool whole, tub_range *out);
void tub_range_of_decode_threads(int processors, bool whole, tub_range *out);
void tub_range_of_prefetch(tub_range *out);

// Puts the values nearest to `now` (by ratio) first.
void tub_range_sort(tub_range *range, int now);

#endif
