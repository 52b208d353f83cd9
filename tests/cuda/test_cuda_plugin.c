// The plug-in on a machine without a GPU: it loads, says what is missing, and finds cuBLASLt and cuDNN. cuDNN makes
// plans of our attention for the description of a GPU: it generates a kernel and has NVRTC compile it. Built if the
// CUDA toolkit is there.
//
// Even then cuDNN needs a driver's library: CTest puts tests/fakes/dry_cuda.c in its place.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_plugin.h"
#include "dry_cards.h"
#include "gpu_attention.h"
#include "gpu_kernels.h"

static void loads_and_says_what_is_missing(void **state)
{
    (void)state;
    const tub_gpu_ops *ops = NULL;
    void *library = NULL;
    tub_error err = {0};
    setenv("TUBELET_CUDA_PLUGIN", TEST_CUDA_PLUGIN, 1);
    assert_int_equal(tub_cuda_plugin_load(&ops, &library, &err), TUB_OK);
    assert_int_equal(ops->version, TUB_GPU_VERSION);
    int count = -1;
    const tub_status status = ops->count(&count, &err);
    if (status == TUB_OK) { // a machine with a GPU
        assert_true(count > 0);
    } else {
        assert_int_equal(status, TUB_ERROR_DEVICE);
        assert_non_null(strstr(err.text, "--device cpu"));
        assert_int_equal(ops->describe(0, &(tub_gpu_facts){0}, &err), TUB_ERROR_DEVICE);
    }
    tub_cuda_plugin_unload(library);
    setenv("TUBELET_CUDA_PLUGIN", TEST_DATA, 1);
    assert_int_equal(tub_cuda_plugin_load(&ops, &library, &err), TUB_ERROR_DEVICE);
    unsetenv("TUBELET_CUDA_PLUGIN");
}

static void knows_which_cards_it_has_code_for(void **state)
{
    (void)state;
    const tub_gpu_code with_form = {{75, 80, 90}, 3, {90}, 1}, real = {{80, 75}, 2, {0}, 0};
    const tub_gpu_code old_forms = {{70, 75}, 2, {70, 75}, 2};
    char list[128];
    assert_int_equal(tub_gpu_code_for(&with_form, 70), 0);
    assert_int_equal(tub_gpu_code_for(&with_form, 75), 75);
    assert_int_equal(tub_gpu_code_for(&with_form, 86), 80); // machine code of 8.0
    assert_int_equal(tub_gpu_code_for(&with_form, 120), 90);
    assert_int_equal(tub_gpu_code_for(&real, 89), 80);
    assert_int_equal(tub_gpu_code_for(&real, 90), 0);
    assert_int_equal(tub_gpu_code_for(&old_forms, 72), 70);
    assert_int_equal(tub_gpu_code_for(&old_forms, 90), 75);
    tub_gpu_list_code(&with_form, list, sizeof list);
    assert_string_equal(list, "7.5, 8.0, 9.0 and newer");
    tub_gpu_list_code(&real, list, sizeof list);
    assert_string_equal(list, "8.0, 7.5");
    const tub_gpu_code own = tub_cuda_code(); // the code in this build
    assert_true(own.count > 0);
    assert_int_equal(tub_gpu_code_for(&own, own.compiled[0]), own.compiled[0]);
}

static void finds_the_libraries(void **state)
{
    (void)state;
    tub_cublaslt lt = {0};
    tub_cudnn dnn = {0};
    tub_error err = {0};
    if (tub_cublaslt_load(&lt, &err) != TUB_OK)
        fail_msg("%s", err.text);
    assert_true(lt.cublasLtGetVersion() / 10000 == CUBLAS_VER_MAJOR);
    if (tub_cudnn_load(&dnn, &err) != TUB_OK)
        fail_msg("%s", err.text);
}

enum { H100, A100, T4 }; // indices into dry_cards

static cudnnBackendDescriptor_t describe(const tub_cudnn *dnn, const char *text)
{
    cudnnBackendDescriptor_t d = NULL;
    assert_int_equal(dnn->cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d), CUDNN_STATUS_SUCCESS);
    assert_int_equal(dnn->cudnnBackendSetAttribute(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                                   (int64_t)strlen(text) + 1, text),
                     CUDNN_STATUS_SUCCESS);
    if (dnn->cudnnBackendFinalize(d) == CUDNN_STATUS_SUCCESS)
        return d;
    dnn->cudnnBackendDestroyDescriptor(d);
    return NULL; // another cuDNN version describes GPUs differently
}

