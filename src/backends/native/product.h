// Matrix products of our own: blocks of rows times packed panels of columns, at each instruction-set level.
//
// C [rows, cols] (+)= A [rows, k] B [k, cols], in float32. One element is the sum over k in order, from 0 on, whatever
// the block that it is computed in: so the cutting into blocks, units and threads doesn't show in the result.
//
//   A   `rows` rows at most. Element (r, i) lies at r * a_row + i / span * a_group + i % span elements. Where the level
//       wants it (`packs_a`), pack_a() brings rows into the form that it reads best.
//   B   a panel of `cols` columns: [k / group][cols][group] elements, k filled with zeros to a multiple of `depth`,
//       columns to `cols`. A panel from element k on begins k * cols elements further (k a multiple of 32).
//   C   rows `c_row` floats apart, with room for `rows` rows even where fewer are asked for.
//
// A block may be multiplied with several panels, one after the other, whose columns then lie beside each other in C.
//
// Narrow elements are float32, bfloat16 or int8. Of int8 the sums are int32, exact, and so the same at all levels: C then
// holds integers. Where the instruction takes A's elements without a sign, they are given with `a_shift` added, and a sum
// has a_shift times that of B's column too much.
//
// Errors: none. Thread-safety: all of it is safe; what stands between enter()
// and leave() is run by one thread.
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
    const char *next;               // what will be read after: brought nearer, `next_lines` lines of 64 bytes each
    int next_lines;                 // span of k; NULL: nothing
} tub_product_block;

typedef struct tub_product {
    const char *name;               // of the instructions
    int rows, cols;                 // of a block
    int group, depth;
    int span;                       // elements of a row that lie together in A
    int a_shift;                    // 0 but for some int8
    int k_block;                    // how much of k is best done at once: B's part then stays in the first cache
    size_t element;                 // bytes of a narrow element
    bool packs_a;
    // Instructions that have a state of their own are made ready, and put away.
    void (*enter)(void);
    void (*leave)(void);
    void (*multiply)(const tub_product_block *block);
    // Where packs_a: a block's whole spans of `rows` rows; the rest is filled by the caller.
    void (*pack_spans)(const void *from, size_t row_bytes, int rows, int spans, void *out);
    // `turns` times the densest loop that there is, on registers alone; returns the operations done.
    double (*roof)(long turns);
} tub_product;

// The best table for a compute type at the level in use; NULL where there is none. For attention another may be better.
const tub_product *tub_product_for(tub_dtype dtype);
const tub_product *tub_product_for_attention(tub_dtype dtype);

// A block of A as it is packed: its strides, and the bytes of a whole block.
typedef struct tub_product_packing {
    size_t row, group, bytes;
} tub_product_packing;
tub_product_packing tub_product_packing_of(const tub_product *p, int k);
// `from`: `rows` rows of k narrow elements, row_bytes apart. All that the level may read is written, zeros included.
// `g`: of this k, or of a longer one of which this is the last part.
void tub_product_pack_a(const tub_product *p, const tub_product_packing *g, const void *from, size_t row_bytes,
                        int rows, int k, void *out);

int tub_product_depth(const tub_product *p, int k);                 // k filled up
size_t tub_product_panel_bytes(const tub_product *p, int k);
// B of a panel: B[i][j] = from[j * stride + i] (weights, keys), or from[i * stride + j] (values), `cols` columns at
// most. `from`: narrow, strides in elements.
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
