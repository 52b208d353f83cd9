#include "native_plan.h"

#include <unistd.h>

#include "fail.h"

static tub_status supports(tub_dtype dtype, tub_error *err)
{
    if (dtype != TUB_INT8)
        return tub_processor_supports("native", dtype, err);
    if (tub_product_for(TUB_INT8))
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_DEVICE,
                    "int8 on the processor takes AVX512_VNNI or AMX, which aren't in use here: take `--dtype %s`",
                    tub_dtype_name(tub_processor_best_dtype()));
}

size_t tub_native_cache_bytes(void)
{
    enum { USUAL = 1 << 20, MOST = 2 << 20, LEAST = 256 << 10 };
    long bytes = USUAL;
#if defined(_SC_LEVEL2_CACHE_SIZE)
    const long told = sysconf(_SC_LEVEL2_CACHE_SIZE);
    bytes = told > 0 ? told : USUAL;
#endif
    return (size_t)(bytes > MOST ? MOST : bytes < LEAST ? LEAST : bytes) / 4 * 3;
}

static int enter(void)
{
    return 0;
}

static void leave(int before)
{
    (void)before;
}

static const tub_engine engine = {
    .open = tub_native_open,
    .make_linear = tub_native_linear_make,
    .make_attention = tub_native_attention_make,
    .made = tub_native_pack,
    .close = tub_native_close,
    .enter = enter,
    .leave = leave,
};

static double roof(tub_dtype dtype, long turns)
{
    const tub_product *p = tub_product_for(dtype);
    p->enter();
    const double done = p->roof(turns);
    p->leave();
    return done;
}

static tub_status open_backend(const tub_open_params *params, tub_backend **out, tub_error *err)
{
    return tub_processor_open(params->team, &engine, out, err);
}

const tub_backend_ops tub_backend_native = {
    .name = "native",
    .device = "cpu",
    .supports = supports,
    .best_dtype = tub_processor_best_dtype,
    .open = open_backend,
    .compile = tub_processor_compile,
    .run = tub_processor_run,
    .release = tub_processor_release,
    .close = tub_processor_close,
    .isa = tub_processor_isa,
    .stores_weights = true,
    .roof = roof,
    .weight_bytes = tub_native_weight_bytes,
    .items_at_once = tub_processor_items_at_once,
};
