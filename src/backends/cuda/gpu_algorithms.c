#include "gpu_algorithms.h"

#include "fail.h"
#include "gpu_joined_bodies.h"

enum {
    CANONICAL_ROWS = 8192,
    // For questions whether to join: which kernels were measured. The answer is a tub_gpu_joining. While they are being
    // tried it is TRYING, the number of attempts so far (counting those that never came back), and the group that
    // tries.
    JOINED_REVISION = 6,
    TRYING = 3,
    ATTEMPTS = 2,
};

static tub_gpu_question question_of(const tub_gpu_gemm *g)
{
    const int flags = (int)g->type | (int)g->out_type << 2 | g->tf32 << 4 | g->gelu_tanh << 5 | g->has_bias << 6 |
                      g->has_residual << 7;
    return (tub_gpu_question){g->m, g->n, g->k, flags};
}

// *best, which is right, becomes the fastest of itself and those of `ways` that give the same bits.
static tub_status measure(const tub_gpu_trial *t, const tub_gpu_way *ways, int count, tub_gpu_way *best, tub_error *err)
{
    double least, time;
    TUB_TRY(tub_gpu_trial_time(t, best, &least, err));
    for (int i = 0; i < count; i++) {
        bool same;
        TUB_TRY(tub_gpu_trial_same(t, &ways[i], &same, err));
        if (!same)
            continue;
        const tub_status status = tub_gpu_trial_time(t, &ways[i], &time, err);
        if (status == TUB_END) // it worked, and doesn't any more
            continue;
        TUB_TRY(status);
        if (time < least) {
            least = time;
            *best = ways[i];
        }
    }
    return TUB_OK;
}

static tub_status measure_algorithms(const tub_gpu_trial *t, tub_gpu_way *best, tub_error *err)
{
    tub_gpu_algorithm algorithms[TUB_GPU_ALGORITHMS];
    tub_gpu_way ways[TUB_GPU_ALGORITHMS];
    int count = 0;
    TUB_TRY(t->b->ops->algorithms(t->b->gpu, t->gemm, algorithms, &count, err));
    for (int i = 0; i < count; i++)
        ways[i] = (tub_gpu_way){.algorithm = algorithms[i]};
    return measure(t, ways, count, best, err);
}

// *a: the right algorithm; becomes the fastest with the same bits.
static tub_status choose(tub_gpu_trial *t, tub_gpu_algorithm *a, tub_error *err)
{
    tub_gpu_choices *c = t->b->choices;
    tub_gpu_answer answer = {.question = question_of(t->gemm), .checked = true};
    const tub_gpu_answer *known = tub_gpu_choices_find(c, &answer.question);
    tub_gpu_way way = {.algorithm = *a};
    bool same = false;
    TUB_TRY(tub_gpu_trial_begin(t, err));
    TUB_TRY(tub_gpu_trial_right(t, &way, err));
    if (known)
        TUB_TRY(tub_gpu_trial_same(t, &(tub_gpu_way){.algorithm = known->algorithm}, &same, err));
    if (same)
        way.algorithm = known->algorithm;
    else
        TUB_TRY(measure_algorithms(t, &way, err));
    *a = answer.algorithm = way.algorithm;
    return tub_gpu_choices_keep(c, &answer, !same, err);
}

