// Linear layers: their products, and their weights in the type that they are multiplied in.
#include <math.h>

#include "fail.h"
#include "gpu_algorithms.h"
#include "gpu_executable.h"
#include "half.h"

// For e4m3: cuBLASLt needs rows of whole 16 bytes. Layers with few rows cost little, and keep their precision.
enum { ALIGNED = 16, ROWS_LEAST = 16 };
static const float e4m3_largest = 448;

static const tub_value_info *info(const tub_executable *e, tub_value v)
{
    return &e->program->values[v];
}

tub_gpu_gemm tub_gpu_linear_gemm(const tub_executable *e, const tub_op *op, bool fp8, int rows)
{
    const tub_gpu_type out_type = info(e, op->out)->width == TUB_WIDE ? TUB_GPU_F32 : e->narrow;
    const bool has_residual = op->in[1] != TUB_NONE;
    return (tub_gpu_gemm){.m = rows,
                          .n = info(e, op->out)->cols,
                          .k = info(e, op->in[0])->cols,
                          .type = fp8 ? TUB_GPU_E4M3 : e->narrow,
                          .out_type = out_type,
                          .bias_type = fp8 ? TUB_GPU_BF16 : out_type,
                          .tf32 = e->dtype == TUB_TF32,
                          // cuBLASLt's GELU is the tanh form, to about half precision. In all other cases, our own
                          // kernel follows the product.
                          .gelu_tanh =
                              op->linear.activation == TUB_ACT_GELU_TANH && out_type != TUB_GPU_F32 && !has_residual,
                          .has_bias = tub_tensor_is_there(&op->linear.bias),
                          .has_residual = has_residual};
}

static bool may_be_fp8(const tub_program *p, const tub_op *op, tub_dtype dtype)
{
    const tub_value_info *x = &p->values[op->in[0]], *out = &p->values[op->out];
    return dtype == TUB_FP8 && x->cols % ALIGNED == 0 && out->cols % ALIGNED == 0 && x->rows >= ROWS_LEAST;
}

size_t tub_gpu_weight_bytes(const tub_program *program, const tub_op *op, tub_dtype dtype)
{
    const size_t rows = (size_t)program->values[op->out].cols, count = rows * (size_t)program->values[op->in[0]].cols;
    if (may_be_fp8(program, op, dtype))
        return count + rows * sizeof(float);
    return count * (dtype == TUB_F32 || dtype == TUB_TF32 ? sizeof(float) : sizeof(uint16_t));
}

void tub_gpu_quantised_size(const tub_executable *e, size_t *bytes, size_t *rows)
{
    *bytes = *rows = 0;
    for (int i = 0; i < e->program->op_count; i++) {
        if (!e->constants[i].scales)
            continue;
        const tub_value_info *x = info(e, e->program->ops[i].in[0]);
        const size_t own = (size_t)x->rows * (size_t)x->cols;
        *bytes = own > *bytes ? own : *bytes;
        *rows = (size_t)x->rows > *rows ? (size_t)x->rows : *rows;
    }
}

// In place: the bytes begin where the floats did.
static void quantise(float *floats, int rows, int cols, const float *layer_scale, float *scales)
{
    uint8_t *out = (uint8_t *)(void *)floats;
    for (int i = 0; i < rows; i++) {
        float *row = floats + (size_t)i * (size_t)cols, most = 0;
        for (int j = 0; j < cols; j++) {
            row[j] *= layer_scale ? layer_scale[i] : 1.0f;
            most = fmaxf(most, fabsf(row[j]));
        }
        scales[i] = most > 0 ? most / e4m3_largest : 1.0f;
        for (int j = 0; j < cols; j++)
            out[(size_t)i * (size_t)cols + (size_t)j] = tub_to_e4m3(row[j] / scales[i]);
    }
}

