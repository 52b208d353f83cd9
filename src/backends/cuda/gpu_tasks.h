// The tasks of our own kernels: one struct per kind, plain numbers and pointers.
//
// Matrices are [items * rows, cols], dense and row-major, of one type. gpu_bodies.h says what each kind computes.
#ifndef TUB_GPU_TASKS_H
#define TUB_GPU_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "frame_recipe.h"

// E4M3: only for a product's factors.
typedef enum tub_gpu_type { TUB_GPU_F32 = 0, TUB_GPU_F16 = 1, TUB_GPU_BF16 = 2, TUB_GPU_E4M3 = 3 } tub_gpu_type;

typedef enum tub_gpu_task_kind {
    TUB_GPU_PATCHES,
    TUB_GPU_NORM,
    TUB_GPU_ROTATE,
    TUB_GPU_SUM,
    TUB_GPU_COPY_ROWS,
    TUB_GPU_GATE,
    TUB_GPU_ACTIVATE,
    TUB_GPU_MEAN,
    TUB_GPU_ATTENTION,
    TUB_GPU_FLASH,
    TUB_GPU_PIXELS,
    TUB_GPU_QUANTISE,
    TUB_GPU_JOINED,
    TUB_GPU_TASK_KINDS
} tub_gpu_task_kind;

// A frame that a device has made: its patch vectors, [patches down * patches across, 3, ky, kx].
typedef struct tub_gpu_form {
    tub_gpu_type type;
    int ky, kx;
    const float *table;         // [3][256], on the device: values of levels, for frames that are resized in 8 bits
} tub_gpu_form;

// Its address for tasks that take made frames and frames of pixels: its lowest two bits, which are free, tell its type.
static inline const void *tub_gpu_made_frame(const void *frame, tub_gpu_type type)
{
    return (const char *)frame + 1 + type;
}

// Makes patch vectors of clips. Frames are uploaded pixels, or made frames, which only need to be assembled.
typedef struct tub_gpu_patches {
    const void *const *frames;  // [items * item_frames] pointers to pixels, or tub_gpu_made_frame()
    const float *table;         // [3][256]
    void *out;                  // [items * rows, cols]
    tub_gpu_type type;          // of out
    tub_gpu_type made_type;     // of made frames; pixels are rounded to it first, so that both give the same bytes
    bool is_float;              // pixels are float32 [3, height, width], else uint8 [height, width, 3]
    int item_frames, height, width;
    int kt, ky, kx;
    int items, rows, cols;
} tub_gpu_patches;

// Kinds as tub_norm.
typedef struct tub_gpu_norm {
    const void *x;
    void *out;                  // may be x, if the types are the same
    const float *weight, *bias; // [count * dim]; bias may be NULL
    tub_gpu_type type, out_type;
    int kind;
    float eps;
    int dim, count;             // slices of a row
    int rows, cols;             // all rows of all items
} tub_gpu_norm;

typedef struct tub_gpu_rotate {
    const void *x;
    void *out;                  // may be x
    const float *cosine, *sine; // [.., dim]
    const int *positions;       // [items * frames] of `frame` rows each; NULL: row r takes the angles of row r - skip
    tub_gpu_type type;
    bool halves;                // pairs are (j, j + dim / 2), else (2 j, 2 j + 1)
    int dim, heads;             // heads: the number that is rotated, from column 0
    int skip, frame, frames;
    int items, rows, cols;
} tub_gpu_rotate;

// out = a + b; b repeats every `period` rows.
typedef struct tub_gpu_sum {
    const void *a;
    const float *b;
    float *out;                 // may be a, if that is F32, or b with period = rows
    tub_gpu_type type;          // of a
    int rows, cols, period;     // all rows of all items
} tub_gpu_sum;

// Row r of an item is row j = (index ? index[r] : first + r) of `a` followed by `b`.
typedef struct tub_gpu_copy_rows {
    const void *a, *b;
    void *out;
    const int *index;           // [rows] or NULL
    int first;
    int a_rows, b_rows;         // of an item
    int a_stride;               // rows of `a` from item to item; 0: the same for all
    int items, rows;            // rows: of out, per item
    int bytes;                  // of a row, a multiple of 2
} tub_gpu_copy_rows;

// out[j] = act(x[j]) * x[cols + j].
typedef struct tub_gpu_gate {
    const void *x;
    void *out;
    tub_gpu_type type;
    int activation;             // as tub_activation
    int rows, cols;             // of out, all items
} tub_gpu_gate;

