// cuBLASLt for cards that compute nothing (dry_gpu.h). Descriptions are the real library's, which accepts or refuses
// what the plug-in sets. The calls that need a GPU are here, and work from what is read back from the descriptions.
//
// A product is accepted if its types are among those that cublasLtMatmul() is documented for, as we know it, and its
// operands lie within blocks of the device. The real library's heuristics, its algorithms and what they refuse are not
// modeled.
#include <cublasLt.h>
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#include "dry_gpu.h"

typedef struct library {
    void *handle;
    __typeof__(&cublasLtMatmulDescCreate) desc_create;
    __typeof__(&cublasLtMatmulDescDestroy) desc_destroy;
    __typeof__(&cublasLtMatmulDescSetAttribute) desc_set;
    __typeof__(&cublasLtMatmulDescGetAttribute) desc_get;
    __typeof__(&cublasLtMatrixLayoutCreate) layout_create;
    __typeof__(&cublasLtMatrixLayoutDestroy) layout_destroy;
    __typeof__(&cublasLtMatrixLayoutGetAttribute) layout_get;
    __typeof__(&cublasLtMatmulPreferenceCreate) preference_create;
    __typeof__(&cublasLtMatmulPreferenceDestroy) preference_destroy;
    __typeof__(&cublasLtMatmulPreferenceSetAttribute) preference_set;
    __typeof__(&cublasLtMatmulPreferenceGetAttribute) preference_get;
    __typeof__(&cublasLtMatmulAlgoConfigGetAttribute) config_get;
    __typeof__(&cublasLtMatmulAlgoConfigSetAttribute) config_set;
    __typeof__(&cublasLtGetVersion) version;
} library;

static library real;

__attribute__((constructor)) static void load(void)
{
    real.handle = dlopen(DRY_CUBLASLT, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!real.handle)
        return;
    dry_find(real.handle, &real.desc_create, "cublasLtMatmulDescCreate");
    dry_find(real.handle, &real.desc_destroy, "cublasLtMatmulDescDestroy");
    dry_find(real.handle, &real.desc_set, "cublasLtMatmulDescSetAttribute");
    dry_find(real.handle, &real.desc_get, "cublasLtMatmulDescGetAttribute");
    dry_find(real.handle, &real.layout_create, "cublasLtMatrixLayoutCreate");
    dry_find(real.handle, &real.layout_destroy, "cublasLtMatrixLayoutDestroy");
    dry_find(real.handle, &real.layout_get, "cublasLtMatrixLayoutGetAttribute");
    dry_find(real.handle, &real.preference_create, "cublasLtMatmulPreferenceCreate");
    dry_find(real.handle, &real.preference_destroy, "cublasLtMatmulPreferenceDestroy");
    dry_find(real.handle, &real.preference_set, "cublasLtMatmulPreferenceSetAttribute");
    dry_find(real.handle, &real.preference_get, "cublasLtMatmulPreferenceGetAttribute");
    dry_find(real.handle, &real.config_get, "cublasLtMatmulAlgoConfigGetAttribute");
    dry_find(real.handle, &real.config_set, "cublasLtMatmulAlgoConfigSetAttribute");
    dry_find(real.handle, &real.version, "cublasLtGetVersion");
}

static cublasStatus_t told(cublasStatus_t status, const char *call)
{
    if (status != CUBLAS_STATUS_SUCCESS)
        dry_refuse("%s: the real cuBLASLt says %d", call, (int)status);
    return status;
}

// `by`: the change in the number of descriptions.
static cublasStatus_t counted(cublasStatus_t status, long by, const char *call)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        dry_count(&dry_the_tally()->descriptions, by);
    return told(status, call);
}

// ---- descriptions: the real library's ----

