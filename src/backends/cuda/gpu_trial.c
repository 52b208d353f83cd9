#include "gpu_trial.h"

#include <string.h>

#include "fail.h"
#include "gpu_factors.h"

enum {
    SAMPLE_ROWS = 128,
    SIZES = 5,    // magnitudes of rows
    OPPOSED = 64, // columns of the result; their weights cancel out in rows with equal halves
    RUNS = 5,     // timed
    EVENT_FROM = 2,
    EVENT_TO = 3,
};

tub_gpu_task tub_gpu_joined_task(const tub_gpu_gemm *g, const tub_gpu_task *next, tub_gpu_joining joined)
{
    const bool turns = next->kind == TUB_GPU_ROTATE;
    tub_gpu_task task = {.kind = TUB_GPU_JOINED,
                         .joined = {.x = g->x,
                                    .weight = g->weight,
                                    .bias = g->has_bias ? g->bias : NULL,
                                    .out = g->out,
                                    .type = g->type,
                                    .m = g->m,
                                    .n = g->n,
                                    .k = g->k,
                                    .activation = turns ? 0 : next->activate.activation,
                                    .wide = joined == TUB_GPU_BY_GROUPS}};
    if (turns)
        task.joined.rotate = next->rotate;
    return task;
}

// ---- factors ----

static tub_status settle(const tub_gpu_trial *t, tub_error *err)
{
    TUB_TRY(t->b->ops->record(t->b->gpu, EVENT_TO, TUB_GPU_COMPUTE, err));
    return t->b->ops->settle(t->b->gpu, EVENT_TO, err);
}

static tub_status bring_scales(const tub_gpu_trial *t, tub_error *err)
{
    const tub_gpu_gemm *g = t->gemm;
    TUB_TRY(settle(t, err)); // then `block` has been read
    for (int i = 0; i < t->sample; i++)
        ((float *)t->block)[i] = 1.0f;
    for (int i = 0; i < g->m; i += t->sample) {
        const int rows = g->m - i < t->sample ? g->m - i : t->sample;
        TUB_TRY(t->b->ops->upload(t->b->gpu, TUB_GPU_COMPUTE, (float *)g->x_scales + i, t->block,
                                  (size_t)rows * sizeof(float), err));
    }
    return settle(t, err);
}

static tub_status bring_factors(const tub_gpu_trial *t, tub_error *err)
{
    const tub_gpu_gemm *g = t->gemm;
    const size_t row = (size_t)g->k * tub_gpu_factor_bytes(g->type);
    // With an activation, its results for large values are checked, too.
    const size_t sizes = t->next && t->next->kind == TUB_GPU_ACTIVATE ? SIZES : 1;
    if (g->type == TUB_GPU_E4M3)
        tub_gpu_fill_codes(t->block, (size_t)t->sample, (size_t)g->k);
    else
        tub_gpu_fill_rows(t->block, g->type, (size_t)t->sample, (size_t)g->k, sizes);
    for (int i = 0; i < g->m; i += t->sample) {
        const int rows = g->m - i < t->sample ? g->m - i : t->sample;
        TUB_TRY(t->b->ops->upload(t->b->gpu, TUB_GPU_COMPUTE, (char *)g->x + (size_t)i * row, t->block,
                                  (size_t)rows * row, err));
    }
    return g->type == TUB_GPU_E4M3 ? bring_scales(t, err) : settle(t, err);
}

static size_t opposed_bytes(const tub_gpu_gemm *g)
{
    return (size_t)(g->n < OPPOSED ? g->n : OPPOSED) * (size_t)g->k * tub_gpu_factor_bytes(g->type);
}

static tub_status bring_weight(const tub_gpu_trial *t, const void *rows, tub_error *err)
{
    TUB_TRY(t->b->ops->upload(t->b->gpu, TUB_GPU_COMPUTE, (void *)(uintptr_t)t->gemm->weight, rows,
                              opposed_bytes(t->gemm), err));
    return settle(t, err);
}

// The first columns' own weights are kept meanwhile. Those of e4m3 aren't replaced: their sums differ clearly with the
// order anyway.
static tub_status bring_opposed(tub_gpu_trial *t, tub_error *err)
{
    const tub_gpu_gemm *g = t->gemm;
    const size_t bytes = opposed_bytes(g);
    if (g->type == TUB_GPU_E4M3)
        return TUB_OK;
    char *rows = tub_alloc_aligned(2, bytes), *opposed = rows + bytes;
    if (!rows)
        return tub_fail_memory(err, "a measurement");
    tub_status status = t->b->ops->download(t->b->gpu, TUB_GPU_COMPUTE, rows, g->weight, bytes, err);
    if (status == TUB_OK)
        status = settle(t, err);
    if (status != TUB_OK) {
        tub_free(rows);
        return status;
    }
    t->weight = rows;
    tub_gpu_fill_opposed(opposed, g->type, bytes / tub_gpu_factor_bytes(g->type) / (size_t)g->k, (size_t)g->k);
    return bring_weight(t, opposed, err);
}

// A rotation's frames are at positions that a run brings; here all are at the first one.
static tub_status bring_positions(const tub_gpu_trial *t, tub_error *err)
{
    const tub_gpu_rotate *r = t->next && t->next->kind == TUB_GPU_ROTATE ? &t->next->rotate : NULL;
    if (!r || !r->positions)
        return TUB_OK;
    const size_t count = (size_t)r->items * (size_t)r->frames;
    int *zeros = tub_calloc(count, sizeof *zeros);
    if (!zeros)
        return tub_fail_memory(err, "a measurement");
    tub_status status =
        t->b->ops->upload(t->b->gpu, TUB_GPU_COMPUTE, (int *)r->positions, zeros, count * sizeof *zeros, err);
    const tub_status settled = settle(t, status == TUB_OK ? err : NULL);
    tub_free(zeros);
    return status == TUB_OK ? settled : status;
}

