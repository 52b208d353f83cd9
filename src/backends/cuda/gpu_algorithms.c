#include "gpu_algorithms.h"

#include <string.h>

#include "fail.h"
#include "gpu_joined_bodies.h"
#include "gpu_plan_texts.h"

enum {
    CANONICAL_ROWS = 8192,
    // Of questions whether to join: which kernels were measured. Answers begin with a tub_gpu_joining; all others are a
    // fused algorithm.
    JOINED_REVISION = 5,
    TRYING = 3, // an answer as long as it is tried: so many times, with those that nobody came back from; whose group
    ATTEMPTS = 2,
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
    const tub_status status = choose(&t, a, err), ended = tub_gpu_trial_end(&t, status == TUB_OK ? err : NULL);
    return status == TUB_OK ? ended : status;
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

static bool is_plain(const tub_gpu_gemm *g)
{
    return (g->type == TUB_GPU_F16 || g->type == TUB_GPU_BF16) && g->out_type == g->type && g->bias_type == g->type &&
           !g->gelu_tanh && !g->has_residual;
}

static bool may_join(const tub_backend *b, const tub_gpu_gemm *g, const tub_gpu_task *next, tub_gpu_joining joined)
{
    const tub_gpu_task task = tub_gpu_joined_task(g, next, joined);
    // By warpgroups there is code for 9.0 alone.
    return is_plain(g) &&
           tub_gpu_joined_serves(&task.joined, task.joined.wide ? 10 * b->info.major + b->info.minor : b->info.code);
}

static bool may_fuse(const tub_backend *b, const tub_gpu_gemm *g, const tub_gpu_task *next)
{
    // Before 8.0 a plan takes several seconds. Without a bias its values can't all be compared.
    return is_plain(g) && g->has_bias && next->kind == TUB_GPU_ACTIVATE && b->info.major >= 8 &&
           !(b->without & TUB_GPU_WITHOUT_CUDNN);
}

static tub_gpu_question question_of_joining(const tub_backend *b, const tub_gpu_gemm *g, const tub_gpu_task *next)
{
    tub_gpu_question q = question_of(g);
    const bool turns = next->kind == TUB_GPU_ROTATE;
    q.flags |= 1 << 8 | JOINED_REVISION << 9 | may_fuse(b, g, next) << 15;
    q.flags |= turns ? next->rotate.halves << 16 | next->rotate.dim << 17 : next->activate.activation << 25;
    return q;
}

typedef struct joining {
    tub_gpu_trial trial;
    tub_gpu_answer answer; // of the best
    tub_gpu_way apart, best;
    double least;
} joining;

static void release(const joining *j, tub_gpu_plan *plan)
{
    j->trial.b->ops->release_plan(j->trial.b->gpu, plan);
}

// *better: faster than the best so far, whose place it takes, and of the same bits.
static tub_status compare(joining *j, const tub_gpu_way *way, const tub_gpu_algorithm *answer, bool *better,
                          tub_error *err)
{
    double time = 0;
    *better = false;
    TUB_TRY(tub_gpu_trial_same(&j->trial, way, better, err));
    if (*better)
        TUB_TRY(tub_gpu_trial_time(&j->trial, way, &time, err));
    *better = *better && time < j->least;
    if (*better && way->plan) // whose activation isn't our own function
        TUB_TRY(tub_gpu_trial_same_values(&j->trial, &j->apart, way, better, err));
    if (!*better)
        return TUB_OK;
    release(j, j->best.plan);
    j->best = *way;
    j->least = time;
    j->answer.algorithm = *answer;
    return TUB_OK;
}

// *out NULL: it can't be had.
static tub_status plan_fused(const joining *j, const tub_gpu_algorithm *a, tub_gpu_text text, tub_gpu_plan **out,
                             tub_error *err)
{
    const tub_gpu_trial *t = &j->trial;
    const tub_status status =
        t->b->ops->plan_fused(t->b->gpu, t->gemm, t->next->activate.activation, a, text, out, err);
    return status == TUB_END ? TUB_OK : status;
}

static tub_status measure_fused(joining *j, const tub_gpu_algorithm *a, tub_error *err)
{
    tub_gpu_way way = {0};
    bool better = false;
    TUB_TRY(plan_fused(j, a, (tub_gpu_text){0}, &way.plan, err));
    const tub_status status = way.plan ? compare(j, &way, a, &better, err) : TUB_OK;
    if (!better)
        release(j, way.plan);
    return status;
}

static tub_status measure_joined(joining *j, tub_error *err)
{
    const tub_gpu_trial *t = &j->trial;
    tub_gpu_algorithm fused[TUB_GPU_FUSED_ALGORITHMS];
    int count = 0;
    bool better;
    TUB_TRY(tub_gpu_trial_time(t, &j->best, &j->least, err));
    for (tub_gpu_joining joined = TUB_GPU_BY_WARPS; joined <= TUB_GPU_BY_GROUPS; joined++) {
        const tub_gpu_way way = {.joined = joined};
        if (may_join(t->b, t->gemm, t->next, joined))
            TUB_TRY(compare(j, &way, &(tub_gpu_algorithm){{joined}}, &better, err));
    }
    if (may_fuse(t->b, t->gemm, t->next))
        TUB_TRY(t->b->ops->fused_algorithms(t->b->gpu, t->gemm, t->next->activate.activation, fused, &count, err));
    for (int i = 0; i < count; i++)
        TUB_TRY(measure_fused(j, &fused[i], err));
    return TUB_OK;
}

// A fused algorithm that was measured by an earlier run, or by this one.
static tub_status plan_known(const joining *j, tub_gpu_plan **out, tub_error *err)
{
    char *text = NULL;
    const size_t bytes = tub_gpu_plan_text_read(j->trial.b->info.key, &j->answer, &text);
    const tub_status status = plan_fused(j, &j->answer.algorithm, (tub_gpu_text){text, bytes}, out, err);
    if (*out)
        tub_gpu_plan_text_keep(j->trial.b, &j->answer, *out, (tub_gpu_text){text, bytes});
    tub_free(text);
    return status;
}

// j->answer says how. Where this process has not seen yet that its bits are right, it is looked at.
static tub_status recall(joining *j, bool checked, tub_error *err)
{
    const tub_gpu_trial *t = &j->trial;
    const uint64_t answer = j->answer.algorithm.data[0];
    tub_gpu_way way = {.joined = answer <= TUB_GPU_BY_GROUPS ? (tub_gpu_joining)answer : TUB_GPU_APART};
    bool same = checked;
    if (!way.joined)
        TUB_TRY(plan_known(j, &way.plan, err));
    tub_status status = TUB_OK;
    if ((way.joined || way.plan) && !checked)
        status = tub_gpu_trial_same(t, &way, &same, err);
    if (status == TUB_OK && same && (way.joined || way.plan))
        j->best = way;
    else
        release(j, way.plan);
    if (!j->best.joined && !j->best.plan)
        j->answer.algorithm = (tub_gpu_algorithm){{TUB_GPU_APART}};
    return status;
}

static tub_status try_joined(joining *j, const tub_gpu_answer *known, tub_error *err)
{
    TUB_TRY(tub_gpu_trial_begin(&j->trial, err));
    TUB_TRY(tub_gpu_trial_right(&j->trial, &j->best, err));
    if (known)
        return recall(j, false, err);
    TUB_TRY(measure_joined(j, err));
    if (j->best.plan)
        tub_gpu_plan_text_keep(j->trial.b, &j->answer, j->best.plan, (tub_gpu_text){0});
    return TUB_OK;
}

// A kernel that a card doesn't get over takes the GPU away from this process. So it is noted before that there is
// something to be tried, and where that is all that is known after ATTEMPTS, the steps stay apart. GPUs of a group,
// which try the same at the same time, make one attempt.
static tub_status note_attempt(const joining *j, uint64_t attempt, uint64_t group, tub_error *err)
{
    const tub_gpu_answer trying = {.question = j->answer.question, .algorithm = {{TRYING, attempt, group}}};
    TUB_TRY(tub_gpu_choices_keep(j->trial.b->choices, &trying, true, err));
    return tub_gpu_choices_save(j->trial.b->choices, err);
}

static tub_status try_and_keep(joining *j, const tub_gpu_answer *known, uint64_t attempt, tub_error *err)
{
    tub_gpu_choices *c = j->trial.b->choices;
    const uint64_t before = j->answer.algorithm.data[0];
    if (!known)
        TUB_TRY(note_attempt(j, attempt, j->trial.b->group, err));
    tub_status status = try_joined(j, known, err);
    const tub_status ended = tub_gpu_trial_end(&j->trial, status == TUB_OK ? err : NULL);
    status = status == TUB_OK ? ended : status;
    if (status == TUB_OK) {
        TUB_TRY(tub_gpu_choices_keep(c, &j->answer, !known || j->answer.algorithm.data[0] != before, err));
        return tub_gpu_choices_save(c, err); // now: whatever else becomes of this run, the attempt ended well
    }
    if (status != TUB_ERROR_DEVICE && !known) // as memory that is short: that was no attempt
        (void)note_attempt(j, attempt - 1, 0, NULL);
    return tub_fail_within(err, status, "on trial, of a product with the step behind it (--no-autotune: without)");
}

static tub_status choose_joined(joining *j, tub_error *err)
{
    const tub_gpu_answer *known = tub_gpu_choices_find(j->trial.b->choices, &j->answer.question);
    uint64_t attempts = 0;
    if (known && known->algorithm.data[0] == TRYING) {
        const bool ours = j->trial.b->group && known->algorithm.data[2] == j->trial.b->group;
        attempts = known->algorithm.data[1];
        attempts -= attempts > 0 && ours;
        known = NULL;
    }
    if (attempts >= ATTEMPTS || (known && known->algorithm.data[0] == TUB_GPU_APART))
        return TUB_OK;
    if (known)
        j->answer.algorithm = known->algorithm;
    return known && known->checked ? recall(j, true, err) : try_and_keep(j, known, attempts + 1, err);
}

tub_status tub_gpu_choose_joined(tub_backend *b, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm,
                                 const tub_gpu_task *next, tub_gpu_way *out, tub_error *err)
{
    joining j = {.trial = {.b = b, .gemm = gemm, .next = next},
                 .apart = {.algorithm = *algorithm},
                 .best = {.algorithm = *algorithm}};
    *out = j.best;
    if (!tub_gpu_choices_tune(b->choices) || !(may_join(b, gemm, next, TUB_GPU_BY_WARPS) || may_fuse(b, gemm, next)))
        return TUB_OK;
    j.answer = (tub_gpu_answer){.question = question_of_joining(b, gemm, next), .checked = true};
    const tub_status status = choose_joined(&j, err);
    if (status == TUB_OK)
        *out = j.best;
    else
        release(&j, j.best.plan);
    return status;
}