size_t cublasLtGetVersion(void)
{
    return real.version();
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute, cudaDataType_t scale)
{
    return counted(real.desc_create(out, compute, scale), 1, "cublasLtMatmulDescCreate");
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d)
{
    return counted(real.desc_destroy(d), -1, "cublasLtMatmulDescDestroy");
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t name,
                                              const void *value, size_t bytes)
{
    return told(real.desc_set(d, name, value, bytes), "cublasLtMatmulDescSetAttribute");
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type, uint64_t rows, uint64_t cols,
                                          int64_t pitch)
{
    return counted(real.layout_create(out, type, rows, cols, pitch), 1, "cublasLtMatrixLayoutCreate");
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    return counted(real.layout_destroy(layout), -1, "cublasLtMatrixLayoutDestroy");
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out)
{
    return counted(real.preference_create(out), 1, "cublasLtMatmulPreferenceCreate");
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference)
{
    return counted(real.preference_destroy(preference), -1, "cublasLtMatmulPreferenceDestroy");
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t name, const void *value,
                                                    size_t bytes)
{
    return told(real.preference_set(preference, name, value, bytes), "cublasLtMatmulPreferenceSetAttribute");
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t name, void *value,
                                                    size_t bytes, size_t *written)
{
    return told(real.config_get(algorithm, name, value, bytes, written), "cublasLtMatmulAlgoConfigGetAttribute");
}

// ---- reading descriptions ----

typedef struct layout {
    uint32_t type;
    uint64_t rows, cols;
    int64_t pitch;
} layout;

typedef struct product {
    int32_t compute, scale_type, a_turned, b_turned, bias_type;
    bool row_scales;
    uint32_t epilogue;
    const void *bias, *a_scales, *b_scales;
    layout a, b, c, d;
} product;

static bool get(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t name, void *value, size_t bytes)
{
    size_t written = 0;
    return real.desc_get(d, name, value, bytes, &written) == CUBLAS_STATUS_SUCCESS && written == bytes;
}

static bool read_layout(cublasLtMatrixLayout_t l, layout *out)
{
    int32_t order = -1, batch = 0;
    size_t n = 0;
    return real.layout_get(l, CUBLASLT_MATRIX_LAYOUT_TYPE, &out->type, sizeof out->type, &n) == CUBLAS_STATUS_SUCCESS &&
           real.layout_get(l, CUBLASLT_MATRIX_LAYOUT_ROWS, &out->rows, sizeof out->rows, &n) == CUBLAS_STATUS_SUCCESS &&
           real.layout_get(l, CUBLASLT_MATRIX_LAYOUT_COLS, &out->cols, sizeof out->cols, &n) == CUBLAS_STATUS_SUCCESS &&
           real.layout_get(l, CUBLASLT_MATRIX_LAYOUT_LD, &out->pitch, sizeof out->pitch, &n) == CUBLAS_STATUS_SUCCESS &&
           real.layout_get(l, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof order, &n) == CUBLAS_STATUS_SUCCESS &&
           real.layout_get(l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch, &n) == CUBLAS_STATUS_SUCCESS &&
           order == CUBLASLT_ORDER_COL && batch == 1;
}

// Before 12.9 a scale always applies to a whole factor: there is no mode to read.
#if CUBLAS_VER_MAJOR > 12 || (CUBLAS_VER_MAJOR == 12 && CUBLAS_VER_MINOR >= 9)
static bool read_scale_modes(cublasLtMatmulDesc_t d, product *p)
{
    int32_t a = -1, b = -1;
    if (!get(d, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, &a, sizeof a) ||
        !get(d, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, &b, sizeof b))
        return false;
    p->row_scales = a == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F && b == a;
    return true;
}
#else
static bool read_scale_modes(cublasLtMatmulDesc_t d, product *p)
{
    (void)d;
    p->row_scales = false;
    return true;
}
#endif

