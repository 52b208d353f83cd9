// Products by cuBLASLt. It is column-major: the row-major [m, n] = x[m, k] weight[n, k]T is the column-major [n, m] =
// weightT x, which it computes.
#include <string.h>

#include "gpu_device.h"

typedef struct product {
    const tub_cublaslt *lt;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t weight, x, residual, out;
    cublasLtMatmulPreference_t preference;
} product;

static cudaDataType_t data_type(tub_gpu_type type)
{
    return type == TUB_GPU_F32    ? CUDA_R_32F
           : type == TUB_GPU_E4M3 ? CUDA_R_8F_E4M3
           : type == TUB_GPU_F16  ? CUDA_R_16F
                                  : CUDA_R_16BF;
}

static cublasLtEpilogue_t epilogue(const tub_gpu_gemm *g)
{
    if (g->gelu_tanh)
        return g->has_bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    return g->has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

static tub_status failed(tub_error *err, cublasStatus_t code)
{
    if (code == CUBLAS_STATUS_SUCCESS)
        return TUB_OK;
    if (code == CUBLAS_STATUS_ALLOC_FAILED)
        return tub_plugin_fail(err, TUB_ERROR_MEMORY, "cuBLASLt has no memory left");
    return tub_plugin_fail(err, TUB_ERROR_DEVICE, "cuBLASLt: status %d", (int)code);
}

#define LT(call)                                                                                                       \
    do {                                                                                                               \
        const tub_status lt_ = failed(err, p->lt->call);                                                               \
        if (lt_ != TUB_OK)                                                                                             \
            return lt_;                                                                                                \
    } while (0)

static void finish(product *p)
{
    if (p->preference)
        p->lt->cublasLtMatmulPreferenceDestroy(p->preference);
    if (p->out)
        p->lt->cublasLtMatrixLayoutDestroy(p->out);
    if (p->residual)
        p->lt->cublasLtMatrixLayoutDestroy(p->residual);
    if (p->x)
        p->lt->cublasLtMatrixLayoutDestroy(p->x);
    if (p->weight)
        p->lt->cublasLtMatrixLayoutDestroy(p->weight);
    if (p->operation)
        p->lt->cublasLtMatmulDescDestroy(p->operation);
}

static tub_status set(const product *p, cublasLtMatmulDescAttributes_t name, const void *value, size_t bytes,
                      tub_error *err)
{
    LT(cublasLtMatmulDescSetAttribute(p->operation, name, value, bytes));
    return TUB_OK;
}

// Each row of either factor has its own scale. Sums have full precision.
static tub_status describe_scales(const product *p, const tub_gpu_gemm *g, tub_error *err)
{
#ifdef TUB_CUBLASLT_ROW_SCALES
    const int32_t mode = CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
    const int8_t fast = 0;
    tub_status status = set(p, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, &mode, sizeof mode, err);
    if (status == TUB_OK)
        status = set(p, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, &mode, sizeof mode, err);
    if (status == TUB_OK)
        status = set(p, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &g->weight_scales, sizeof g->weight_scales, err);
    if (status == TUB_OK)
        status = set(p, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &g->x_scales, sizeof g->x_scales, err);
    return status == TUB_OK ? set(p, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast, sizeof fast, err) : status;
#else
    (void)p;
    (void)g;
    return tub_plugin_fail(err, TUB_ERROR_DEVICE, "fp8 with a scale a row needs cuBLASLt 12.9");
#endif
}

static tub_status describe_operation(product *p, const tub_gpu_gemm *g, tub_error *err)
{
    const cublasComputeType_t compute =
        g->tf32 && g->type == TUB_GPU_F32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    const cublasOperation_t transposed = CUBLAS_OP_T;
    const cublasLtEpilogue_t end = epilogue(g);
    const cudaDataType_t bias_type = data_type(g->bias_type);
    LT(cublasLtMatmulDescCreate(&p->operation, compute, CUDA_R_32F));
    tub_status status = set(p, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed, err);
    if (status == TUB_OK)
        status = set(p, CUBLASLT_MATMUL_DESC_EPILOGUE, &end, sizeof end, err);
    if (status == TUB_OK && g->type == TUB_GPU_E4M3)
        status = describe_scales(p, g, err);
    if (status != TUB_OK || !g->has_bias)
        return status;
    status = set(p, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &bias_type, sizeof bias_type, err);
    return status == TUB_OK ? set(p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &g->bias, sizeof g->bias, err) : status;
}

static tub_status describe_layouts(product *p, const tub_gpu_gemm *g, tub_error *err)
{
    const uint64_t m = (uint64_t)g->m, n = (uint64_t)g->n, k = (uint64_t)g->k;
    LT(cublasLtMatrixLayoutCreate(&p->weight, data_type(g->type), k, n, g->k));
    LT(cublasLtMatrixLayoutCreate(&p->x, data_type(g->type), k, m, g->k));
    LT(cublasLtMatrixLayoutCreate(&p->residual, data_type(g->out_type), n, m, g->n));
    LT(cublasLtMatrixLayoutCreate(&p->out, data_type(g->out_type), n, m, g->n));
    return TUB_OK;
}

// Sums aren't split: partial sums would be added in a different order for a different m.
static tub_status describe_preference(product *p, tub_error *err)
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const size_t workspace = TUB_GPU_GEMM_WORKSPACE;
    const uint32_t unsplit = CUBLASLT_REDUCTION_SCHEME_NONE, alignment = 64; // of every value in the workspace
    LT(cublasLtMatmulPreferenceCreate(&p->preference));
    LT(cublasLtMatmulPreferenceSetAttribute(p->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                            sizeof workspace));
    LT(cublasLtMatmulPreferenceSetAttribute(p->preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &unsplit,
                                            sizeof unsplit));
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++)
        LT(cublasLtMatmulPreferenceSetAttribute(p->preference, alignments[i], &alignment, sizeof alignment));
    return TUB_OK;
}