// Works on a stacked qkv, as programs do.
static tub_gpu_attention stacked(tub_gpu_type type, int batch, int heads, int rows, int dim)
{
    const int cols = heads * dim;
    return (tub_gpu_attention){.type = type,
                               .batch = batch,
                               .heads = heads,
                               .dim = dim,
                               .queries = rows,
                               .keys = rows,
                               .scale = 0.125f,
                               .q_row = 3 * cols,
                               .k_row = 3 * cols,
                               .v_row = 3 * cols,
                               .out_row = cols,
                               .q_batch = (int64_t)rows * 3 * cols,
                               .k_batch = (int64_t)rows * 3 * cols,
                               .v_batch = (int64_t)rows * 3 * cols,
                               .out_batch = (int64_t)rows * cols};
}

typedef struct attention_case {
    int batch, heads, rows, dim;
} attention_case;

// The kernel that the driver's stand-in has loaded; NULL: none.
static const char *kernel_loaded(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    void *symbol = driver ? dlsym(driver, "dry_cuda_kernel") : NULL;
    const char *(*ask)(void);
    assert_non_null(symbol);
    memcpy(&ask, &symbol, sizeof symbol);
    dlclose(driver);
    return ask();
}

static void check_plan(const tub_cudnn *dnn, cudnnBackendDescriptor_t gpu, tub_gpu_type type, const attention_case *c)
{
    const tub_gpu_attention a = stacked(type, c->batch, c->heads, c->rows, c->dim);
    tub_gpu_plan *plan = NULL;
    size_t workspace = 0;
    tub_error err = {0};
    if (tub_attention_plan(dnn, (tub_plan_target){.description = gpu}, &a, (tub_gpu_text){0}, &plan, &workspace,
                           &err) != TUB_OK)
        fail_msg("%d heads of %d: %s", c->heads, c->dim, err.text);
    assert_true(workspace < 1 << 20); // too small for [queries, keys]
    const char *name = kernel_loaded();
    if (!name || !strstr(name, "flash"))
        fail_msg("%d heads of %d: %s", c->heads, c->dim, name ? name : "no kernel");
    tub_plan_release(dnn, plan);
}

static void cudnn_plans_our_attention(void **state)
{
    (void)state;
    static const attention_case cases[] = {
        {4, 12, 1568, 64}, // VideoMAE-B
        {8, 16, 4096, 64}, // OneVision-L
        {8, 16, 729, 72},  // SigLIP
        {4, 16, 257, 88},  // giant models
        {96, 12, 8, 64},   // over time, as in TimeSformer
    };
    tub_cudnn dnn = {0};
    tub_error err = {0};
    assert_int_equal(tub_cudnn_load(&dnn, &err), TUB_OK);
    for (int card = H100; card <= A100; card++) {
        cudnnBackendDescriptor_t gpu = describe(&dnn, dry_cards[card].described);
        if (!gpu)
            skip();
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            for (int type = TUB_GPU_F16; type <= TUB_GPU_BF16; type++)
                check_plan(&dnn, gpu, (tub_gpu_type)type, &cases[i]);
        dnn.cudnnBackendDestroyDescriptor(gpu);
    }
}

// A row's bytes mustn't depend on how many rows are computed at once: it must be the same kernel with the same amount
// of memory, since parts of a sum would be there.
static void check_batches(const tub_cudnn *dnn, cudnnBackendDescriptor_t gpu, int queries, int keys)
{
    static const int batches[] = {1, 2, 128};
    char first[512] = "";
    size_t first_bytes = 0;
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        tub_gpu_attention a = stacked(TUB_GPU_F16, batches[i], 12, keys, 64);
        tub_gpu_plan *plan = NULL;
        size_t workspace = 0;
        tub_error err = {0};
        a.queries = queries;
        if (tub_attention_plan(dnn, (tub_plan_target){.description = gpu}, &a, (tub_gpu_text){0}, &plan, &workspace,
                               &err) != TUB_OK)
            fail_msg("%d at once: %s", batches[i], err.text);
        if (i == 0) {
            snprintf(first, sizeof first, "%s", kernel_loaded());
            first_bytes = workspace;
        }
        assert_string_equal(kernel_loaded(), first);
        assert_int_equal(workspace, first_bytes);
        tub_plan_release(dnn, plan);
    }
}