typedef struct tub_gpu_activate {
    void *x;                    // in place
    tub_gpu_type type;
    int activation;
    int rows, cols;
} tub_gpu_activate;

// A product and the step after it in one: next(x[m, k] weight[n, k]T + bias). The sum is rounded to `type` before
// `next`, so that the result is that of the two steps.
typedef struct tub_gpu_joined {
    const void *x, *weight, *bias;  // bias may be NULL
    void *out;
    tub_gpu_type type;          // of all four: F16 or BF16
    int m, n, k;                // n and k multiples of 8, pointers of 16 bytes
    int activation;             // as tub_activation; 0: the step is a rotation
    tub_gpu_rotate rotate;      // of `out`, in place
    bool wide;                  // uses warpgroup instructions (cards of 9.0), else warp instructions (7.5 or later)
    bool trial;                 // gives up, leaving any values, if it waits in vain
} tub_gpu_joined;

// Converts rows to factors of a product in e4m3: x = out * the row's scale, which depends only on the row.
typedef struct tub_gpu_quantise {
    const void *x;
    uint8_t *out;
    float *scales;              // [rows]
    tub_gpu_type type;          // of x
    int rows, cols;             // cols a multiple of 4
} tub_gpu_quantise;

typedef struct tub_gpu_mean {
    const void *x;              // [items * rows, cols]
    float *out;                 // [items, cols]
    tub_gpu_type type;
    int items, rows, cols;
} tub_gpu_mean;

// softmax(q kT * scale) v for `batch` runs of rows and `heads` heads of `dim` columns each. Strides are in elements.
typedef struct tub_gpu_attention {
    const void *q, *k, *v;
    void *out;
    tub_gpu_type type;          // of all four
    bool tf32;                  // F32 factors may be rounded to TF32
    int batch, heads, dim, queries, keys;
    float scale;
    int64_t q_row, k_row, v_row, out_row;           // from row to row
    int64_t q_batch, k_batch, v_batch, out_batch;   // from run to run; q_batch 0: the same queries for all
} tub_gpu_attention;

// Most columns of a head in our own attention: on any card, and on tensor cores (TUB_GPU_FLASH: F16 from compute
// capability 7.0 on, BF16 and F32 from 8.0 on).
enum { TUB_GPU_MOST_HEAD = 256, TUB_GPU_FLASH_HEAD = 128 };

enum { TUB_GPU_SURFACES = 64 };     // most frames of one launch

typedef struct tub_gpu_surface {
    const uint8_t *planes[3];       // on the device
    void *out;
} tub_gpu_surface;

// How tensor cores do both passes of a resize in 8 bits. A block computes a tile of the result: `warps` strips of 8
// columns, `bands` of 16 rows. A step takes 32 inputs. The tables are described in gpu_frame_tables.h.
typedef struct tub_gpu_cores {
    int planes;                 // bytes of a weight; 0: tensor cores aren't used
    int warps, bands;
    int steps_across, steps_down;
    int columns, rows;          // most columns and rows of the frame for a tile, multiples of 16
    uint32_t lefts, tops, across, down; // offsets in the tables
} tub_gpu_cores;

// Turns decoded frames, all with the same layout, into a model's patch vectors. The recipe's tables are on the device.
typedef struct tub_gpu_pixels {
    tub_frame_planes frame;     // the same for all frames, except the planes
    tub_frame_recipe recipe;
    tub_gpu_form form;
    tub_gpu_surface surfaces[TUB_GPU_SURFACES];
    int count;
    int tile_rows, tile_columns;    // most rows and columns of the frame for a tile; 0: pixel by pixel
    tub_gpu_cores cores;        // used if `by_words` is set
    bool by_words;              // NV12 rows begin at multiples of 16 bytes, and may be read up to such, even past their
                                // end
} tub_gpu_pixels;

typedef struct tub_gpu_task {
    tub_gpu_task_kind kind;
    union {
        tub_gpu_patches patches;
        tub_gpu_norm norm;
        tub_gpu_rotate rotate;
        tub_gpu_sum sum;
        tub_gpu_copy_rows copy_rows;
        tub_gpu_gate gate;
        tub_gpu_activate activate;
        tub_gpu_mean mean;
        tub_gpu_attention attention;    // also for TUB_GPU_FLASH
        tub_gpu_pixels pixels;
        tub_gpu_quantise quantise;
        tub_gpu_joined joined;
    };
} tub_gpu_task;

#endif
