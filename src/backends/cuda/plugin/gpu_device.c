// The device table on the CUDA runtime.
#include "gpu_device.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double awake_most = 2e-3; // seconds

struct tub_gpu_graph {
    cudaGraphExec_t executable;
};

tub_status tub_plugin_fail(tub_error *err, tub_status status, const char *format, ...)
{
    if (!err)
        return status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    err->status = status;
    return status;
}

tub_status tub_cuda_failed(tub_error *err, cudaError_t code, const char *what)
{
    if (code == cudaSuccess)
        return TUB_OK;
    (void)cudaGetLastError(); // clears an error that isn't sticky
    if (code == cudaErrorMemoryAllocation)
        return tub_plugin_fail(err, TUB_ERROR_MEMORY, "%s: the GPU has no memory left", what);
    return tub_plugin_fail(err, TUB_ERROR_DEVICE, "%s: CUDA: %s (%s)", what, cudaGetErrorString(code),
                           cudaGetErrorName(code));
}

tub_status tub_cuda_pinning_failed(tub_error *err, cudaError_t code, size_t bytes)
{
    const tub_status status = tub_cuda_failed(err, code, "pinned memory");
    if (status == TUB_ERROR_MEMORY)
        return tub_plugin_fail(err, status, "the host has no %zu MiB left that can be pinned for the GPU",
                               (bytes >> 20) + 1);
    return status;
}

#define TRY(call, what)                                                                                                \
    do {                                                                                                               \
        const tub_status try_ = tub_cuda_failed(err, (call), what);                                                    \
        if (try_ != TUB_OK)                                                                                            \
            return try_;                                                                                               \
    } while (0)

// Ignores the result of a query; it must not be taken for the next kernel's error.
static void ignore(cudaError_t code)
{
    if (code != cudaSuccess)
        (void)cudaGetLastError();
}

// ---- the machine ----

static tub_status cuda_count(int *out, tub_error *err)
{
    *out = 0;
    const cudaError_t code = cudaGetDeviceCount(out);
    (void)cudaGetLastError();
    if (code == cudaSuccess && *out > 0)
        return TUB_OK;
    int driver = 0;
    if (code == cudaErrorInsufficientDriver && cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0)
        return tub_plugin_fail(
            err, TUB_ERROR_DEVICE,
            "CUDA: the driver is too old: it knows CUDA %d.%d, but %d.%d is needed: update it, or use "
            "--device cpu",
            driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    if (code == cudaErrorInsufficientDriver)
        return tub_plugin_fail(err, TUB_ERROR_DEVICE, "CUDA: no driver: install NVIDIA's, or use --device cpu");
    if (code == cudaErrorNoDevice || code == cudaSuccess)
        return tub_plugin_fail(err, TUB_ERROR_DEVICE,
                               "CUDA: no GPU is visible (CUDA_VISIBLE_DEVICES hides some): use --device cpu");
    return tub_plugin_fail(err, TUB_ERROR_DEVICE, "CUDA: %s (%s): see what nvidia-smi says, or use --device cpu",
                           cudaGetErrorString(code), cudaGetErrorName(code));
}

// The key is used as a file name: letters, digits, dots and dashes.
static void write_key(char *out, size_t bytes, const struct cudaDeviceProp *p, int code, const size_t libraries[2])
{
    snprintf(out, bytes, "%.26s-sm%d%d-%d-%d-%zu-%zu-%d", p->name, p->major, p->minor, code, p->multiProcessorCount,
             libraries[0], libraries[1], TUB_GPU_VERSION);
    for (char *c = out; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *c))
            *c = '-';
}

