// The oneDNN engine: products and attention by oneDNN's matrix products.
//
// Shapes come from the program alone, so that a row's bytes depend on neither the batch nor the threads: a float32
// product of oneDNN's may give other bits for other numbers of rows.
#ifndef TUB_ONEDNN_PLAN_H
#define TUB_ONEDNN_PLAN_H

#include "dnnl_compat.h"
#include "executable.h"

// Primitives are shared by all steps of the same shape.
typedef struct tub_shelf {
    tub_matmul *matmul;
    tub_packer *packer;
    int64_t row_stride, column_stride;  // of a packer
} tub_shelf;

typedef struct tub_onednn {
    tub_dnnl *dnnl;
    tub_shelf *shelf;
    size_t shelf_count, shelf_capacity;
} tub_onednn;

tub_status tub_shelf_matmul(tub_executable *e, const tub_matmul_shape *shape, const tub_matmul *like, tub_matmul **out,
                            tub_error *err);
tub_status tub_shelf_packer(tub_executable *e, tub_matmul *matmul, int64_t row_stride, int64_t column_stride,
                            tub_packer **out, tub_error *err);
void tub_shelf_clear(tub_onednn *o);

tub_status tub_onednn_linear_make(tub_executable *e, tub_step *step, tub_error *err);
tub_status tub_onednn_attention_make(tub_executable *e, tub_step *step, tub_error *err);

#endif
