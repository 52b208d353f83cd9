// What every encoder has in common: opening one, and checking what a caller hands in.
#include "fail.h"
#include "memory.h"
#include "native_encoder.h"
#include "onnx_files.h"
#include "openvino_encoder.h"

static tub_status open_any(const tub_encoder_params *params, tub_encoder **out, tub_error *err)
{
    char *custom = NULL;
    tub_status status = tub_custom_find(params->model, &custom, err);
    if (status == TUB_OK)
        status = tub_openvino_encoder_open(params, custom, out, err);
    else if (status == TUB_END)
        status = tub_native_encoder_open(params, out, err);
    tub_free(custom);
    return status;
}

tub_status tub_encoder_check_params(const tub_encoder_params *params, tub_error *err)
{
    if (!params || params->size < sizeof *params)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: params.size must be sizeof(tub_encoder_params)");
    if (!params->model || !params->model[0])
        return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: no model folder was given");
    if (params->batch < 0 || params->batch > 4096)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "batch %d: must be from 1 to 4096, or 0 to have one chosen",
                        params->batch);
    if (params->threads < 0 || params->threads > 1024)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "threads %d: must be from 1 to 1024, or 0 for all there are",
                        params->threads);
    if (params->clip_length < 0 || params->clip_length > 4096)
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "clip length %d: must be from 1 to 4096, or 0 for the checkpoint's own", params->clip_length);
    if (params->pool < TUB_POOL_DEFAULT || params->pool > TUB_POOL_PROJECTION)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "pool: %d isn't one", (int)params->pool);
    if (params->dtype < TUB_DTYPE_AUTO || params->dtype > TUB_F16)
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "dtype: %s isn't a precision to compute in: auto, f32, bf16 and f16 are",
                        tub_dtype_name(params->dtype));
    return TUB_OK;
}

tub_status tub_encoder_open(const tub_encoder_params *params, tub_encoder **out, tub_error *err)
{
    if (!out)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: nowhere to put it");
    *out = NULL;
    TUB_TRY(tub_encoder_check_params(params, err));
    return open_any(params, out, err);
}

const tub_encoder_info *tub_encoder_get_info(const tub_encoder *encoder)
{
    return &encoder->info;
}

tub_status tub_encoder_run(tub_encoder *encoder, const void *const *frames, int items, float *rows, float *tokens,
                           tub_error *err)
{
    if (!encoder || !frames || !rows)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: frames or rows are missing");
    if (items < 1 || items > encoder->info.batch)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: %d items: a run takes from 1 to %d", items,
                        encoder->info.batch);
    for (int i = 0; i < items * encoder->info.frames; i++)
        if (!frames[i])
            return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: frame %d is missing", i);
    return encoder->ops->run(encoder, frames, items, rows, tokens, err);
}

void tub_encoder_close(tub_encoder **encoder)
{
    if (!encoder || !*encoder)
        return;
    (*encoder)->ops->close(*encoder);
    *encoder = NULL;
}