static bool read_product(cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                         cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t out, product *p)
{
    const bool there = get(d, CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, &p->compute, sizeof p->compute) &&
                       get(d, CUBLASLT_MATMUL_DESC_SCALE_TYPE, &p->scale_type, sizeof p->scale_type) &&
                       get(d, CUBLASLT_MATMUL_DESC_TRANSA, &p->a_turned, sizeof p->a_turned) &&
                       get(d, CUBLASLT_MATMUL_DESC_TRANSB, &p->b_turned, sizeof p->b_turned) &&
                       get(d, CUBLASLT_MATMUL_DESC_EPILOGUE, &p->epilogue, sizeof p->epilogue) &&
                       get(d, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->bias, sizeof p->bias) &&
                       get(d, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &p->bias_type, sizeof p->bias_type) &&
                       read_scale_modes(d, p) &&
                       get(d, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &p->a_scales, sizeof p->a_scales) &&
                       get(d, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &p->b_scales, sizeof p->b_scales);
    return (there && read_layout(a, &p->a) && read_layout(b, &p->b) && read_layout(c, &p->c) &&
            read_layout(out, &p->d)) ||
           dry_refuse("a product's description can't be read back");
}

// ---- what is accepted ----

static size_t bytes_of(uint32_t type)
{
    return type == CUDA_R_32F ? 4 : type == CUDA_R_8F_E4M3 ? 1 : 2;
}

static bool has_bias(const product *p)
{
    return p->epilogue == CUBLASLT_EPILOGUE_BIAS || p->epilogue == CUBLASLT_EPILOGUE_GELU_BIAS;
}

// e4m3: one scale per row on 9.0 only, rows of whole 16 bytes, a bias in bfloat16. PyTorch has had float32 and bfloat16
// as results of such products on an H100 (its pull requests 162022 and 187569), but never float32 with a bias.
static bool types_fit(const product *p, int capability)
{
    const uint32_t in = p->a.type, out = p->d.type;
    const int32_t bias = p->bias_type < 0 ? (int32_t)out : p->bias_type;
    if (p->scale_type != CUDA_R_32F || p->b.type != in || p->c.type != out)
        return false;
    if (in == CUDA_R_8F_E4M3)
        return capability == 90 && p->compute == CUBLAS_COMPUTE_32F && (out == CUDA_R_32F || out == CUDA_R_16BF) &&
               (!has_bias(p) || bias == CUDA_R_16BF) && p->row_scales && p->a.rows % 16 == 0 && p->d.rows % 16 == 0;
    if (p->a_scales || p->b_scales || (has_bias(p) && bias != (int32_t)out))
        return false;
    if (in == CUDA_R_32F)
        return out == CUDA_R_32F &&
               (p->compute == CUBLAS_COMPUTE_32F || (p->compute == CUBLAS_COMPUTE_32F_FAST_TF32 && capability >= 80));
    return p->compute == CUBLAS_COMPUTE_32F && (out == in || out == CUDA_R_32F) &&
           (in == CUDA_R_16F || (in == CUDA_R_16BF && capability >= 80));
}

// D[n, m] = A[k, n]T B[k, m], all by columns.
static bool shapes_fit(const product *p)
{
    return p->a_turned == CUBLAS_OP_T && p->b_turned == CUBLAS_OP_N && p->a.rows == p->b.rows && p->a.rows > 0 &&
           p->a.cols == p->d.rows && p->b.cols == p->d.cols && p->c.rows == p->d.rows && p->c.cols == p->d.cols &&
           p->a.pitch >= (int64_t)p->a.rows && p->b.pitch >= (int64_t)p->b.rows && p->d.pitch >= (int64_t)p->d.rows &&
           p->c.pitch >= (int64_t)p->c.rows && p->d.rows > 0 && p->d.cols > 0;
}