static void cudnn_takes_one_kernel_whatever_the_batch(void **state)
{
    (void)state;
    tub_cudnn dnn = {0};
    tub_error err = {0};
    assert_int_equal(tub_cudnn_load(&dnn, &err), TUB_OK);
    for (int card = H100; card <= A100; card++) {
        cudnnBackendDescriptor_t gpu = describe(&dnn, dry_cards[card].described);
        if (!gpu)
            skip();
        check_batches(&dnn, gpu, 1568, 1568);
        check_batches(&dnn, gpu, 2, 4096);
        dnn.cudnnBackendDestroyDescriptor(gpu);
    }
}

// Our own kernel is then used.
static void cudnn_says_that_it_has_none_for_old_cards(void **state)
{
    (void)state;
    const tub_gpu_attention a = stacked(TUB_GPU_F16, 8, 16, 257, 64);
    tub_gpu_plan *plan = NULL;
    size_t workspace = 0;
    tub_cudnn dnn = {0};
    tub_error err = {0};
    assert_int_equal(tub_cudnn_load(&dnn, &err), TUB_OK);
    cudnnBackendDescriptor_t gpu = describe(&dnn, dry_cards[T4].described);
    if (!gpu)
        skip();
    assert_int_equal(
        tub_attention_plan(&dnn, (tub_plan_target){.description = gpu}, &a, (tub_gpu_text){0}, &plan, &workspace, &err),
        TUB_END);
    assert_non_null(strstr(err.text, "older than 8.0"));
    dnn.cudnnBackendDestroyDescriptor(gpu);
}

static tub_gpu_plan *planned(const tub_cudnn *dnn, tub_plan_target target, tub_gpu_text text)
{
    const tub_gpu_attention a = stacked(TUB_GPU_F16, 4, 12, 1568, 64);
    tub_gpu_plan *plan = NULL;
    size_t workspace = 0;
    tub_error err = {0};
    if (tub_attention_plan(dnn, target, &a, text, &plan, &workspace, &err) != TUB_OK)
        fail_msg("%s", err.text);
    assert_int_equal(workspace, plan->workspace);
    return plan;
}

static void check_text(const tub_cudnn *dnn, tub_plan_target target)
{
    tub_gpu_plan *plan = planned(dnn, target, (tub_gpu_text){0}), *again = NULL;
    char name[512];
    size_t bytes = 0;
    snprintf(name, sizeof name, "%s", kernel_loaded());
    assert_non_null(plan->configuration);
    assert_true(tub_plan_write(dnn, plan, NULL, &bytes));
    char *text = malloc(bytes);
    assert_true(text && tub_plan_write(dnn, plan, text, &bytes));
    again = planned(dnn, target, (tub_gpu_text){text, bytes});
    assert_null(again->configuration);
    assert_int_equal(again->workspace, plan->workspace);
    assert_string_equal(kernel_loaded(), name);
    tub_plan_release(dnn, again);
    text[bytes / 2] = 0; // so it is compiled
    again = planned(dnn, target, (tub_gpu_text){text, bytes});
    assert_non_null(again->configuration);
    tub_plan_release(dnn, again);
    tub_plan_release(dnn, plan);
    free(text);
}

// Needs no compiler.
static void a_text_gives_the_same_plan(void **state)
{
    (void)state;
    tub_cudnn dnn = {0};
    tub_error err = {0};
    assert_int_equal(tub_cudnn_load(&dnn, &err), TUB_OK);
    for (int card = H100; card <= A100; card++) {
        cudnnBackendDescriptor_t gpu = describe(&dnn, dry_cards[card].described);
        if (!gpu)
            skip();
        check_text(&dnn, (tub_plan_target){.description = gpu});
        dnn.cudnnBackendDestroyDescriptor(gpu);
    }
}

// The library's function, and the number of calls until one finds no memory.
static cudnnStatus_t (*finalize)(cudnnBackendDescriptor_t);
static int until_short;

static cudnnStatus_t finalize_or_be_short(cudnnBackendDescriptor_t d)
{
    return until_short-- == 0 ? CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED : finalize(d);
}