static tub_status try_out(tub_backend *b, const tub_gpu_gemm *g, tub_gpu_algorithm *a, tub_error *err)
{
    tub_gpu_trial t = {.b = b, .gemm = g};
    const tub_status status = choose(&t, a, err);
    return tub_gpu_trial_end(&t, status, err);
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

// ---- a product joined with the step after it ----

static bool may_join(const tub_backend *b, const tub_gpu_gemm *g, const tub_gpu_task *next, tub_gpu_joining joined)
{
    const tub_gpu_task task = tub_gpu_joined_task(g, next, joined);
    const bool plain = (g->type == TUB_GPU_F16 || g->type == TUB_GPU_BF16) && g->out_type == g->type &&
                       g->bias_type == g->type && !g->gelu_tanh && !g->has_residual;
    // The code for warpgroups is only for 9.0.
    return plain &&
           tub_gpu_joined_serves(&task.joined, task.joined.wide ? 10 * b->info.major + b->info.minor : b->info.code);
}

static tub_gpu_question question_of_joining(const tub_gpu_gemm *g, const tub_gpu_task *next)
{
    tub_gpu_question q = question_of(g);
    const bool turns = next->kind == TUB_GPU_ROTATE;
    q.flags |= 1 << 8 | JOINED_REVISION << 9;
    q.flags |= turns ? next->rotate.halves << 16 | next->rotate.dim << 17 : next->activate.activation << 25;
    return q;
}

typedef struct joining {
    tub_gpu_trial trial;
    tub_gpu_question question;
    tub_gpu_way best; // so far
} joining;

static tub_status measure_joined(joining *j, tub_error *err)
{
    const tub_gpu_trial *t = &j->trial;
    tub_gpu_way ways[TUB_GPU_BY_GROUPS];
    int count = 0;
    for (tub_gpu_joining joined = TUB_GPU_BY_WARPS; joined <= TUB_GPU_BY_GROUPS; joined++)
        if (may_join(t->b, t->gemm, t->next, joined))
            ways[count++] = (tub_gpu_way){.joined = joined};
    return measure(t, ways, count, &j->best, err);
}

// `known`: an earlier run measured it, but this process hasn't checked its bits yet. APART: nothing is known.
static tub_status try_joined(joining *j, tub_gpu_joining known, tub_error *err)
{
    const tub_gpu_way way = {.joined = known};
    bool same = false;
    TUB_TRY(tub_gpu_trial_begin(&j->trial, err));
    TUB_TRY(tub_gpu_trial_right(&j->trial, &j->best, err));
    if (!known)
        return measure_joined(j, err);
    TUB_TRY(tub_gpu_trial_same(&j->trial, &way, &same, err));
    if (same)
        j->best = way;
    return TUB_OK;
}

static tub_status try_and_keep(joining *j, tub_gpu_joining known, tub_error *err)
{
    tub_gpu_choices *c = j->trial.b->choices;
    tub_status status = try_joined(j, known, err);
    status = tub_gpu_trial_end(&j->trial, status, err);
    if (status != TUB_OK)
        return tub_fail_within(err, status, "on trial, of a product with the step behind it (--no-autotune: without)");
    const tub_gpu_answer answer = {.question = j->question, .algorithm = {{j->best.joined}}, .checked = true};
    TUB_TRY(tub_gpu_choices_keep(c, &answer, !known || j->best.joined != known, err));
    return tub_gpu_choices_save(c, err); // now: whatever happens later in this run, the attempt ended well
}

// If a card can't cope with a kernel, this process loses the GPU. So the attempt is noted before it is made. If nothing
// more is known after ATTEMPTS of them, the steps stay apart. GPUs of a group try the same at the same time; that
// counts as one attempt.
static tub_status note_attempt(const joining *j, uint64_t number, uint64_t group, tub_error *err)
{
    const tub_gpu_answer trying = {.question = j->question, .algorithm = {{TRYING, number, group}}};
    TUB_TRY(tub_gpu_choices_keep(j->trial.b->choices, &trying, true, err));
    return tub_gpu_choices_save(j->trial.b->choices, err);
}

static tub_status attempt(joining *j, uint64_t number, tub_error *err)
{
    TUB_TRY(note_attempt(j, number, j->trial.b->group, err));
    const tub_status status = try_and_keep(j, TUB_GPU_APART, err);
    if (status != TUB_OK && status != TUB_ERROR_DEVICE) // such as too little memory: that was no attempt
        (void)note_attempt(j, number - 1, 0, NULL);
    return status;
}

static tub_status choose_joined(joining *j, tub_error *err)
{
    const tub_gpu_answer *known = tub_gpu_choices_find(j->trial.b->choices, &j->question);
    const uint64_t group = j->trial.b->group, *said = known ? known->algorithm.data : NULL;
    if (said && said[0] <= TUB_GPU_BY_GROUPS) {
        const tub_gpu_joining joined = (tub_gpu_joining)said[0];
        if (joined && !known->checked)
            return try_and_keep(j, joined, err);
        j->best.joined = joined;
        return TUB_OK;
    }
    uint64_t attempts = said && said[0] == TRYING ? said[1] : 0;
    attempts -= attempts > 0 && group && said[2] == group;
    return attempts < ATTEMPTS ? attempt(j, attempts + 1, err) : TUB_OK;
}

tub_status tub_gpu_choose_joined(tub_backend *b, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm,
                                 const tub_gpu_task *next, tub_gpu_joining *out, tub_error *err)
{
    joining j = {.trial = {.b = b, .gemm = gemm, .next = next},
                 .question = question_of_joining(gemm, next),
                 .best = {.algorithm = *algorithm}};
    const bool may = tub_gpu_choices_tune(b->choices) && may_join(b, gemm, next, TUB_GPU_BY_WARPS);
    const tub_status status = may ? choose_joined(&j, err) : TUB_OK;
    *out = j.best.joined;
    return status;
}
