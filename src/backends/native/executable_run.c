#include <string.h>

#include "executable.h"
#include "fail.h"

tub_status tub_processor_supports(const char *backend, tub_dtype dtype, tub_error *err)
{
    if (dtype == TUB_F32)
        return TUB_OK;
    if (dtype != TUB_BF16)
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "the %s backend computes in float32 or bfloat16: take `--dtype f32` or `--dtype bf16`",
                        backend);
    if (tub_cpu_isa() >= TUB_ISA_AVX512_BF16)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_DEVICE,
                    "this processor has no bfloat16 instructions (AVX512_BF16) in use: take `--dtype f32`");
}

tub_dtype tub_processor_best_dtype(void)
{
    return tub_cpu_isa() >= TUB_ISA_AVX512_BF16 ? TUB_BF16 : TUB_F32;
}

const char *tub_processor_isa(void)
{
    return tub_isa_name(tub_cpu_isa());
}

tub_status tub_processor_open(tub_team *team, const tub_engine *engine, tub_backend **out, tub_error *err)
{
    *out = tub_calloc(1, sizeof **out);
    if (!*out)
        return tub_fail_memory(err, "a backend");
    (*out)->team = team;
    (*out)->engine = engine;
    return TUB_OK;
}

void tub_processor_close(tub_backend **backend)
{
    if (!backend)
        return;
    tub_free(*backend);
    *backend = NULL;
}

// One step of one wave.
typedef struct loop {
    tub_run *run;
    const tub_step *step;
    int units; // of an item
} loop;

static void run_unit(void *context, int unit, int member)
{
    const loop *l = context;
    tub_run *run = l->run;
    if (atomic_load_explicit(&run->failed, memory_order_relaxed))
        return;
    tub_error error = {0};
    const tub_engine *engine = run->executable->engine;
    const int before = engine->enter();
    const tub_status status = l->step->unit(run, l->step, unit / l->units, unit % l->units, member, &error);
    engine->leave(before);
    if (status != TUB_OK && atomic_exchange(&run->failed, 1) == 0)
        run->error = error;
}

static void copy_out(const tub_run *run, tub_value value, int items, float *out)
{
    const tub_value_info *v = &run->executable->values[value];
    const size_t count = (size_t)v->rows * (size_t)v->cols;
    for (int item = 0; item < items; item++)
        memcpy(out + (size_t)item * count, tub_row(run, value, item, 0), count * sizeof *out);
}

static bool run_wave(tub_run *run, const tub_batch *batch)
{
    tub_executable *e = run->executable;
    for (int i = 0; i < e->step_count; i++) {
        if (tub_batch_stopped(batch)) {
            atomic_store(&run->failed, 1);
            tub_fail(&run->error, TUB_ERROR_CANCELLED, "interrupted");
            return false;
        }
        loop l = {.run = run, .step = &e->steps[i], .units = tub_step_units(run, &e->steps[i])};
        if (run->plan->need[i] && l.units > 0)
            tub_team_run(e->team, run->items * l.units, run_unit, &l);
    }
    return atomic_load(&run->failed) == 0;
}

tub_status tub_processor_run(tub_executable *e, const tub_batch *batch, tub_error *err)
{
    const size_t dim = (size_t)e->values[e->feature].cols;
    const size_t tokens = (size_t)e->values[e->tokens].rows * (size_t)e->values[e->tokens].cols;
    const int waves = (batch->items + e->wave - 1) / e->wave;
    const int wave = waves ? (batch->items + waves - 1) / waves : 0;
    tub_run r = {.executable = e, .plan = &e->plans[batch->tokens != NULL]};
    for (int first = 0; first < batch->items && !atomic_load(&r.failed); first += wave) {
        const int items = batch->items - first < wave ? batch->items - first : wave;
        r.frames = batch->frames + (size_t)first * (size_t)e->input.frames;
        r.positions = batch->positions ? batch->positions + (size_t)first * (size_t)e->input.frames : NULL;
        r.items = items;
        if (!run_wave(&r, batch))
            break;
        copy_out(&r, e->feature, items, batch->rows + (size_t)first * dim);
        if (batch->tokens)
            copy_out(&r, e->tokens, items, batch->tokens + (size_t)first * tokens);
    }
    if (!atomic_load(&r.failed))
        return TUB_OK;
    if (err)
        *err = r.error;
    return r.error.status;
}