// The product may overwrite the residual, so it is uploaded again.
static tub_status bring_residual(const tub_gpu_trial *t, tub_error *err)
{
    const tub_gpu_gemm *g = t->gemm;
    if (!g->has_residual)
        return TUB_OK;
    tub_gpu_fill_random(t->block, (size_t)t->sample * (size_t)g->n);
    char *top = (char *)g->residual, *bottom = top + (size_t)(g->m - t->sample) * (size_t)g->n * sizeof(float);
    TUB_TRY(t->b->ops->upload(t->b->gpu, TUB_GPU_COMPUTE, top, t->block, t->residual_bytes, err));
    TUB_TRY(t->b->ops->upload(t->b->gpu, TUB_GPU_COMPUTE, bottom, t->block, t->residual_bytes, err));
    return settle(t, err);
}

// ---- trying out ----

tub_status tub_gpu_trial_begin(tub_gpu_trial *t, tub_error *err)
{
    const tub_gpu_gemm *g = t->gemm;
    const size_t wide = (size_t)(g->k > g->n ? g->k : g->n);
    t->sample = g->m < SAMPLE_ROWS ? g->m : SAMPLE_ROWS;
    t->sample_bytes = (size_t)t->sample * (size_t)g->n * tub_gpu_factor_bytes(g->out_type);
    t->residual_bytes = (size_t)t->sample * (size_t)g->n * sizeof(float);
    t->right = tub_alloc_aligned(2, t->sample_bytes);
    t->got = tub_alloc_aligned(2, t->sample_bytes);
    t->block = tub_alloc_aligned((size_t)t->sample * wide, sizeof(float));
    if (!t->right || !t->got || !t->block)
        return tub_fail_memory(err, "a measurement");
    TUB_TRY(bring_factors(t, err));
    TUB_TRY(bring_opposed(t, err));
    return bring_positions(t, err);
}

tub_status tub_gpu_trial_end(tub_gpu_trial *t, tub_status status, tub_error *err)
{
    tub_error why = {0};
    const tub_status given = t->weight ? bring_weight(t, t->weight, &why) : TUB_OK;
    tub_free(t->weight);
    tub_free(t->right);
    tub_free(t->got);
    tub_free(t->block);
    if (given == TUB_OK || status == TUB_ERROR_DEVICE)
        return status;
    // Never TUB_ERROR_MEMORY: then a run would continue with fewer items, and with the weights of the trial.
    return tub_fail(err, TUB_ERROR_DEVICE, "weights didn't come back after a trial: %s", why.text);
}

// Runs both as one kernel. If a card doesn't accept it, the two stay apart.
static tub_status run_joined(const tub_gpu_trial *t, tub_gpu_joining joined, tub_error *err)
{
    tub_backend *b = t->b;
    tub_gpu_task task = tub_gpu_joined_task(t->gemm, t->next, joined);
    tub_error why = {0};
    task.joined.trial = true;
    const tub_status status = b->ops->launch(b->gpu, &task, &why);
    if (status == TUB_ERROR_DEVICE) {
        if (!b->said_joined)
            tub_inform(&b->log, "%s: a kernel for products and the step behind them isn't used: %s", b->info.name,
                       why.text);
        b->said_joined = true;
        return TUB_END;
    }
    if (status != TUB_OK && err)
        *err = why;
    return status;
}

static tub_status run(const tub_gpu_trial *t, const tub_gpu_way *way, tub_error *err)
{
    const tub_backend *b = t->b;
    if (way->joined)
        return run_joined(t, way->joined, err);
    TUB_TRY(b->ops->multiply(b->gpu, t->gemm, &way->algorithm, err));
    return t->next ? b->ops->launch(b->gpu, t->next, err) : TUB_OK;
}

static tub_status compute(const tub_gpu_trial *t, const tub_gpu_way *way, char *out, tub_error *err)
{
    const tub_gpu_gemm *g = t->gemm;
    const size_t row = (size_t)g->n * tub_gpu_factor_bytes(g->out_type);
    TUB_TRY(bring_residual(t, err));
    TUB_TRY(run(t, way, err));
    TUB_TRY(t->b->ops->download(t->b->gpu, TUB_GPU_COMPUTE, out, g->out, t->sample_bytes, err));
    TUB_TRY(t->b->ops->download(t->b->gpu, TUB_GPU_COMPUTE, out + t->sample_bytes,
                                (const char *)g->out + (size_t)(g->m - t->sample) * row, t->sample_bytes, err));
    return settle(t, err);
}

tub_status tub_gpu_trial_right(const tub_gpu_trial *t, const tub_gpu_way *way, tub_error *err)
{
    return compute(t, way, t->right, err);
}

tub_status tub_gpu_trial_same(const tub_gpu_trial *t, const tub_gpu_way *way, bool *same, tub_error *err)
{
    *same = false;
    const tub_status status = compute(t, way, t->got, err);
    if (status == TUB_OK)
        *same = memcmp(t->got, t->right, 2 * t->sample_bytes) == 0;
    return status == TUB_END ? TUB_OK : status;
}

tub_status tub_gpu_trial_time(const tub_gpu_trial *t, const tub_gpu_way *way, double *milliseconds, tub_error *err)
{
    const tub_backend *b = t->b;
    TUB_TRY(b->ops->record(b->gpu, EVENT_FROM, TUB_GPU_COMPUTE, err));
    for (int i = 0; i < RUNS; i++)
        TUB_TRY(run(t, way, err));
    TUB_TRY(settle(t, err));
    return b->ops->elapsed(b->gpu, EVENT_FROM, EVENT_TO, milliseconds, err);
}
