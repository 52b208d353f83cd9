// gpu_joined_speed [ROWS]: a product and the step behind it on the first GPU, one after the other and in one kernel of
// ours, for the layers of known networks in float16: how long each takes, and whether all give the same bits, without
// which the kernel isn't used (gpu_algorithms.h). The product uses the library's first advice. One line per case, with
// ROWS (32768) rows, and one for each kernel.
//
// Exit code 1 if they differ by more than the order of a sum can explain.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_plugin.h"
#include "gpu_joined_bodies.h"
#include "gpu_trial.h"
#include "half.h"

enum { REPEATS = 5, HEAD = 64, TOKENS = 4096, BLOCK = 256, COMPARED = 4096 };

typedef struct layer {
    const char *name;
    int n, k;
    int activation; // 0: queries and keys of heads of HEAD columns are rotated
} layer;

typedef struct bench {
    const tub_gpu_ops *ops;
    tub_gpu *gpu;
    tub_gpu_gemm gemm;
    tub_gpu_task next;
    tub_gpu_algorithm algorithm;
    void *blocks[8];
    int block_count;
} bench;

typedef enum way { PRODUCT, STEP, BOTH, JOINED, WIDE } way; // WIDE: by warpgroups

static tub_error err;

static void check(tub_status status)
{
    if (status == TUB_OK)
        return;
    fprintf(stderr, "gpu_joined_speed: %s\n", err.text);
    exit(status == TUB_ERROR_DEVICE ? 6 : 1);
}

static void *allocate(bench *b, size_t bytes)
{
    void *out = NULL;
    check(b->ops->allocate(b->gpu, bytes, &out, &err));
    b->blocks[b->block_count++] = out;
    return out;
}

static void settle(const bench *b)
{
    check(b->ops->record(b->gpu, 1, TUB_GPU_COMPUTE, &err));
    check(b->ops->settle(b->gpu, 1, &err));
}

static float next_value(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(*state >> 40) / (1 << 23) - 1.0);
}

// [rows, cols] of random values; rows beyond BLOCK repeat the earlier ones.
static void *values(bench *b, int rows, int cols, float size, bool is_float)
{
    const size_t element = is_float ? sizeof(float) : sizeof(uint16_t), row = (size_t)cols * element;
    const int some = rows < BLOCK ? rows : BLOCK;
    uint64_t state = (uint64_t)rows * 31 + (uint64_t)cols;
    char *host = malloc((size_t)some * row), *out = allocate(b, (size_t)rows * row);
    for (size_t i = 0; i < (size_t)some * (size_t)cols; i++)
        if (is_float)
            ((float *)(void *)host)[i] = size * next_value(&state);
        else
            ((uint16_t *)(void *)host)[i] = tub_to_f16(size * next_value(&state));
    for (int i = 0; i < rows; i += some)
        check(b->ops->upload(b->gpu, TUB_GPU_COMPUTE, out + (size_t)i * row, host,
                             (size_t)(rows - i < some ? rows - i : some) * row, &err));
    settle(b);
    free(host);
    return out;
}

static void make(bench *b, const layer *l, int rows)
{
    tub_gpu_algorithm found[TUB_GPU_ALGORITHMS];
    int count = 0;
    b->gemm = (tub_gpu_gemm){.m = rows,
                             .n = l->n,
                             .k = l->k,
                             .type = TUB_GPU_F16,
                             .out_type = TUB_GPU_F16,
                             .bias_type = TUB_GPU_F16,
                             .has_bias = true,
                             .x = values(b, rows, l->k, 1, false),
                             .weight = values(b, l->n, l->k, 0.05f, false),
                             .bias = values(b, 1, l->n, 1, false),
                             .out = allocate(b, (size_t)rows * (size_t)l->n * sizeof(uint16_t)),
                             .workspace = allocate(b, TUB_GPU_GEMM_WORKSPACE)};
    void *out = b->gemm.out;
    const int tokens = rows % TOKENS == 0 ? TOKENS : rows; // per item
    if (l->activation)
        b->next = (tub_gpu_task){
            .kind = TUB_GPU_ACTIVATE,
            .activate = {.x = out, .type = TUB_GPU_F16, .activation = l->activation, .rows = rows, .cols = l->n}};
    else
        b->next = (tub_gpu_task){.kind = TUB_GPU_ROTATE,
                                 .rotate = {.x = out,
                                            .out = out,
                                            .cosine = values(b, tokens, HEAD, 1, true),
                                            .sine = values(b, tokens, HEAD, 1, true),
                                            .type = TUB_GPU_F16,
                                            .halves = true,
                                            .dim = HEAD,
                                            .heads = l->n / HEAD / 3 * 2,
                                            .items = rows / tokens,
                                            .rows = tokens,
                                            .cols = l->n}};
    check(b->ops->algorithms(b->gpu, &b->gemm, found, &count, &err));
    if (count == 0) {
        fprintf(stderr, "gpu_joined_speed: no algorithm for %s\n", l->name);
        exit(1);
    }
    b->algorithm = found[0];
}

static tub_gpu_task task_of(const bench *b, way w)
{
    tub_gpu_task task = tub_gpu_joined_task(&b->gemm, &b->next, w == WIDE ? TUB_GPU_BY_GROUPS : TUB_GPU_BY_WARPS);
    task.joined.trial = true;
    return task;
}

