#include "gpu_algorithms.h"

#include "fail.h"
#include "gpu_joined_bodies.h"
#include "gpu_trial.h"

enum {
    CANONICAL_ROWS = 8192,
    // Of questions whether to join: which kernel was measured, and what answers say.
    JOINED_REVISION = 1,
    APART = 0,
    JOINED = 1,
};

static tub_gpu_question question_of(const tub_gpu_gemm *g)
{
    const int flags = (int)g->type | (int)g->out_type << 2 | g->tf32 << 4 | g->gelu_tanh << 5 | g->has_bias << 6 |
                      g->has_residual << 7;
    return (tub_gpu_question){g->m, g->n, g->k, flags};
}

static tub_status measure(const tub_gpu_trial *t, tub_gpu_algorithm *best, tub_error *err)
{
    tub_gpu_algorithm candidates[TUB_GPU_ALGORITHMS];
    int count = 0;
    double least, time;
    TUB_TRY(tub_gpu_trial_time(t, &(tub_gpu_way){.algorithm = *best}, &least, err));
    TUB_TRY(t->b->ops->algorithms(t->b->gpu, t->gemm, candidates, &count, err));
    for (int i = 0; i < count; i++) {
        const tub_gpu_way way = {.algorithm = candidates[i]};
        bool same;
        TUB_TRY(tub_gpu_trial_same(t, &way, &same, err));
        if (!same)
            continue;
        TUB_TRY(tub_gpu_trial_time(t, &way, &time, err));
        if (time < least) {
            least = time;
            *best = candidates[i];
        }
    }
    return TUB_OK;
}

// *a: the algorithm that is right, which becomes the fastest of the same bits.
static tub_status choose(tub_gpu_trial *t, tub_gpu_algorithm *a, tub_error *err)
{
    tub_gpu_choices *c = t->b->choices;
    tub_gpu_answer answer = {.question = question_of(t->gemm), .checked = true};
    const tub_gpu_answer *known = tub_gpu_choices_find(c, &answer.question);
    TUB_TRY(tub_gpu_trial_begin(t, err));
    TUB_TRY(tub_gpu_trial_right(t, &(tub_gpu_way){.algorithm = *a}, err));
    bool same = false;
    if (known)
        TUB_TRY(tub_gpu_trial_same(t, &(tub_gpu_way){.algorithm = known->algorithm}, &same, err));
    if (same)
        *a = known->algorithm;
    else
        TUB_TRY(measure(t, a, err));
    answer.algorithm = *a;
    return tub_gpu_choices_keep(c, &answer, !same, err);
}

static tub_status try_out(tub_backend *b, const tub_gpu_gemm *g, tub_gpu_algorithm *a, tub_error *err)
{
    tub_gpu_trial t = {.b = b, .gemm = g};
    const tub_status status = choose(&t, a, err);
    tub_gpu_trial_end(&t);
    return status;
}

// The library's advice for a product of `m` rows.
static tub_status advice(tub_backend *b, const tub_gpu_gemm *gemm, int m, tub_gpu_algorithm *out, tub_error *err)
{
    tub_gpu_algorithm algorithms[TUB_GPU_ALGORITHMS];
    tub_gpu_gemm g = *gemm;
    int count = 0;
    g.m = m;
    TUB_TRY(b->ops->algorithms(b->gpu, &g, algorithms, &count, err));
    if (count == 0)
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "cuBLASLt computes no product of %d columns by %d here: take --dtype f32", g.n, g.k);
    *out = algorithms[0];
    return TUB_OK;
}

tub_status tub_gpu_can_multiply(tub_backend *b, const tub_gpu_gemm *gemm, bool *out, tub_error *err)
{
    tub_gpu_algorithm algorithms[TUB_GPU_ALGORITHMS];
    tub_gpu_gemm g = *gemm;
    int count = 0;
    g.m = CANONICAL_ROWS;
    TUB_TRY(b->ops->algorithms(b->gpu, &g, algorithms, &count, err));
    *out = count > 0;
    return TUB_OK;
}

