// Where a plain bilinear resize reads a row of YUV with half the chroma columns: two neighboring pixels for each
// output, taken together from four bytes of luma and four of each chroma plane. Nothing beyond the row is read.
#ifndef TUB_PIXEL_PAIRS_H
#define TUB_PIXEL_PAIRS_H

#include "pixel_axis.h"

enum { TUB_PAIRS_COLUMNS = 8 }; // the fewest columns that pairs can be read from

// The four bytes begin at `at`. `pick` is a byte shuffle within 128 bits that turns them into the two pixels as 16-bit
// numbers, the first one low.
typedef struct tub_pairs {
    int kept, padded;
    int32_t *luma_at, *chroma_at;      // [padded]
    uint32_t *luma_pick, *chroma_pick; // [padded]
    const int *first;                  // [padded], the axis's
    const float *weights;              // [2, padded], the axis's
} tub_pairs;

// `axis` has two taps and at least TUB_PAIRS_COLUMNS inputs; it must outlive the pairs.
// Errors: TUB_ERROR_MEMORY. A failed init needs no finish.
tub_status tub_pairs_init(tub_pairs *pairs, const tub_axis *axis, tub_error *err);
void tub_pairs_finish(tub_pairs *pairs);

#endif