// Also gives the versions of cuBLASLt and cuDNN; 0 if the library isn't there.
static void write_libraries(char *out, size_t bytes, size_t versions[2])
{
    int driver = 0;
    tub_cublaslt lt = {0};
    tub_cudnn dnn = {0};
    tub_error why = {0};
    versions[0] = versions[1] = 0;
    ignore(cudaDriverGetVersion(&driver));
    int used = snprintf(out, bytes, "driver for CUDA %d.%d", driver / 1000, driver % 1000 / 10);
    if (tub_cublaslt_load(&lt, NULL) == TUB_OK) {
        versions[0] = lt.cublasLtGetVersion();
        used += snprintf(out + used, bytes - (size_t)used, ", cuBLASLt %zu", versions[0]);
    } else {
        used += snprintf(out + used, bytes - (size_t)used, ", no cuBLASLt");
    }
    if (tub_cudnn_load(&dnn, &why) == TUB_OK) {
        versions[1] = dnn.cudnnGetVersion();
        snprintf(out + used, bytes - (size_t)used, ", cuDNN %zu", versions[1]);
    } else {
        snprintf(out + used, bytes - (size_t)used, ", no cuDNN: %.80s", why.text);
    }
}

static bool has_row_scales(size_t cublaslt)
{
#ifdef TUB_CUBLASLT_ROW_SCALES
    return cublaslt >= TUB_CUBLASLT_ROW_SCALES;
#else
    (void)cublaslt;
    return false;
#endif
}

static tub_status find_code(int index, const struct cudaDeviceProp *p, int *out, tub_error *err)
{
    char list[128];
    const tub_gpu_code code = tub_cuda_code();
    const int own = 10 * p->major + p->minor;
    *out = tub_gpu_code_for(&code, own);
    if (*out > 0)
        return TUB_OK;
    tub_gpu_list_code(&code, list, sizeof list);
    return tub_plugin_fail(
        err, TUB_ERROR_DEVICE,
        "CUDA: device %d, %.90s, has compute capability %d.%d, and libtubelet_cuda.so code for %s: "
        "build it with `make install CUDA_ARCHITECTURES=%d-real` and a toolkit that knows it, or use "
        "--device cpu",
        index, p->name, p->major, p->minor, list, own);
}

static tub_status cuda_describe(int index, tub_gpu_facts *out, tub_error *err)
{
    struct cudaDeviceProp p;
    int count = 0;
    const tub_status status = cuda_count(&count, err);
    if (status != TUB_OK)
        return status;
    if (index < 0 || index >= count)
        return tub_plugin_fail(err, TUB_ERROR_DEVICE, "CUDA: device %d: there are %d, the first is 0", index, count);
    TRY(cudaGetDeviceProperties(&p, index), "the GPU's properties");
    memset(out, 0, sizeof *out);
    const tub_status code = find_code(index, &p, &out->code, err);
    if (code != TUB_OK)
        return code;
    snprintf(out->name, sizeof out->name, "%.90s", p.name);
    size_t versions[2];
    write_libraries(out->libraries, sizeof out->libraries, versions);
    write_key(out->key, sizeof out->key, &p, out->code, versions);
    out->major = p.major;
    out->minor = p.minor;
    out->processors = p.multiProcessorCount;
    out->memory = p.totalGlobalMem;
    out->row_scales = has_row_scales(versions[0]);
    return TUB_OK;
}

// ---- the device ----

static tub_status use(const tub_gpu *gpu, tub_error *err)
{
    return tub_cuda_failed(err, cudaSetDevice(gpu->index), "the GPU");
}

#define USE(gpu)                                                                                                       \
    do {                                                                                                               \
        const tub_status use_ = use((gpu), err);                                                                       \
        if (use_ != TUB_OK)                                                                                            \
            return use_;                                                                                               \
    } while (0)

static void cuda_close(tub_gpu **gpu)
{
    if (!*gpu)
        return;
    tub_gpu *g = *gpu;
    ignore(cudaSetDevice(g->index));
    if (g->attention)
        g->cudnn.cudnnDestroy(g->attention);
    if (g->products)
        g->cublaslt.cublasLtDestroy(g->products);
    for (int i = 0; i < TUB_GPU_EVENTS; i++)
        if (g->events[i])
            ignore(cudaEventDestroy(g->events[i]));
    for (int i = 0; i < 2; i++)
        if (g->streams[i])
            ignore(cudaStreamDestroy(g->streams[i]));
    free(g);
    *gpu = NULL;
}