static tub_status upload_e4m3(tub_executable *e, const tub_op *op, const float *layer_scale, tub_gpu_constants *c,
                              tub_error *err)
{
    const int rows = info(e, op->out)->cols, cols = info(e, op->in[0])->cols;
    const size_t count = (size_t)rows * (size_t)cols;
    float *floats = tub_alloc_aligned(count, sizeof *floats), *scales = tub_alloc_aligned((size_t)rows, sizeof *scales);
    tub_status status = floats && scales ? TUB_OK : tub_fail_memory(err, "a constant");
    void *place = NULL;
    if (status == TUB_OK) {
        tub_tensor_floats(&op->linear.weight, 0, (int64_t)count, floats);
        quantise(floats, rows, cols, layer_scale, scales);
        status = tub_gpu_upload(e, floats, count, &c->weight, err);
    }
    if (status == TUB_OK)
        status = tub_gpu_upload(e, scales, (size_t)rows * sizeof *scales, &place, err);
    c->scales = place;
    tub_free(floats);
    tub_free(scales);
    return status;
}

static tub_status upload_narrow(tub_executable *e, const tub_op *op, const float *layer_scale, tub_gpu_constants *c,
                                tub_error *err)
{
    const tub_gpu_gemm g = tub_gpu_linear_gemm(e, op, false, 1);
    c->scales = NULL;
    TUB_TRY(tub_gpu_upload_tensor(e, &op->linear.weight, e->narrow, layer_scale, (size_t)g.k, &c->weight, err));
    return tub_gpu_upload_tensor(e, &op->linear.bias, g.bias_type, layer_scale, 1, &c->bias, err);
}

// Weight and bias for e4m3; c->scales stays NULL if there is no such product.
static tub_status try_e4m3(tub_executable *e, const tub_op *op, const float *layer_scale, tub_gpu_constants *c,
                           tub_error *err)
{
    const size_t before = e->block_count;
    tub_gpu_gemm g = tub_gpu_linear_gemm(e, op, true, 0);
    bool can = false;
    TUB_TRY(upload_e4m3(e, op, layer_scale, c, err));
    TUB_TRY(tub_gpu_upload_tensor(e, &op->linear.bias, g.bias_type, layer_scale, 1, &c->bias, err));
    g.bias = c->bias;
    g.weight = c->weight;
    g.x_scales = g.weight_scales = c->scales; // a pointer is needed, but never read
    TUB_TRY(tub_gpu_can_multiply(e->backend, &g, &can, err));
    if (can)
        return TUB_OK;
    while (e->block_count > before)
        tub_gpu_give_back(e->backend, &e->blocks[--e->block_count]);
    *c = (tub_gpu_constants){0};
    if (!e->said_fp8)
        tub_inform(&e->backend->log, "%s: in bf16: cuBLASLt has no fp8 product of %d columns by %d here", op->label,
                   g.n, g.k);
    e->said_fp8 = true;
    return TUB_OK;
}

tub_status tub_gpu_linear_constants(tub_executable *e, const tub_op *op, tub_gpu_constants *c, tub_error *err)
{
    float *layer_scale = NULL;
    if (op->linear.scale.data && op->linear.activation != TUB_ACT_NONE)
        return tub_fail(err, TUB_ERROR_INTERNAL, "a scale behind an activation");
    if (op->linear.scale.data) { // the scale is multiplied into weight and bias
        const size_t cols = (size_t)info(e, op->out)->cols;
        layer_scale = tub_alloc_aligned(cols, sizeof *layer_scale);
        if (!layer_scale)
            return tub_fail_memory(err, "a scale");
        tub_to_float(layer_scale, op->linear.scale.data, op->linear.scale.dtype, cols);
    }
    tub_status status = may_be_fp8(e->program, op, e->dtype) ? try_e4m3(e, op, layer_scale, c, err) : TUB_OK;
    if (status == TUB_OK && !c->scales)
        status = upload_narrow(e, op, layer_scale, c, err);
    tub_free(layer_scale);
    return status;
}
