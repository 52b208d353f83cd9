#include "fail.h"
#include "onednn_plan.h"

static tub_status supports(tub_dtype dtype, tub_error *err)
{
    return tub_processor_supports("onednn", dtype, err);
}

static tub_status open_executable(tub_executable *e, tub_error *err)
{
    tub_onednn *o = tub_arena_alloc(&e->arena, 1, sizeof *o);
    if (!o)
        return tub_fail_memory(err, "the oneDNN engine");
    e->engine_state = o;
    return tub_dnnl_open(tub_team_size(e->team), &o->dnnl, err);
}

static void close_executable(tub_executable *e)
{
    tub_onednn *o = e->engine_state;
    if (!o)
        return;
    tub_shelf_clear(o);
    tub_free(o->panels);
    tub_dnnl_close(&o->dnnl);
}

static const tub_engine engine = {
    .open = open_executable,
    .make_linear = tub_onednn_linear_make,
    .make_attention = tub_onednn_attention_make,
    .made = tub_onednn_pack,
    .close = close_executable,
    .enter = tub_dnnl_one_thread,
    .leave = tub_dnnl_threads_back,
};

static tub_status open_backend(const tub_open_params *params, tub_backend **out, tub_error *err)
{
    tub_dnnl_limit_isa();
    return tub_processor_open(params->team, &engine, out, err);
}

const tub_backend_ops tub_backend_onednn = {
    .name = "onednn",
    .device = "cpu",
    .supports = supports,
    .best_dtype = tub_processor_best_dtype,
    .open = open_backend,
    .compile = tub_processor_compile,
    .run = tub_processor_run,
    .release = tub_processor_release,
    .close = tub_processor_close,
    .isa = tub_processor_isa,
    .library = tub_dnnl_name,
    .items_at_once = tub_processor_items_at_once,
};
