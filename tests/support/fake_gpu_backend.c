#include "fake_gpu_backend.h"

#include "fake_gpu.h"
#include "gpu_executable.h"
#include "gpu_frames.h"

static tub_status supports(tub_dtype dtype, tub_error *err)
{
    (void)dtype;
    (void)err;
    return TUB_OK;
}

static tub_dtype best_dtype(void)
{
    return TUB_F16;
}

static tub_status open_fake(const tub_open_params *params, tub_backend **out, tub_error *err)
{
    return tub_gpu_backend_open(&fake_gpu_ops, params, out, err);
}

static const char *isa(void)
{
    return "fake";
}

const tub_backend_ops fake_gpu_backend = {
    .name = "fake-gpu",
    .device = "cuda",
    .supports = supports,
    .best_dtype = best_dtype,
    .open = open_fake,
    .compile = tub_gpu_compile,
    .run = tub_gpu_run,
    .begin = tub_gpu_begin,
    .end = tub_gpu_end,
    .release = tub_gpu_release,
    .close = tub_gpu_backend_close,
    .isa = isa,
    .keeps_program = true,
    .pin = tub_gpu_pin,
    .unpin = tub_gpu_unpin,
    .frame_bytes = tub_gpu_frames_bytes,
    .hold_frames = tub_gpu_frames_hold,
    .drop_frames = tub_gpu_frames_drop,
    .make_frame = tub_gpu_frames_make,
};