static tub_status describe(const tub_gpu *gpu, product *p, const tub_gpu_gemm *g, tub_error *err)
{
    *p = (product){.lt = &gpu->cublaslt};
    const tub_status status = describe_operation(p, g, err);
    return status == TUB_OK ? describe_layouts(p, g, err) : status;
}

static bool is_split(const tub_cublaslt *lt, const cublasLtMatmulAlgo_t *algorithm)
{
    int32_t parts = 0;
    size_t written = 0;
    return lt->cublasLtMatmulAlgoConfigGetAttribute(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &parts, sizeof parts,
                                                    &written) == CUBLAS_STATUS_SUCCESS &&
           parts > 1;
}

_Static_assert(sizeof(cublasLtMatmulAlgo_t) == sizeof(tub_gpu_algorithm), "an algorithm is 64 bytes");

tub_status tub_cuda_algorithms(tub_gpu *gpu, const tub_gpu_gemm *gemm, tub_gpu_algorithm *out, int *count,
                               tub_error *err)
{
    product product_ = {0}, *p = &product_;
    cublasLtMatmulHeuristicResult_t found[TUB_GPU_ALGORITHMS];
    int n = 0;
    *count = 0;
    tub_status status = tub_cuda_failed(err, cudaSetDevice(gpu->index), "the GPU");
    if (status == TUB_OK)
        status = describe(gpu, p, gemm, err);
    if (status == TUB_OK)
        status = describe_preference(p, err);
    if (status == TUB_OK) {
        const cublasStatus_t code =
            gpu->cublaslt.cublasLtMatmulAlgoGetHeuristic(gpu->products, p->operation, p->weight, p->x, p->residual,
                                                         p->out, p->preference, TUB_GPU_ALGORITHMS, found, &n);
        status = code == CUBLAS_STATUS_NOT_SUPPORTED ? TUB_OK : failed(err, code);
        n = code == CUBLAS_STATUS_SUCCESS ? n : 0;
    }
    for (int i = 0; status == TUB_OK && i < n; i++)
        if (found[i].state == CUBLAS_STATUS_SUCCESS && !is_split(&gpu->cublaslt, &found[i].algo))
            memcpy(&out[(*count)++], &found[i].algo, sizeof *out);
    finish(p);
    return status;
}

static tub_status check(const tub_gpu *gpu, const product *p, const cublasLtMatmulAlgo_t *algorithm)
{
    cublasLtMatmulHeuristicResult_t checked;
    const cublasStatus_t code = p->lt->cublasLtMatmulAlgoCheck(gpu->products, p->operation, p->weight, p->x,
                                                               p->residual, p->out, algorithm, &checked);
    return code == CUBLAS_STATUS_SUCCESS && checked.workspaceSize <= TUB_GPU_GEMM_WORKSPACE ? TUB_OK : TUB_END;
}

// Prepares the product, which must be finished in every case, and an algorithm that computes it. TUB_END: it doesn't.
static tub_status prepare(tub_gpu *gpu, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm, product *p,
                          cublasLtMatmulAlgo_t *algo, tub_error *err)
{
    *p = (product){0};
    memcpy(algo, algorithm, sizeof *algo);
    tub_status status = tub_cuda_failed(err, cudaSetDevice(gpu->index), "the GPU");
    if (status == TUB_OK)
        status = describe(gpu, p, gemm, err);
    return status == TUB_OK ? check(gpu, p, algo) : status;
}

tub_status tub_cuda_serves(tub_gpu *gpu, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm, tub_error *err)
{
    product p;
    cublasLtMatmulAlgo_t algo;
    const tub_status status = prepare(gpu, gemm, algorithm, &p, &algo, err);
    finish(&p);
    return status;
}

tub_status tub_cuda_multiply(tub_gpu *gpu, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm, tub_error *err)
{
    const float one = 1.0f, residual = gemm->has_residual ? 1.0f : 0.0f;
    product p;
    cublasLtMatmulAlgo_t algo;
    tub_status status = prepare(gpu, gemm, algorithm, &p, &algo, err);
    if (status == TUB_OK) {
        const cublasStatus_t code = gpu->cublaslt.cublasLtMatmul(
            gpu->products, p.operation, &one, gemm->weight, p.weight, gemm->x, p.x, &residual,
            gemm->has_residual ? gemm->residual : gemm->out, p.residual, gemm->out, p.out, &algo, gemm->workspace,
            TUB_GPU_GEMM_WORKSPACE, gpu->streams[TUB_GPU_COMPUTE]);
        // Some algorithms pass the check but are refused here; then nothing was launched.
        status = code == CUBLAS_STATUS_NOT_SUPPORTED ? TUB_END : failed(err, code);
    }
    finish(&p);
    return status;
}