static void open_cudnn(tub_gpu *g)
{
    tub_error why = {0};
    tub_status status = tub_cudnn_load(&g->cudnn, &why);
    if (status == TUB_OK && g->cudnn.cudnnCreate(&g->attention) != CUDNN_STATUS_SUCCESS) {
        g->attention = NULL;
        status = tub_plugin_fail(&why, TUB_ERROR_DEVICE, "cuDNN can't be started on this GPU");
    }
    if (status == TUB_OK &&
        g->cudnn.cudnnSetStream(g->attention, g->streams[TUB_GPU_COMPUTE]) != CUDNN_STATUS_SUCCESS) {
        g->cudnn.cudnnDestroy(g->attention);
        g->attention = NULL;
        status = tub_plugin_fail(&why, TUB_ERROR_DEVICE, "cuDNN refuses the stream");
    }
    if (status != TUB_OK)
        snprintf(g->cudnn_reason, sizeof g->cudnn_reason, "%.*s", (int)sizeof g->cudnn_reason - 1, why.text);
}

static tub_status start(tub_gpu *g, bool bare, tub_error *err)
{
    int least = 0, greatest = 0;
    g->bare = bare;
    USE(g);
    TRY(tub_cuda_find_code(), "libtubelet_cuda.so has no code for this GPU");
    TRY(cudaDeviceGetStreamPriorityRange(&least, &greatest), "the streams' priorities");
    // A bare device's kernels are short, and threads wait for them: they take precedence over a model's long ones.
    for (int i = 0; i < 2; i++)
        TRY(cudaStreamCreateWithPriority(&g->streams[i], cudaStreamNonBlocking, bare ? greatest : least), "a stream");
    for (int i = 0; i < TUB_GPU_EVENTS; i++)
        TRY(cudaEventCreateWithFlags(&g->events[i], cudaEventBlockingSync), "an event");
    if (bare)
        return TUB_OK;
    const tub_status status = tub_cublaslt_load(&g->cublaslt, err);
    if (status != TUB_OK)
        return status;
    const cublasStatus_t code = g->cublaslt.cublasLtCreate(&g->products);
    if (code != CUBLAS_STATUS_SUCCESS) {
        g->products = NULL;
        return code == CUBLAS_STATUS_ALLOC_FAILED
                   ? tub_plugin_fail(err, TUB_ERROR_MEMORY, "CUDA: cuBLASLt can't be started: no memory is left")
                   : tub_plugin_fail(err, TUB_ERROR_DEVICE,
                                     "CUDA: cuBLASLt can't be started (status %d): it may not fit the driver",
                                     (int)code);
    }
    open_cudnn(g);
    return TUB_OK;
}

static tub_status cuda_open(int index, bool bare, tub_gpu **out, tub_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return tub_plugin_fail(err, TUB_ERROR_MEMORY, "out of memory for a GPU's description");
    (*out)->index = index;
    const tub_status status = start(*out, bare, err);
    if (status != TUB_OK)
        cuda_close(out);
    return status;
}

// ---- memory ----

static tub_status cuda_memory_free(tub_gpu *gpu, size_t *out, tub_error *err)
{
    size_t whole = 0;
    USE(gpu);
    return tub_cuda_failed(err, cudaMemGetInfo(out, &whole), "the GPU's memory");
}

static tub_status cuda_allocate(tub_gpu *gpu, size_t bytes, void **out, tub_error *err)
{
    USE(gpu);
    const tub_status status = tub_cuda_failed(err, cudaMalloc(out, bytes ? bytes : 1), "GPU memory");
    if (status == TUB_ERROR_MEMORY)
        return tub_plugin_fail(err, status, "the GPU has no %.0f MiB left", (double)bytes / (1 << 20));
    return status;
}

static void cuda_release(tub_gpu *gpu, void *memory)
{
    if (memory && use(gpu, NULL) == TUB_OK)
        ignore(cudaFree(memory));
}

