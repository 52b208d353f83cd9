// Our own kernels other than matrix products: everything that is done to a row.
//
// One template (kernels_template.h) is compiled for each instruction-set level. A kernel's result for a row depends
// only on that row. NARROW elements are float32, or bfloat16 in the avx512_bf16 table.
#ifndef TUB_KERNELS_H
#define TUB_KERNELS_H

#include <stdint.h>

#include "cpu.h"
#include "program.h"

// What follows a matrix product: act(x + bias) * scale + residual. A missing part is NULL.
typedef struct tub_epilogue {
    const float *bias, *scale, *residual;
    tub_activation activation;
} tub_epilogue;

// For integer sums: a sum stands for (sum - offset) * the scale of its row * that of its column.
typedef struct tub_integer_sums {
    const float *rows, *columns;    // scales; columns NULL: the sums are floats
    const int32_t *offsets;         // of columns; NULL: 0
} tub_integer_sums;

typedef struct tub_finish_block {
    const float *x;
    size_t x_stride, residual_stride, out_stride;
    int rows, cols;
    tub_epilogue epilogue;
    tub_integer_sums integers;
    void *out;
    bool wide;
} tub_finish_block;

// Converts a row to int8: x * factor, rounded to the nearest, plus `shift`; zeros after `count`.
typedef struct tub_int8_row {
    const void *x;          // narrow
    int count, padded;      // padded: a multiple of 4
    float factor;
    int shift;              // 0, or 128 for unsigned bytes
    void *out;
    int span;               // contiguous bytes of the row, a multiple of 16
    size_t out_span;        // bytes from one span to the next
} tub_int8_row;

// Scores of some queries for the keys of a chunk. `greatest` and `sum` continue from the chunks before.
typedef struct tub_softmax_block {
    const float *scores;
    size_t score_row;       // floats
    int rows, count;
    int padded;             // weights written per row, with zeros after the last: a multiple of 32
    float factor;           // scale * log2(e)
    float *greatest, *sum;  // [rows]
    float *again;           // [rows]: factor for the results of the chunks before, mostly 1
    void *out;              // narrow; spans of 32 elements, `out_span` bytes apart
    size_t out_row, out_span;
} tub_softmax_block;

typedef struct tub_norm_params {
    const float *weight, *bias; // bias may be NULL
    double eps;
    tub_norm kind;
} tub_norm_params;

// A few queries and a few keys: [queries, dim], [keys, dim]. Strides: elements from row to row.
typedef struct tub_attend {
    int queries, keys, dim;
    size_t q_stride, k_stride, v_stride, out_stride;
    float scale;
} tub_attend;

typedef struct tub_angles {
    const float *cosine, *sine; // [dim] of this row
    int heads, dim;
    tub_pairing pairing;
} tub_angles;

typedef struct tub_kernels {
    size_t narrow_bytes;
    // x: `count` sums. The residual may be `out`.
    void (*finish_wide)(const float *x, const tub_epilogue *epilogue, float *out, int count);
    void (*finish_narrow)(const float *x, const tub_epilogue *epilogue, void *out, int count);
    // The same for a block of a product. Strides are in elements; bias and scale are those of the block's columns.
    void (*finish_block)(const tub_finish_block *block);
    void (*norm_wide)(const float *x, const tub_norm_params *params, float *out, int count);
    void (*norm_narrow)(const float *x, const tub_norm_params *params, void *out, int count);
    // out = exp(scale * (score - greatest)), narrow; returns 1 / sum. `out` may begin at or before `scores`.
    float (*softmax)(const float *scores, float scale, void *out, int count);
    // out = exp(scale * (score - greatest so far))
    void (*softmax_block)(const tub_softmax_block *block);
    // softmax(q kT * scale) v, all narrow; `scores`: space for a row of scores.
    void (*attend)(const tub_attend *a, const void *q, const void *k, const void *v, void *out, float *scores);
    void (*gate)(const void *x, tub_activation activation, void *out, int count);   // x: 2 * count narrow
    void (*rotate)(const void *x, const tub_angles *angles, void *out);             // narrow; out may be x
    void (*multiply)(const float *x, float factor, void *out, int count);           // narrow out
    void (*scale)(float *x, float factor, int count);
    void (*add)(const float *a, const float *b, float *out, int count);             // out may be a
    void (*narrow)(const float *x, void *out, int count);
    // Pieces of a line, which are contiguous in x and `out_stride` narrow elements apart in out.
    void (*narrow_pieces)(const float *x, int pieces, int count, void *out, size_t out_stride);
    void (*widen)(const void *x, float *out, int count);
    // For int8 products; NULL if there are none. peak: the greatest magnitude of narrow x.
    float (*peak)(const void *x, int count);
    void (*int8_row)(const tub_int8_row *row);
} tub_kernels;

// The table for a compute type at the level in use. BF16 needs TUB_ISA_AVX512_BF16.
const tub_kernels *tub_kernels_for(tub_dtype dtype);

extern const tub_kernels tub_kernels_portable;
#if defined(__x86_64__)
extern const tub_kernels tub_kernels_avx2;
extern const tub_kernels tub_kernels_avx512;
extern const tub_kernels tub_kernels_avx512bf16;
#elif defined(__aarch64__)
extern const tub_kernels tub_kernels_neon;
#endif

#endif
