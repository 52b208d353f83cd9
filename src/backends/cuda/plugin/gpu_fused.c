// Three operations: the product, its bias, the activation. What passes between the first two is float32, and between
// the last two of the result's type, as in memory when they are apart: it is rounded there.
//
// An algorithm is an engine and its knobs: the library's version, the engine, how many knobs, and a word a knob.
#include "gpu_fused.h"

enum { X = 1, WEIGHT = 2, BIAS = 3, OUT = 4, SUM = 5, ROUNDED = 6 };
enum { GELU = 1 };         // of tub_activation
enum { ROWS_LEAST = 512 }; // fewer aren't worth the time that compiling takes
enum { LIBRARY, ENGINE, KNOBS, FIRST_KNOB, MOST_KNOBS = 8 - FIRST_KNOB };

static cudnnBackendDescriptor_t matrix(tub_plan_build *b, int64_t id, cudnnDataType_t type, int64_t rows, int64_t cols,
                                       bool passing)
{
    const tub_plan_tensor t = {.id = id,
                               .type = type,
                               .rank = 3,
                               .dims = {1, rows, cols},
                               .strides = {rows * cols, cols, 1},
                               .passing = passing};
    return tub_plan_describe(b, &t);
}

static cudnnBackendDescriptor_t transposed(tub_plan_build *b, int64_t id, cudnnDataType_t type, int64_t rows,
                                           int64_t cols)
{
    const tub_plan_tensor t = {
        .id = id, .type = type, .rank = 3, .dims = {1, cols, rows}, .strides = {rows * cols, 1, cols}};
    return tub_plan_describe(b, &t);
}

static cudnnBackendDescriptor_t multiply(tub_plan_build *b, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t weight,
                                         cudnnBackendDescriptor_t out)
{
    const cudnnDataType_t wide = CUDNN_DATA_FLOAT;
    const cudnnBackendDescriptor_t kind = tub_plan_create(b, CUDNN_BACKEND_MATMUL_DESCRIPTOR);
    tub_plan_set(b, kind, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &wide);
    tub_plan_finalize(b, kind);
    const cudnnBackendDescriptor_t d = tub_plan_create(b, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_MATMUL_ADESC, x);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_MATMUL_BDESC, weight);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_MATMUL_CDESC, out);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_MATMUL_DESC, kind);
    tub_plan_finalize(b, d);
    return d;
}