static cublasStatus_t taken(const product *p)
{
    const dry_card *card = dry_current();
    if (!shapes_fit(p)) {
        dry_refuse("a product whose matrices don't fit each other");
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (has_bias(p) && !p->bias) {
        dry_refuse("a product with a bias that isn't there");
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    return types_fit(p, 10 * card->major + card->minor) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

// ---- what needs a GPU ----

enum { MARK = 0x5d7, ALGORITHMS = 3, WORKSPACE = 1 << 20 };

static char handle;

cublasStatus_t cublasLtCreate(cublasLtHandle_t *out)
{
    *out = real.handle ? (cublasLtHandle_t)(void *)&handle : NULL;
    dry_count(&dry_the_tally()->handles, real.handle != NULL);
    return real.handle ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t h)
{
    if (h != (cublasLtHandle_t)(void *)&handle)
        return told(CUBLAS_STATUS_NOT_INITIALIZED, "cublasLtDestroy");
    dry_count(&dry_the_tally()->handles, -1);
    return CUBLAS_STATUS_SUCCESS;
}

// The last algorithm splits the sum, which the plug-in has to find out from the real library's attributes.
static void make_algorithm(int i, cublasLtMatmulHeuristicResult_t *out)
{
    const int32_t parts = i == ALGORITHMS - 1 ? 4 : 1;
    memset(out, 0, sizeof *out);
    real.config_set(&out->algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &parts, sizeof parts);
    out->algo.data[7] = MARK + (uint64_t)i;
    out->state = CUBLAS_STATUS_SUCCESS;
    out->workspaceSize = WORKSPACE;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t h, cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t out, cublasLtMatmulPreference_t preference,
                                              int wanted, cublasLtMatmulHeuristicResult_t results[], int *count)
{
    product p;
    uint64_t workspace = 0;
    size_t n = 0;
    *count = 0;
    if (!h || wanted < 1 || !read_product(d, a, b, c, out, &p) ||
        real.preference_get(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace, &n) !=
            CUBLAS_STATUS_SUCCESS)
        return told(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulAlgoGetHeuristic");
    const cublasStatus_t status = taken(&p);
    for (; status == CUBLAS_STATUS_SUCCESS && *count < wanted && *count < ALGORITHMS && workspace >= WORKSPACE;
         ++*count)
        make_algorithm(*count, &results[*count]);
    dry_count(&dry_the_tally()->algorithms, 1);
    return status;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t h, cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t a,
                                       cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t out,
                                       const cublasLtMatmulAlgo_t *algorithm, cublasLtMatmulHeuristicResult_t *result)
{
    product p;
    if (!h || !read_product(d, a, b, c, out, &p))
        return told(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulAlgoCheck");
    memset(result, 0, sizeof *result);
    result->workspaceSize = WORKSPACE;
    return algorithm->data[7] - MARK < ALGORITHMS ? taken(&p) : CUBLAS_STATUS_NOT_SUPPORTED;
}

static bool is_there(const layout *l, const void *data, const char *what)
{
    return dry_is_device(data, (size_t)l->pitch * l->cols * bytes_of(l->type), what);
}

// Results may overlap the residual, but not a factor.
static bool operands_fit(const product *p, const void *a, const void *b, const void *c, const void *d, float residual)
{
    return is_there(&p->a, a, "a product's weight") && is_there(&p->b, b, "a product's rows") &&
           is_there(&p->d, d, "a product's result") && (residual == 0 || is_there(&p->c, c, "a product's residual")) &&
           (!has_bias(p) || dry_is_device(p->bias, p->d.rows * bytes_of((uint32_t)p->bias_type), "a product's bias")) &&
           (!p->a_scales || dry_is_device(p->a_scales, p->a.cols * sizeof(float), "a weight's scales")) &&
           (!p->b_scales || dry_is_device(p->b_scales, p->b.cols * sizeof(float), "rows' scales"));
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t h, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
                              const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algorithm, void *workspace,
                              size_t workspace_bytes, cudaStream_t stream)
{
    product p;
    cublasLtMatmulHeuristicResult_t checked;
    const cublasStatus_t status =
        cublasLtMatmulAlgoCheck(h, desc, a_layout, b_layout, c_layout, d_layout, algorithm, &checked);
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    if (*(const float *)alpha != 1 || !read_product(desc, a_layout, b_layout, c_layout, d_layout, &p) ||
        !operands_fit(&p, a, b, c, d, *(const float *)beta) || workspace_bytes < WORKSPACE ||
        !dry_is_device(workspace, workspace_bytes, "a product's workspace"))
        return told(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmul");
    return dry_work(stream, &dry_the_tally()->products, "cublasLtMatmul") ? CUBLAS_STATUS_SUCCESS
                                                                          : CUBLAS_STATUS_EXECUTION_FAILED;
}
