// The oneDNN engine: products and attention by oneDNN's matrix products.
//
// Shapes depend only on the program, so that a row's bytes depend on neither the batch nor the threads: oneDNN's
// float32 products may give other bits for other numbers of rows.
#ifndef TUB_ONEDNN_PLAN_H
#define TUB_ONEDNN_PLAN_H

#include "dnnl_compat.h"
#include "executable.h"

// Primitives are shared by all steps of the same shape.
typedef struct tub_shelf {
    tub_matmul *matmul;
    tub_packer *packer;
    int64_t row_stride, column_stride;  // of a packer
    bool from_float;                    // likewise
} tub_shelf;

// Some of a weight's rows, to be packed.
typedef struct tub_panel {
    const tub_tensor *weight;
    int first;                          // row
    const tub_matmul_shape *shape;
    tub_packer *packer;
    void *packed;
} tub_panel;

typedef struct tub_onednn {
    tub_dnnl *dnnl;
    tub_shelf *shelf;
    size_t shelf_count, shelf_capacity;
    tub_panel *panels;                  // while steps are being made
    size_t panel_count, panel_capacity;
} tub_onednn;

tub_status tub_shelf_matmul(tub_executable *e, const tub_matmul_shape *shape, const tub_matmul *like, tub_matmul **out,
                            tub_error *err);
tub_status tub_shelf_packer(tub_executable *e, tub_matmul *matmul, int64_t row_stride, int64_t column_stride,
                            bool from_float, tub_packer **out, tub_error *err);
void tub_shelf_clear(tub_onednn *o);

// Packs rows of `weight` from `first` on, as many as the matmul has columns. The weight must stay where it is until
// tub_onednn_pack(), which fills *out, memory of the executable.
tub_status tub_onednn_pack_later(tub_executable *e, tub_matmul *matmul, const tub_tensor *weight, int first, void **out,
                                 tub_error *err);
tub_status tub_onednn_pack(tub_executable *e, tub_error *err);

tub_status tub_onednn_linear_make(tub_executable *e, tub_step *step, tub_error *err);
tub_status tub_onednn_attention_make(tub_executable *e, tub_step *step, tub_error *err);

#endif