// Then fewer items are taken, not another kernel, which would give other bits.
static void a_plan_that_has_no_memory_is_made_later(void **state)
{
    (void)state;
    const tub_gpu_attention a = stacked(TUB_GPU_F16, 4, 12, 1568, 64);
    tub_status status = TUB_ERROR_MEMORY;
    tub_cudnn dnn = {0};
    tub_error err = {0};
    int call = 0;
    assert_int_equal(tub_cudnn_load(&dnn, &err), TUB_OK);
    cudnnBackendDescriptor_t gpu = describe(&dnn, dry_cards[H100].described);
    if (!gpu)
        skip();
    finalize = dnn.cudnnBackendFinalize;
    dnn.cudnnBackendFinalize = finalize_or_be_short;
    for (; status == TUB_ERROR_MEMORY; call++) {
        tub_gpu_plan *plan = NULL;
        size_t workspace = 0;
        until_short = call;
        status = tub_attention_plan(&dnn, (tub_plan_target){.description = gpu}, &a, (tub_gpu_text){0}, &plan,
                                    &workspace, &err);
        assert_int_equal(plan != NULL, status == TUB_OK);
        tub_plan_release(&dnn, plan);
    }
    assert_int_equal(status, TUB_OK);
    assert_true(call > 5);
    dnn.cudnnBackendDestroyDescriptor(gpu);
}

static void cudnn_is_not_asked_for_what_it_has_not(void **state)
{
    (void)state;
    const tub_cudnn none = {0};
    const tub_gpu_attention odd = stacked(TUB_GPU_F16, 2, 2, 50, 20), wide = stacked(TUB_GPU_F32, 2, 2, 50, 64);
    tub_gpu_attention single = stacked(TUB_GPU_F16, 1, 2, 50, 64), shared = single;
    single.queries = 1;
    shared.q_batch = 0;
    tub_gpu_plan *plan = NULL;
    size_t workspace = 0;
    tub_error err = {0};
    assert_int_equal(tub_attention_plan(&none, (tub_plan_target){0}, &odd, (tub_gpu_text){0}, &plan, &workspace, &err),
                     TUB_END);
    assert_non_null(strstr(err.text, "heads of 20 columns"));
    assert_int_equal(tub_attention_plan(&none, (tub_plan_target){0}, &wide, (tub_gpu_text){0}, &plan, &workspace, &err),
                     TUB_END);
    assert_non_null(strstr(err.text, "float32"));
    assert_int_equal(
        tub_attention_plan(&none, (tub_plan_target){0}, &single, (tub_gpu_text){0}, &plan, &workspace, &err), TUB_END);
    assert_non_null(strstr(err.text, "single query"));
    assert_int_equal(
        tub_attention_plan(&none, (tub_plan_target){0}, &shared, (tub_gpu_text){0}, &plan, &workspace, &err), TUB_END);
    assert_non_null(strstr(err.text, "share"));
}

static void halving_is_for_memory_alone(void **state)
{
    (void)state;
    tub_error err = {0};
    assert_int_equal(tub_cuda_failed(&err, cudaSuccess, "a"), TUB_OK);
    assert_int_equal(tub_cuda_failed(&err, cudaErrorMemoryAllocation, "a"), TUB_ERROR_MEMORY);
    assert_int_equal(tub_cuda_pinning_failed(&err, cudaErrorMemoryAllocation, 5 << 19), TUB_ERROR_MEMORY);
    assert_string_equal(err.text, "the host has no 3 MiB left that can be pinned for the GPU");
    assert_int_equal(tub_cuda_pinning_failed(&err, cudaErrorHostMemoryAlreadyRegistered, 1), TUB_ERROR_DEVICE);
    assert_non_null(strstr(err.text, "pinned memory: CUDA: "));
    assert_int_equal(tub_cuda_failed(&err, cudaErrorLaunchOutOfResources, "a kernel of norms"), TUB_ERROR_DEVICE);
    assert_non_null(strstr(err.text, "a kernel of norms"));
    for (int i = 0; i < TUB_GPU_TASK_KINDS; i++) // each has its own name
        for (int j = i + 1; j <= TUB_GPU_TASK_KINDS; j++)
            assert_string_not_equal(tub_cuda_kernel_name((tub_gpu_task_kind)i),
                                    tub_cuda_kernel_name((tub_gpu_task_kind)j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_and_says_what_is_missing),
        cmocka_unit_test(knows_which_cards_it_has_code_for),
        cmocka_unit_test(finds_the_libraries),
        cmocka_unit_test(cudnn_plans_our_attention),
        cmocka_unit_test(cudnn_takes_one_kernel_whatever_the_batch),
        cmocka_unit_test(cudnn_says_that_it_has_none_for_old_cards),
        cmocka_unit_test(a_text_gives_the_same_plan),
        cmocka_unit_test(a_plan_that_has_no_memory_is_made_later),
        cmocka_unit_test(cudnn_is_not_asked_for_what_it_has_not),
        cmocka_unit_test(halving_is_for_memory_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
