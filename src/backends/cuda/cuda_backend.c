// The CUDA backend's table: the plug-in's devices, and the executable on one of them.
#include <stdio.h>
#include <string.h>

#include "cuda_driver.h"
#include "cuda_plugin.h"
#include "fail.h"
#include "gpu_executable.h"
#include "gpu_frames.h"

static tub_status describe(int device, tub_gpu_facts *out, tub_error *err)
{
    const tub_gpu_ops *ops = NULL;
    void *library = NULL;
    TUB_TRY(tub_cuda_plugin_load(&ops, &library, err));
    const tub_status status = ops->describe(device, out, err);
    tub_cuda_plugin_unload(library);
    return status;
}

static tub_status count(int *out, tub_error *err)
{
    const tub_gpu_ops *ops = NULL;
    void *library = NULL;
    *out = 0;
    TUB_TRY(tub_cuda_plugin_load(&ops, &library, err));
    const tub_status status = ops->count(out, err);
    tub_cuda_plugin_unload(library);
    return status;
}

// Half precision in tensor cores came with 7.0, bfloat16 and TF32 with 8.0. Cards of 8.9 and after 9.0 have FP8 too,
// but there cuBLASLt supports only one scale for all rows, or one for each 32 values.
static tub_status can(const tub_gpu_facts *info, tub_dtype dtype, tub_error *err)
{
    if (dtype == TUB_FP8 && (info->major != 9 || info->minor != 0))
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "%s (compute capability %d.%d) has no fp8 with a scale a row, which cuBLASLt has for 9.0 (H100, "
                        "H200): take `--dtype %s`",
                        info->name, info->major, info->minor, info->major >= 7 ? "f16" : "f32");
    if (dtype == TUB_FP8 && !info->row_scales)
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "fp8 with a scale a row needs cuBLASLt 12.9 or later, when libtubelet_cuda.so is built and when it "
                        "runs (%s): update the CUDA toolkit, or take `--dtype f16`",
                        info->libraries);
    const int least = dtype == TUB_F32 ? 0 : dtype == TUB_F16 ? 7 : dtype == TUB_BF16 || dtype == TUB_TF32 ? 8 : dtype == TUB_FP8 ? 9 : 99;
    if (info->major >= least)
        return TUB_OK;
    if (least == 99)
        return tub_fail(err, TUB_ERROR_DEVICE, "the cuda backend doesn't compute in %s: take `--dtype f32` or f16",
                        tub_dtype_name(dtype));
    return tub_fail(err, TUB_ERROR_DEVICE,
                    "%s (compute capability %d.%d) has no %s, which came with %d.0: take "
                    "`--dtype f32`%s",
                    info->name, info->major, info->minor, tub_dtype_name(dtype), least,
                    info->major >= 7 ? " or f16" : "");
}

static tub_status supports(tub_dtype dtype, tub_error *err)
{
    tub_gpu_facts info;
    TUB_TRY(describe(0, &info, err));
    return can(&info, dtype, err);
}

static tub_dtype best_dtype(void)
{
    tub_gpu_facts info;
    return describe(0, &info, NULL) == TUB_OK && info.major >= 7 ? TUB_F16 : TUB_F32;
}

static const char *isa(void)
{
    return "cuda";
}

static tub_status name_device(int device, char *out, size_t bytes, tub_error *err)
{
    tub_gpu_facts info;
    TUB_TRY(describe(device, &info, err));
    snprintf(out, bytes, "sm_%d%d", info.major, info.minor);
    return TUB_OK;
}

static tub_status open_backend(const tub_open_params *params, tub_backend **out, tub_error *err)
{
    const tub_gpu_ops *ops = NULL;
    void *library = NULL;
    *out = NULL;
    TUB_TRY(tub_cuda_plugin_load(&ops, &library, err));
    const tub_status status = tub_gpu_backend_open(ops, params, out, err);
    if (status != TUB_OK) {
        tub_cuda_plugin_unload(library);
        return status;
    }
    (*out)->library = library;
    (*out)->unload = tub_cuda_plugin_unload;
    return TUB_OK;
}

static tub_status compile(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                          tub_executable **out, tub_error *err)
{
    *out = NULL;
    TUB_TRY(can(&backend->info, params->dtype, err)); // GPUs of one machine may differ
    return tub_gpu_compile(backend, program, params, out, err);
}

const tub_backend_ops tub_backend_cuda = {
    .name = "cuda",
    .device = "cuda",
    .supports = supports,
    .best_dtype = best_dtype,
    .open = open_backend,
    .compile = compile,
    .run = tub_gpu_run,
    .begin = tub_gpu_begin,
    .end = tub_gpu_end,
    .release = tub_gpu_release,
    .close = tub_gpu_backend_close,
    .isa = isa,
    .keeps_program = true,
    .weight_bytes = tub_gpu_weight_bytes,
    .count = count,
    .name_device = name_device,
    .shown = tub_cuda_driver_gpus,
    .pin = tub_gpu_pin,
    .unpin = tub_gpu_unpin,
    .frame_bytes = tub_gpu_frames_bytes,
    .hold_frames = tub_gpu_frames_hold,
    .drop_frames = tub_gpu_frames_drop,
    .make_frame = tub_gpu_frames_make,
};
