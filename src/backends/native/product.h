// Our own matrix products: blocks of rows times packed panels of columns, at each instruction-set level.
//
// C [rows, cols] (+)= A [rows, k] B [k, cols], in float32. An element is the sum over k in order, from 0 on, whatever
// block it is computed in. So the division into blocks, units and threads doesn't affect the result.
//
//   A   at most `rows` rows. Element (r, i) is at r * a_row + i / span * a_group + i % span elements. If the level
//       wants it (`packs_a`), pack_a() brings rows into the form that it reads best.
//   B   a panel of `cols` columns: [k / group][cols][group] elements, k padded with zeros to a multiple of `depth`,
//       columns to `cols`. A panel from element k on begins k * cols elements further (k a multiple of 32).
//   C   rows `c_row` floats apart, with space for `rows` rows even if fewer are asked for.
//
// A block may be multiplied with several panels, one after another. Their columns are then side by side in C.
//
// Narrow elements are float32, bfloat16 or int8. With int8 the sums are int32 and exact, and so the same at all levels;
// C then contains integers. If the instruction takes A's elements as unsigned, they come with `a_shift` added, and a
// sum is too large by a_shift times the sum of B's column.
//
// Errors: none. Thread-safety: everything is safe; one thread runs what is between enter() and leave().
#ifndef TUB_PRODUCT_H
#define TUB_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/encoder.h>

enum { TUB_PRODUCT_SPAN = 32 };     // `span` of floats

typedef struct tub_product_block {
    const void *a, *b;
    size_t a_row, a_group;          // bytes
    int rows, k;
    float *c;
    size_t c_row;                   // floats
    bool add;                       // to what is in C
    int panels;                     // at least 1
    size_t b_panel;                 // bytes from a panel to the next
    const char *next;               // what will be read next; it is prefetched, `next_lines` lines of 64 bytes per span
    int next_lines;                 // of k; NULL: nothing
} tub_product_block;

typedef struct tub_product {
    const char *name;               // of the instructions
    int rows, cols;                 // of a block
    int group, depth;
    int span;                       // contiguous elements of a row in A
    int a_shift;                    // 0 except for some int8 products
    int k_block;                    // best part of k to do at once: B's part then stays in the first-level cache
    size_t element;                 // bytes of a narrow element
    bool packs_a;
    // Set up and release the state of instructions that have one.
    void (*enter)(void);
    void (*leave)(void);
    void (*multiply)(const tub_product_block *block);
    // If packs_a: packs the whole spans of a block of `rows` rows; the caller fills the rest.
    void (*pack_spans)(const void *from, size_t row_bytes, int rows, int spans, void *out);
    // Runs the densest possible loop `turns` times, only on registers; returns the number of operations.
    double (*roof)(long turns);
} tub_product;

// The best table for a compute type at the level in use; NULL if there is none. For attention another may be better.
const tub_product *tub_product_for(tub_dtype dtype);
const tub_product *tub_product_for_attention(tub_dtype dtype);

// A packed block of A: its strides, and the bytes of a whole block.
typedef struct tub_product_packing {
    size_t row, group, bytes;
} tub_product_packing;
tub_product_packing tub_product_packing_of(const tub_product *p, int k);
// `from`: `rows` rows of k narrow elements, row_bytes apart. Everything that the level may read is written, also zeros.
// `g`: for this k, or for a longer one whose last part this is.
void tub_product_pack_a(const tub_product *p, const tub_product_packing *g, const void *from, size_t row_bytes,
                        int rows, int k, void *out);

int tub_product_depth(const tub_product *p, int k);                 // k padded
size_t tub_product_panel_bytes(const tub_product *p, int k);
// Pack a panel of B: B[i][j] = from[j * stride + i] (weights, keys), or from[i * stride + j] (values), at most `cols`
// columns. `from`: narrow, strides in elements.
void tub_product_pack_across(const tub_product *p, const void *from, size_t stride, int k, int cols, void *out);
void tub_product_pack_down(const tub_product *p, const void *from, size_t stride, int k, int cols, void *out);

extern const tub_product tub_product_portable;
#if defined(__x86_64__)
extern const tub_product tub_product_avx2;
extern const tub_product tub_product_avx512;
extern const tub_product tub_product_tall_avx512;
extern const tub_product tub_product_avx512bf16;
extern const tub_product tub_product_amx;
extern const tub_product tub_product_int8_vnni;
extern const tub_product tub_product_int8_amx;
#elif defined(__aarch64__)
extern const tub_product tub_product_neon;
#endif

#endif