// `other` may be NULL.
static cudnnBackendDescriptor_t each(tub_plan_build *b, cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t x,
                                     cudnnBackendDescriptor_t other, cudnnBackendDescriptor_t out)
{
    const cudnnDataType_t wide = CUDNN_DATA_FLOAT;
    const cudnnBackendDescriptor_t kind = tub_plan_create(b, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    tub_plan_set(b, kind, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    tub_plan_set(b, kind, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &wide);
    tub_plan_finalize(b, kind);
    const cudnnBackendDescriptor_t d = tub_plan_create(b, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (other)
        tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, other);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, out);
    tub_plan_finalize(b, d);
    return d;
}

static cudnnBackendDescriptor_t graph_of(tub_plan_build *b, const tub_gpu_gemm *g)
{
    const cudnnDataType_t type = g->type == TUB_GPU_F16 ? CUDNN_DATA_HALF : CUDNN_DATA_BFLOAT16;
    const cudnnBackendDescriptor_t x = matrix(b, X, type, g->m, g->k, false),
                                   weight = transposed(b, WEIGHT, type, g->n, g->k),
                                   bias = matrix(b, BIAS, type, 1, g->n, false),
                                   sum = matrix(b, SUM, CUDNN_DATA_FLOAT, g->m, g->n, true),
                                   rounded = matrix(b, ROUNDED, type, g->m, g->n, true),
                                   out = matrix(b, OUT, type, g->m, g->n, false);
    const cudnnBackendDescriptor_t operations[] = {multiply(b, x, weight, sum),
                                                   each(b, CUDNN_POINTWISE_ADD, sum, bias, rounded),
                                                   each(b, CUDNN_POINTWISE_GELU_FWD, rounded, NULL, out)};
    return tub_plan_graph(b, operations, 3);
}

// ---- algorithms ----

// Whether it adds up float32 on tensor cores.
static bool is_plain(tub_plan_build *b, cudnnBackendDescriptor_t engine)
{
    cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    int64_t count = 0;
    tub_plan_get(b, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                 CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, notes);
    for (int64_t i = 0; i < count; i++)
        if (notes[i] != CUDNN_NUMERICAL_NOTE_TENSOR_CORE && notes[i] != CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP)
            return false;
    return true;
}

static bool read_knob(tub_plan_build *b, cudnnBackendDescriptor_t knob, uint64_t *out)
{
    cudnnBackendKnobType_t type = CUDNN_KNOB_TYPE_COUNTS;
    int64_t value = 0, count = 0;
    tub_plan_get(b, knob, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &count, &type);
    tub_plan_get(b, knob, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &count, &value);
    *out = (uint64_t)type << 32 | (uint32_t)value;
    return value >= INT32_MIN && value <= INT32_MAX;
}

// Whether such a configuration is one of ours.
static bool read_configuration(const tub_plan_build *asked, cudnnBackendDescriptor_t configuration,
                               tub_gpu_algorithm *out)
{
    tub_plan_build b = {.dnn = asked->dnn, .target = asked->target};
    cudnnBackendDescriptor_t knobs[MOST_KNOBS], engine = tub_plan_create(&b, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    int64_t count = 0, index = -1, knob_count = 0;
    for (int i = 0; i < MOST_KNOBS; i++)
        knobs[i] = tub_plan_create(&b, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    tub_plan_get(&b, configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &engine);
    tub_plan_get(&b, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count, &index);
    tub_plan_get(&b, configuration, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, MOST_KNOBS,
                 &knob_count, knobs);
    bool ours = tub_plan_in_order(asked, configuration) && is_plain(&b, engine) && knob_count <= MOST_KNOBS;
    *out = (tub_gpu_algorithm){.data = {b.dnn->cudnnGetVersion(), (uint64_t)index, (uint64_t)knob_count}};
    for (int i = 0; ours && i < knob_count; i++)
        ours = read_knob(&b, knobs[i], &out->data[FIRST_KNOB + i]);
    tub_plan_end(&b);
    return ours && b.status == CUDNN_STATUS_SUCCESS;
}

static bool serves(const tub_gpu_gemm *g, int activation)
{
    const bool narrow = g->type == TUB_GPU_F16 || g->type == TUB_GPU_BF16;
    const bool plain =
        narrow && g->out_type == g->type && g->has_bias && g->bias_type == g->type && !g->has_residual && !g->gelu_tanh;
    return activation == GELU && plain && g->m >= ROWS_LEAST && g->n % 8 == 0 && g->k % 8 == 0;
}

void tub_fused_algorithms(const tub_cudnn *dnn, tub_plan_target target, const tub_gpu_gemm *gemm, int activation,
                          tub_gpu_algorithm *out, int *count)
{
    tub_plan_build b = {.dnn = dnn, .target = target};
    *count = 0;
    if (!serves(gemm, activation))
        return;
    tub_plan_ask(&b, graph_of(&b, gemm));
    for (int i = 0;
         i < TUB_PLAN_ADVICE && i < b.engines && *count < TUB_GPU_FUSED_ALGORITHMS && b.status == CUDNN_STATUS_SUCCESS;
         i++)
        *count += read_configuration(&b, b.advised[i], &out[*count]);
    tub_plan_end(&b);
}

// ---- plans ----

static cudnnBackendDescriptor_t configure(tub_plan_build *b, cudnnBackendDescriptor_t graph, const tub_gpu_algorithm *a)
{
    const int64_t index = (int64_t)a->data[ENGINE], knob_count = (int64_t)a->data[KNOBS];
    cudnnBackendDescriptor_t knobs[MOST_KNOBS];
    const cudnnBackendDescriptor_t engine = tub_plan_create(b, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    tub_plan_set_part(b, engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph);
    tub_plan_set(b, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &index);
    tub_plan_aim(b, engine, 0, CUDNN_ATTR_ENGINE_DEVICEPROP);
    tub_plan_finalize(b, engine);
    for (int i = 0; i < knob_count; i++) {
        const cudnnBackendKnobType_t type = (cudnnBackendKnobType_t)(a->data[FIRST_KNOB + i] >> 32);
        const int64_t value = (int32_t)(uint32_t)a->data[FIRST_KNOB + i];
        knobs[i] = tub_plan_create(b, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
        tub_plan_set(b, knobs[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type);
        tub_plan_set(b, knobs[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &value);
        tub_plan_finalize(b, knobs[i]);
    }
    const cudnnBackendDescriptor_t d = tub_plan_create(b, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    tub_plan_set_part(b, d, CUDNN_ATTR_ENGINECFG_ENGINE, engine);
    if (knob_count > 0)
        tub_plan_set(b, d, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, knob_count, knobs);
    tub_plan_finalize(b, d);
    return d;
}

static tub_gpu_plan *plan_of(tub_plan_build *b, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm)
{
    const cudnnBackendDescriptor_t configuration = configure(b, graph_of(b, gemm), algorithm);
    return b->status == CUDNN_STATUS_SUCCESS ? tub_plan_make(b, configuration) : NULL;
}

tub_status tub_fused_plan(const tub_cudnn *dnn, tub_plan_target target, const tub_gpu_gemm *gemm, int activation,
                          const tub_gpu_algorithm *algorithm, tub_gpu_text text, tub_gpu_plan **out, tub_error *err)
{
    tub_plan_build b = {.dnn = dnn, .target = target};
    *out = NULL;
    if (serves(gemm, activation) && algorithm->data[LIBRARY] == dnn->cudnnGetVersion() &&
        algorithm->data[KNOBS] <= MOST_KNOBS) {
        *out = text.bytes > 0 ? tub_plan_read(&b, text.data, text.bytes) : NULL;
        if (!*out)
            *out = plan_of(&b, gemm, algorithm);
        tub_plan_end(&b);
    }
    if (*out && (*out)->workspace > TUB_GPU_GEMM_WORKSPACE) {
        tub_plan_release(dnn, *out);
        *out = NULL;
    }
    if (*out)
        return TUB_OK;
    tub_plugin_fail(err, TUB_ERROR_DEVICE, "cuDNN has no such product of %d columns by %d", gemm->n, gemm->k);
    return TUB_END;
}

// ---- the table's ----

tub_status tub_cuda_fused_algorithms(tub_gpu *gpu, const tub_gpu_gemm *gemm, int activation, tub_gpu_algorithm *out,
                                     int *count, tub_error *err)
{
    *count = 0;
    const tub_status status = tub_cuda_failed(err, cudaSetDevice(gpu->index), "the GPU");
    if (status == TUB_OK && gpu->attention)
        tub_fused_algorithms(&gpu->cudnn, (tub_plan_target){.handle = gpu->attention}, gemm, activation, out, count);
    return status;
}

tub_status tub_cuda_plan_fused(tub_gpu *gpu, const tub_gpu_gemm *gemm, int activation,
                               const tub_gpu_algorithm *algorithm, tub_gpu_text text, tub_gpu_plan **out,
                               tub_error *err)
{
    *out = NULL;
    if (!gpu->attention) {
        tub_plugin_fail(err, TUB_ERROR_DEVICE, "%s", gpu->cudnn_reason);
        return TUB_END;
    }
    const tub_status status = tub_cuda_failed(err, cudaSetDevice(gpu->index), "the GPU");
    if (status != TUB_OK)
        return status;
    return tub_fused_plan(&gpu->cudnn, (tub_plan_target){.handle = gpu->attention}, gemm, activation, algorithm, text,
                          out, err);
}

bool tub_cuda_write_plan(tub_gpu *gpu, const tub_gpu_plan *plan, char *text, size_t *bytes)
{
    return tub_plan_write(&gpu->cudnn, plan, text, bytes);
}

tub_status tub_cuda_multiply_fused(tub_gpu *gpu, const tub_gpu_plan *plan, const tub_gpu_gemm *gemm, tub_error *err)
{
    const int64_t ids[] = {X, WEIGHT, OUT, BIAS};
    const void *pointers[] = {gemm->x, gemm->weight, gemm->out, gemm->bias};
    return tub_plan_run(gpu, plan, 4, ids, pointers, gemm->workspace, "product with its activation", err);
}
