// Compares rows of features, one by one and shifted in time.
#ifndef TUB_ROW_COMPARE_H
#define TUB_ROW_COMPARE_H

#include <stdint.h>

// A video's rows and where they lie: row i at frame i * stride + offset.
typedef struct tub_row_track {
    const float *values;        // [rows, dim]
    int64_t rows, dim;
    double stride, offset;
} tub_row_track;

typedef struct tub_row_sums {
    int64_t rows;               // rows at the same frame in both
    int64_t equal;              // those of them that are equal to the bit
    double cosine, least;       // sum over them, and the least (1 if there are none)
    double largest;             // largest difference of two values
    double difference, size;    // sums of squares: of b - a, of a
} tub_row_sums;

// Compares rows of `b` with the rows of `a` at the same frames. Both have the same dim.
void tub_rows_compare(const tub_row_track *a, const tub_row_track *b, tub_row_sums *out);

// How similar `b` is to `a` if the rows of `b` are moved `lag` frames later: the mean cosine between rows of `b` and
// interpolated rows of `a`, each minus the mean of the rows that are compared. At most `most` rows are looked at,
// spread over all. *rows: how many could be compared; if these are fewer than a quarter, or a single one, which is its
// own mean, it is 0. `scratch`: [2 + n, dim], where n is `most`, or the number of rows of `b` if that is less.
double tub_rows_alike(const tub_row_track *a, const tub_row_track *b, float *scratch, double lag, int64_t most,
                      int64_t *rows);

#endif