static tub_status cuda_allocate_host(tub_gpu *gpu, size_t bytes, void **out, tub_error *err)
{
    USE(gpu);
    return tub_cuda_pinning_failed(err, cudaHostAlloc(out, bytes ? bytes : 1, cudaHostAllocPortable), bytes);
}

static void cuda_release_host(tub_gpu *gpu, void *memory)
{
    if (memory && use(gpu, NULL) == TUB_OK)
        ignore(cudaFreeHost(memory));
}

static tub_status cuda_pin(tub_gpu *gpu, void *host, size_t bytes, tub_error *err)
{
    USE(gpu);
    return tub_cuda_pinning_failed(err, cudaHostRegister(host, bytes, cudaHostRegisterPortable), bytes);
}

static void cuda_unpin(tub_gpu *gpu, void *host)
{
    if (use(gpu, NULL) == TUB_OK)
        ignore(cudaHostUnregister(host));
}

// ---- work ----

static tub_status cuda_upload(tub_gpu *gpu, tub_gpu_stream stream, void *to, const void *host, size_t bytes,
                              tub_error *err)
{
    USE(gpu);
    return tub_cuda_failed(err, cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, gpu->streams[stream]),
                           "an upload");
}

static tub_status cuda_download(tub_gpu *gpu, tub_gpu_stream stream, void *host, const void *from, size_t bytes,
                                tub_error *err)
{
    USE(gpu);
    return tub_cuda_failed(err, cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, gpu->streams[stream]),
                           "a download");
}

const char *tub_cuda_kernel_name(tub_gpu_task_kind kind)
{
    switch (kind) {
    case TUB_GPU_PATCHES:
        return "the kernel of patches";
    case TUB_GPU_NORM:
        return "the kernel of norms";
    case TUB_GPU_ROTATE:
        return "the kernel of rotations";
    case TUB_GPU_SUM:
        return "the kernel of sums";
    case TUB_GPU_COPY_ROWS:
        return "the kernel that copies rows";
    case TUB_GPU_GATE:
        return "the kernel of gates";
    case TUB_GPU_ACTIVATE:
        return "the kernel of activations";
    case TUB_GPU_MEAN:
        return "the kernel of means";
    case TUB_GPU_ATTENTION:
        return "the kernel of attention";
    case TUB_GPU_FLASH:
        return "the kernel of attention on tensor cores";
    case TUB_GPU_PIXELS:
        return "the kernel that makes pixels of frames";
    case TUB_GPU_QUANTISE:
        return "the kernel that rounds to e4m3";
    case TUB_GPU_JOINED:
        return "the kernel of products with the step behind them";
    case TUB_GPU_TASK_KINDS:
        break;
    }
    return "a kernel";
}

