#include <stdatomic.h>
#include <string.h>

#include "executable.h"
#include "fail.h"
#include "flow.h"

enum { CHAINS_PER_THREAD = 4 };

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
                    "bfloat16 on the processor takes AVX512_BF16, which isn't in use here: take `--dtype f32`");
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

// A run as a flow. The items of a wave are dealt out to chains. For its items of the first wave, a chain goes through
// the program's steps and stores their results; then it continues with its items of the next wave, in the same places
// of the workspace.
typedef struct item_flow {
    tub_executable *executable;
    const tub_batch *batch;
    const tub_placement *plan;
    int waves, wave; // items of a wave; the last one may have fewer
    int chains;
    atomic_int failed; // a unit failed; `error` is from the first one
    tub_error error;
} item_flow;

static tub_run run_of(const item_flow *f, int wave)
{
    tub_executable *e = f->executable;
    const size_t first = (size_t)wave * (size_t)f->wave, frames = (size_t)e->input.frames;
    const int left = f->batch->items - (int)first;
    return (tub_run){.executable = e,
                     .plan = f->plan,
                     .frames = f->batch->frames + first * frames,
                     .positions = f->batch->positions ? f->batch->positions + first * frames : NULL,
                     .items = left < f->wave ? left : f->wave};
}

// How many of a wave's `items` a chain has: every chains-th one, beginning with the chain's number.
static int items_of(const item_flow *f, int chain, int items)
{
    return (items - chain + f->chains - 1) / f->chains;
}

static int units_of(const item_flow *f, const tub_run *run, int step)
{
    const tub_executable *e = f->executable;
    if (step == e->step_count)
        return 1;
    return f->plan->need[step] ? tub_step_units(run, &e->steps[step]) : 0;
}

// The stages of a wave are the steps, and one more for the results.
static int stage_units(void *context, int chain, int stage)
{
    const item_flow *f = context;
    const int stages = f->executable->step_count + 1, wave = stage / stages;
    if (wave >= f->waves)
        return -1;
    const tub_run run = run_of(f, wave);
    return items_of(f, chain, run.items) * units_of(f, &run, stage % stages);
}

static void copy_out(const tub_run *run, tub_value value, int item, float *out)
{
    const tub_value_info *v = &run->executable->values[value];
    const size_t count = (size_t)v->rows * (size_t)v->cols;
    memcpy(out, tub_row(run, value, item, 0), count * sizeof *out);
}

// `item`: its number in the wave.
static void put_down(const item_flow *f, const tub_run *run, int wave, int item)
{
    const tub_executable *e = f->executable;
    const tub_value_info *feature = &e->values[e->feature], *tokens = &e->values[e->tokens];
    const size_t at = (size_t)wave * (size_t)f->wave + (size_t)item;
    copy_out(run, e->feature, item, f->batch->rows + at * (size_t)feature->cols);
    if (f->batch->tokens)
        copy_out(run, e->tokens, item, f->batch->tokens + at * (size_t)tokens->rows * (size_t)tokens->cols);
}

static tub_status run_unit(const item_flow *f, const tub_run *run, int step, int item, int unit, int member,
                           tub_error *err)
{
    const tub_executable *e = f->executable;
    if (tub_batch_stopped(f->batch))
        return tub_fail(err, TUB_ERROR_CANCELLED, "interrupted");
    const int before = e->engine->enter();
    const tub_status status = e->steps[step].unit(run, &e->steps[step], item, unit, member, err);
    e->engine->leave(before);
    return status;
}

static bool stage_unit(void *context, int chain, int stage, int unit, int member)
{
    item_flow *f = context;
    const tub_executable *e = f->executable;
    const int stages = e->step_count + 1, wave = stage / stages, step = stage % stages;
    const tub_run run = run_of(f, wave);
    const int units = units_of(f, &run, step), item = chain + unit / units * f->chains;
    tub_error error = {0};
    if (step == e->step_count) {
        put_down(f, &run, wave, item);
        return true;
    }
    if (run_unit(f, &run, step, item, unit % units, member, &error) == TUB_OK)
        return true;
    if (atomic_exchange(&f->failed, 1) == 0)
        f->error = error;
    return false;
}

// With more chains than threads, chains whose items aren't waiting can continue.
static int choose_chains(const tub_executable *e, int wave)
{
    const int most = CHAINS_PER_THREAD * tub_team_size(e->team);
    const int chains = wave < most ? wave : most;
    return chains < TUB_FLOW_CHAINS ? chains : TUB_FLOW_CHAINS;
}

tub_status tub_processor_run(tub_executable *e, const tub_batch *batch, tub_error *err)
{
    item_flow f = {.executable = e, .batch = batch, .plan = &e->plans[batch->tokens != NULL]};
    f.waves = (batch->items + e->wave - 1) / e->wave;
    f.wave = f.waves ? (batch->items + f.waves - 1) / f.waves : 0;
    f.chains = choose_chains(e, f.wave);
    const tub_flow flow = {.chains = f.chains, .units = stage_units, .unit = stage_unit, .context = &f};
    if (f.chains > 0)
        tub_flow_run(e->team, &flow);
    if (!atomic_load(&f.failed))
        return TUB_OK;
    if (err)
        *err = f.error;
    return f.error.status;
}