static void compute(const bench *b, way w)
{
    const tub_gpu_task joined = task_of(b, w);
    if (w == PRODUCT || w == BOTH)
        check(b->ops->multiply(b->gpu, &b->gemm, &b->algorithm, &err));
    if (w == STEP || w == BOTH)
        check(b->ops->launch(b->gpu, &b->next, &err));
    if (w == JOINED || w == WIDE)
        check(b->ops->launch(b->gpu, &joined, &err));
}

// Milliseconds: the shortest of several tries, after a first one that loads the kernels.
static double time_of(const bench *b, way w)
{
    double best = 0;
    for (int i = 0; i <= REPEATS; i++) {
        double milliseconds = 0;
        check(b->ops->record(b->gpu, 0, TUB_GPU_COMPUTE, &err));
        compute(b, w);
        settle(b);
        check(b->ops->elapsed(b->gpu, 0, 1, &milliseconds, &err));
        if (i == 1 || (i > 1 && milliseconds < best))
            best = milliseconds;
    }
    return best;
}

static uint16_t *result(const bench *b, way w, size_t count)
{
    uint16_t *out = malloc(count * sizeof *out);
    compute(b, w);
    check(b->ops->download(b->gpu, TUB_GPU_COMPUTE, out, b->gemm.out, count * sizeof *out, &err));
    settle(b);
    return out;
}

// The difference between a way's values in the first rows and those of the two steps, as text; false: too large.
static bool compare(const bench *b, way w, char *text, size_t bytes)
{
    const size_t count = (size_t)(b->gemm.m < COMPARED ? b->gemm.m : COMPARED) * (size_t)b->gemm.n;
    uint16_t *both = result(b, BOTH, count), *joined = result(b, w, count);
    size_t other = 0;
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        const double x = (double)tub_from_f16(both[i]), y = (double)tub_from_f16(joined[i]);
        other += both[i] != joined[i];
        most = fmax(most, isfinite(x) && isfinite(y) ? fabs(x - y) / (1 + fabs(x)) : INFINITY);
    }
    free(both);
    free(joined);
    if (other == 0)
        snprintf(text, bytes, "the same bits");
    else
        snprintf(text, bytes, "%.2g %% of values differ, by at most %.1e", 100 * (double)other / (double)count, most);
    return most < 4e-3; // two roundings to float16, and what they are multiplied by
}

static double teraflops(const bench *b, double milliseconds)
{
    const double work = 2e-9 * b->gemm.m * b->gemm.n * b->gemm.k; // in 1e9 operations: a millisecond's worth
    return milliseconds > 0 ? work / milliseconds : 0;
}

// Gigabytes per second, for the step, which reads and writes its values.
static double gigabytes(const bench *b, double milliseconds)
{
    const tub_gpu_rotate *r = &b->next.rotate;
    const int cols = b->next.kind == TUB_GPU_ROTATE ? r->heads * r->dim : b->gemm.n;
    return milliseconds > 0 ? 2e-6 * sizeof(uint16_t) * b->gemm.m * cols / milliseconds : 0;
}

static bool measure_joined(const bench *b, way w, const tub_gpu_facts *facts)
{
    const tub_gpu_task task = task_of(b, w);
    char text[128];
    if (!tub_gpu_joined_serves(&task.joined, w == WIDE ? 10 * facts->major + facts->minor : facts->code))
        return true;
    const bool right = compare(b, w, text, sizeof text);
    const double time = time_of(b, w);
    printf("    %.4f ms by %s (%.0f TFLOPS); %s\n", time, w == WIDE ? "warpgroups" : "warps", teraflops(b, time), text);
    return right;
}

static bool measure(bench *b, const layer *l, int rows, const tub_gpu_facts *facts)
{
    make(b, l, rows);
    const double product = time_of(b, PRODUCT), step = time_of(b, STEP), both = time_of(b, BOTH);
    printf("%s, %d x %d x %d: %.4f + %.4f ms apart (%.0f TFLOPS, %.0f GB/s), %.4f one after the other\n", l->name, rows,
           l->n, l->k, product, step, teraflops(b, product), gigabytes(b, step), both);
    bool right = measure_joined(b, JOINED, facts);
    right = measure_joined(b, WIDE, facts) && right;
    while (b->block_count > 0)
        b->ops->release(b->gpu, b->blocks[--b->block_count]);
    return right;
}

int main(int argc, char **argv)
{
    static const layer layers[] = {{"q, k, v and rotation, OneVision-L", 3072, 1024, 0},
                                   {"up and erf-GELU, OneVision-L", 4096, 1024, 1},
                                   {"up and erf-GELU, VideoMAE-B", 3072, 768, 1},
                                   {"q, k, v and rotation, B", 2304, 768, 0}};
    const int rows = argc > 1 ? atoi(argv[1]) : 32768;
    bench b = {0};
    tub_gpu_facts facts;
    void *library = NULL;
    bool right = true;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); // so that results show before somebody loses patience
    check(tub_cuda_plugin_load(&b.ops, &library, &err));
    check(b.ops->describe(0, &facts, &err));
    check(b.ops->open(0, false, &b.gpu, &err));
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        right = measure(&b, &layers[i], rows < 1 ? 1 : rows, &facts) && right;
    b.ops->close(&b.gpu);
    tub_cuda_plugin_unload(library);
    return right ? 0 : 1;
}