tub_status tub_cuda_launch(tub_gpu *gpu, const tub_gpu_task *task, tub_error *err)
{
    USE(gpu);
    return tub_cuda_failed(err, tub_cuda_launch_task(task, gpu->streams[TUB_GPU_COMPUTE]),
                           tub_cuda_kernel_name(task->kind));
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static tub_status cuda_record(tub_gpu *gpu, int event, tub_gpu_stream stream, tub_error *err)
{
    USE(gpu);
    return tub_cuda_failed(err, cudaEventRecord(gpu->events[event], gpu->streams[stream]), "an event");
}

static tub_status cuda_wait(tub_gpu *gpu, tub_gpu_stream stream, int event, tub_error *err)
{
    USE(gpu);
    return tub_cuda_failed(err, cudaStreamWaitEvent(gpu->streams[stream], gpu->events[event], 0), "waiting");
}

// Waking a sleeping thread takes tens of microseconds, which is noticeable in the forward pass of a single clip. So we
// poll at first, and sleep only if the work takes long. A bare device's threads always sleep: they have videos to
// decode.
static void wait_awake(const tub_gpu *gpu, int event)
{
    const double until = seconds() + awake_most;
    cudaError_t code = cudaErrorNotReady;
    while (!gpu->bare && code == cudaErrorNotReady && seconds() < until)
        ignore(code = cudaEventQuery(gpu->events[event]));
}

static tub_status cuda_settle(tub_gpu *gpu, int event, tub_error *err)
{
    USE(gpu);
    wait_awake(gpu, event);
    return tub_cuda_failed(err, cudaEventSynchronize(gpu->events[event]), "the GPU's work");
}

static tub_status cuda_elapsed(tub_gpu *gpu, int from, int to, double *milliseconds, tub_error *err)
{
    float time = 0;
    USE(gpu);
    TRY(cudaEventElapsedTime(&time, gpu->events[from], gpu->events[to]), "a measurement");
    *milliseconds = (double)time;
    return TUB_OK;
}

// ---- graphs ----

static tub_status cuda_capture(tub_gpu *gpu, tub_error *err)
{
    USE(gpu);
    // Thread-local: other threads may allocate memory for other devices meanwhile.
    return tub_cuda_failed(err, cudaStreamBeginCapture(gpu->streams[TUB_GPU_COMPUTE], cudaStreamCaptureModeThreadLocal),
                           "recording");
}

static tub_status cuda_captured(tub_gpu *gpu, tub_gpu_graph **out, tub_error *err)
{
    cudaGraph_t graph = NULL;
    *out = NULL;
    USE(gpu);
    TRY(cudaStreamEndCapture(gpu->streams[TUB_GPU_COMPUTE], &graph), "recording");
    tub_gpu_graph *g = calloc(1, sizeof *g);
    if (!g) {
        ignore(cudaGraphDestroy(graph));
        return tub_plugin_fail(err, TUB_ERROR_MEMORY, "out of memory for a graph");
    }
    const cudaError_t code = cudaGraphInstantiate(&g->executable, graph, 0);
    ignore(cudaGraphDestroy(graph));
    if (code != cudaSuccess) {
        free(g);
        return tub_cuda_failed(err, code, "a graph");
    }
    *out = g;
    return TUB_OK;
}

static tub_status cuda_replay(tub_gpu *gpu, tub_gpu_graph *graph, tub_error *err)
{
    USE(gpu);
    return tub_cuda_failed(err, cudaGraphLaunch(graph->executable, gpu->streams[TUB_GPU_COMPUTE]), "a graph");
}

static void cuda_forget(tub_gpu *gpu, tub_gpu_graph *graph)
{
    if (!graph)
        return;
    if (use(gpu, NULL) == TUB_OK)
        ignore(cudaGraphExecDestroy(graph->executable));
    free(graph);
}

static const tub_gpu_ops table = {
    .version = TUB_GPU_VERSION,
    .count = cuda_count,
    .describe = cuda_describe,
    .open = cuda_open,
    .close = cuda_close,
    .memory_free = cuda_memory_free,
    .allocate = cuda_allocate,
    .release = cuda_release,
    .allocate_host = cuda_allocate_host,
    .release_host = cuda_release_host,
    .pin = cuda_pin,
    .unpin = cuda_unpin,
    .upload = cuda_upload,
    .download = cuda_download,
    .launch = tub_cuda_launch,
    .record = cuda_record,
    .wait = cuda_wait,
    .settle = cuda_settle,
    .elapsed = cuda_elapsed,
    .algorithms = tub_cuda_algorithms,
    .serves = tub_cuda_serves,
    .multiply = tub_cuda_multiply,
    .plan_attention = tub_cuda_plan_attention,
    .write_plan = tub_cuda_write_plan,
    .attend = tub_cuda_attend,
    .release_plan = tub_cuda_release_plan,
    .capture = cuda_capture,
    .captured = cuda_captured,
    .replay = cuda_replay,
    .forget = cuda_forget,
};

__attribute__((visibility("default"))) const tub_gpu_ops *tub_gpu_plugin(void);

const tub_gpu_ops *tub_gpu_plugin(void)
{
    return &table;
}