tub_status tub_gpu_choose_algorithm(tub_backend *b, const tub_gpu_gemm *gemm, tub_gpu_algorithm *out, tub_error *err)
{
    const bool tune = tub_gpu_choices_tune(b->choices);
    tub_gpu_answer answer = {.question = question_of(gemm), .checked = true};
    const tub_gpu_answer *known = tub_gpu_choices_find(b->choices, &answer.question);
    if (known && known->checked) {
        *out = known->algorithm;
        return TUB_OK;
    }
    TUB_TRY(advice(b, gemm, CANONICAL_ROWS, out, err));
    tub_status status = tune ? try_out(b, gemm, out, err) : b->ops->serves(b->gpu, gemm, out, err);
    if (status == TUB_END) // the canonical algorithm doesn't compute this shape
        status = advice(b, gemm, gemm->m, out, err);
    else if (tune)
        return status;
    if (status != TUB_OK)
        return status;
    answer.algorithm = *out;
    return tub_gpu_choices_keep(b->choices, &answer, false, err);
}

// ---- with the step behind it ----

static bool may_join(const tub_backend *b, const tub_gpu_gemm *g, const tub_gpu_task *next)
{
    if (g->out_type != g->type || g->bias_type != g->type || g->gelu_tanh || g->has_residual)
        return false;
    const tub_gpu_task task = tub_gpu_joined_task(g, next);
    return tub_gpu_joined_serves(&task.joined, 10 * b->info.major + b->info.minor);
}

static tub_gpu_question question_of_joining(const tub_gpu_gemm *g, const tub_gpu_task *next)
{
    tub_gpu_question q = question_of(g);
    const bool turns = next->kind == TUB_GPU_ROTATE;
    q.flags |= 1 << 8 | JOINED_REVISION << 9;
    q.flags |= turns ? next->rotate.halves << 16 | next->rotate.dim << 17 : next->activate.activation << 25;
    return q;
}

static tub_status try_joined(tub_gpu_trial *t, const tub_gpu_algorithm *algorithm, bool known, bool *out,
                             tub_error *err)
{
    const tub_gpu_way apart = {.algorithm = *algorithm}, joined = {.joined = true};
    double apart_time = 0, joined_time = 0;
    TUB_TRY(tub_gpu_trial_begin(t, err));
    TUB_TRY(tub_gpu_trial_right(t, &apart, err));
    TUB_TRY(tub_gpu_trial_same(t, &joined, out, err));
    if (!*out || known)
        return TUB_OK;
    TUB_TRY(tub_gpu_trial_time(t, &apart, &apart_time, err));
    TUB_TRY(tub_gpu_trial_time(t, &joined, &joined_time, err));
    *out = joined_time < apart_time;
    return TUB_OK;
}

tub_status tub_gpu_choose_joined(tub_backend *b, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm,
                                 const tub_gpu_task *next, bool *out, tub_error *err)
{
    *out = false;
    if (!tub_gpu_choices_tune(b->choices) || !may_join(b, gemm, next))
        return TUB_OK;
    tub_gpu_answer answer = {.question = question_of_joining(gemm, next), .checked = true};
    const tub_gpu_answer *known = tub_gpu_choices_find(b->choices, &answer.question);
    if (known && (known->checked || known->algorithm.data[0] == APART)) {
        *out = known->algorithm.data[0] == JOINED;
        return TUB_OK;
    }
    tub_gpu_trial t = {.b = b, .gemm = gemm, .next = next};
    const tub_status status = try_joined(&t, algorithm, known != NULL, out, err);
    tub_gpu_trial_end(&t);
    if (status != TUB_OK)
        return status;
    answer.algorithm.data[0] = *out ? JOINED : APART;
    return tub_gpu_choices_keep(b->choices, &answer, !known || !*out, err);
}
