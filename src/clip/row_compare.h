// Rows of features, compared: one by one, and along time.
#ifndef TUB_ROW_COMPARE_H
#define TUB_ROW_COMPARE_H

#include <stdint.h>

// A video's rows, and where they stand: row i at frame i * stride + offset.
typedef struct tub_row_track {
    const float *values;        // [rows, dim]
    int64_t rows, dim;
    double stride, offset;
} tub_row_track;

typedef struct tub_row_sums {
    int64_t rows;               // that stand at the same frame in both
    int64_t equal;              // of them, to the bit
    double cosine, least;       // sum over them, and the least (1 without any)
    double largest;             // difference of two values
    double difference, size;    // sums of squares: of b - a, of a
} tub_row_sums;

// Rows of `b` with those of `a` that stand at the same frame. Both have the same dim.
void tub_rows_compare(const tub_row_track *a, const tub_row_track *b, tub_row_sums *out);

// How much `b` is like `a` when its rows are moved `lag` frames later: the mean cosine of its rows and of `a` between
// its rows, from the means of what is compared on. *rows: how many could be compared, at most `most`, spread over all;
// fewer than a quarter of them count as none (0), as does a single one, which is its own mean. `scratch`: [2 + n, dim], n
// rows being looked at: `most`, or as many as `b` has.
double tub_rows_alike(const tub_row_track *a, const tub_row_track *b, float *scratch, double lag, int64_t most,
                      int64_t *rows);

#endif
