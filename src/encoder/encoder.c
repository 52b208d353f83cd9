// What every encoder has in common: opening one, and checking what a caller hands in.
#include <math.h>

#include "cpu.h"
#include "fail.h"
#include "memory.h"
#include "native_encoder.h"
#include "onnx_files.h"
#include "openvino_encoder.h"
#include "params.h"
#include "unit_row.h"

static tub_status open_any(const tub_encoder_params *params, tub_encoder **out, tub_error *err)
{
    char *custom = NULL;
    tub_status status = tub_custom_find(params->model, &custom, err);
    if (status == TUB_OK && (params->positions || params->heads || params->layer))
        status = tub_fail(err, TUB_ERROR_MODEL,
                          "%s: frame positions, heads and layer are for checkpoints: a custom "
                          "model is run as it is",
                          params->model);
    else if (status == TUB_OK)
        status = tub_openvino_encoder_open(params, custom, out, err);
    else if (status == TUB_END)
        status = tub_native_encoder_open(params, out, err);
    tub_free(custom);
    return status;
}

static tub_status check_choices(const tub_encoder_params *params, tub_error *err)
{
    const unsigned without =
        TUB_GPU_WITHOUT_GRAPHS | TUB_GPU_WITHOUT_TUNING | TUB_GPU_WITHOUT_OVERLAP | TUB_GPU_WITHOUT_CUDNN;
    TUB_TRY(tub_check_choice("tub_encoder_params.pool", (int)params->pool, TUB_POOL_PROJECTION, err));
    TUB_TRY(tub_check_choice("tub_encoder_params.positions", (int)params->positions, TUB_POSITIONS_VIDEO, err));
    TUB_TRY(tub_check_flags("tub_encoder_params.gpu_without", params->gpu_without, without, err));
    if (params->dtype != TUB_TF32 && params->dtype != TUB_INT8 && params->dtype != TUB_FP8 &&
        ((int)params->dtype < TUB_DTYPE_AUTO || (int)params->dtype > TUB_F16))
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "tub_encoder_params.dtype is %d (%s): no precision to compute in: auto, f32, tf32, bf16, f16, "
                        "int8 and fp8 are",
                        (int)params->dtype, tub_dtype_name(params->dtype));
    return TUB_OK;
}

tub_status tub_encoder_check_params(const tub_encoder_params *params, tub_error *err)
{
    if (!params)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: no params were given");
    TUB_TRY(tub_check_size("tub_encoder_params", params->size, sizeof *params, err));
    if (!params->model || !params->model[0])
        return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: no model folder was given");
    TUB_TRY(check_choices(params, err));
    TUB_TRY(tub_cpu_check_limit(err));
    if (params->batch < 0 || params->batch > 4096)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "batch %d: must be from 1 to 4096, or 0 to have one chosen",
                        params->batch);
    if (params->threads < 0 || params->threads > 1024)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "threads %d: must be from 1 to 1024, or 0 for all there are",
                        params->threads);
    if (params->clip_length < 0 || params->clip_length > 4096)
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "clip length %d: must be from 1 to 4096, or 0 for the checkpoint's own", params->clip_length);
    if (params->heads < 0 || params->heads > 1024)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "heads %d: must be from 1 to 1024, or 0 for the checkpoint's own",
                        params->heads);
    if (params->layer < 0 || params->layer > 1024)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "layer %d: must be from 1 to the number of blocks, or 0 for the end",
                        params->layer);
    return TUB_OK;
}

tub_status tub_encoder_open(const tub_encoder_params *params, tub_encoder **out, tub_error *err)
{
    if (!out)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: nowhere to put it");
    *out = NULL;
    TUB_TRY(tub_encoder_check_params(params, err));
    TUB_TRY(open_any(params, out, err));
    (*out)->info.l2_normalize = params->l2_normalize;
    (*out)->pool = params->pool;
    return TUB_OK;
}

const tub_encoder_info *tub_encoder_get_info(const tub_encoder *encoder)
{
    return &encoder->info;
}

static tub_status check_run(const tub_encoder *encoder, const void *const *frames, int items, const float *rows,
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
    if (atomic_load(&encoder->interrupted))
        return tub_fail(err, TUB_ERROR_CANCELLED, "encoder: interrupted");
    return TUB_OK;
}

static tub_status check_positions(const tub_encoder *encoder, const int *positions, int items, tub_error *err)
{
    if (!positions || !encoder->ops->run_at || encoder->info.positions != TUB_POSITIONS_VIDEO)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: frame positions are missing, or it takes none");
    for (int i = 0; i < items * encoder->info.frames; i++)
        if (positions[i] < 0 || positions[i] >= TUB_POSITIONS_COUNT)
            return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: frame %d: position %d isn't from 0 to %d", i,
                            positions[i], TUB_POSITIONS_COUNT - 1);
    return TUB_OK;
}

// A frame model's rows aren't a clip's rows yet: they are normalized by whatever takes their means.
static void finish_rows(const tub_encoder_info *info, int items, float *rows)
{
    for (int i = 0; i < items && info->l2_normalize && !info->per_frame; i++)
        tub_make_unit(rows + (size_t)i * (size_t)info->dim, (size_t)info->dim);
}

void tub_encoder_interrupt(tub_encoder *encoder, bool interrupt)
{
    if (encoder)
        atomic_store(&encoder->interrupted, interrupt);
}

tub_status tub_encoder_pin(tub_encoder *encoder, void *memory, size_t bytes, tub_error *err)
{
    if (!encoder || !memory || bytes == 0)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "encoder: no memory to pin");
    return encoder->ops->pin ? encoder->ops->pin(encoder, memory, bytes, err) : TUB_END;
}

void tub_encoder_unpin(tub_encoder *encoder, void *memory)
{
    if (encoder && memory && encoder->ops->unpin)
        encoder->ops->unpin(encoder, memory);
}

tub_status tub_encoder_run(tub_encoder *encoder, const void *const *frames, int items, float *rows, float *tokens,
                           tub_error *err)
{
    TUB_TRY(check_run(encoder, frames, items, rows, err));
    TUB_TRY(encoder->ops->run(encoder, frames, items, rows, tokens, err));
    finish_rows(&encoder->info, items, rows);
    return TUB_OK;
}

tub_status tub_encoder_run_at(tub_encoder *encoder, const void *const *frames, const int *positions, int items,
                              float *rows, float *tokens, tub_error *err)
{
    TUB_TRY(check_run(encoder, frames, items, rows, err));
    TUB_TRY(check_positions(encoder, positions, items, err));
    TUB_TRY(encoder->ops->run_at(encoder, frames, positions, items, rows, tokens, err));
    finish_rows(&encoder->info, items, rows);
    return TUB_OK;
}

static tub_status check_lane(const tub_encoder *encoder, const tub_lane_run *run, tub_error *err)
{
    TUB_TRY(check_run(encoder, run->frames, run->items, run->rows, err));
    return run->positions ? check_positions(encoder, run->positions, run->items, err) : TUB_OK;
}

tub_status tub_encoder_run_lane(tub_encoder *encoder, int lane, const tub_lane_run *run, tub_error *err)
{
    if (!encoder->ops->run_lane)
        return run->positions
                   ? tub_encoder_run_at(encoder, run->frames, run->positions, run->items, run->rows, NULL, err)
                   : tub_encoder_run(encoder, run->frames, run->items, run->rows, NULL, err);
    TUB_TRY(check_lane(encoder, run, err));
    TUB_TRY(encoder->ops->run_lane(encoder, lane, run, NULL, err));
    finish_rows(&encoder->info, run->items, run->rows);
    return TUB_OK;
}

bool tub_encoder_overlaps(const tub_encoder *encoder)
{
    return encoder->ops->overlaps && encoder->ops->overlaps(encoder);
}

tub_status tub_encoder_begin_lane(tub_encoder *encoder, int lane, const tub_lane_run *run, tub_error *err)
{
    TUB_TRY(check_lane(encoder, run, err));
    return encoder->ops->begin_lane(encoder, lane, run, err);
}

tub_status tub_encoder_end_lane(tub_encoder *encoder, int lane, const tub_lane_run *run, tub_error *err)
{
    TUB_TRY(encoder->ops->end_lane(encoder, lane, err));
    finish_rows(&encoder->info, run->items, run->rows);
    return TUB_OK;
}

// In float32, as the script computes it; nearbyint() would follow the caller's rounding mode.
int tub_position_in_video(int64_t frame, int64_t frames)
{
    const float last = TUB_POSITIONS_COUNT - 1, at = (float)frame / (float)(frames > 2 ? frames - 1 : 1) * last;
    const float low = floorf(at), rest = at - low;
    if (!(at > 0))
        return 0;
    if (at >= last)
        return TUB_POSITIONS_COUNT - 1;
    return (int)low + (rest > 0.5f || (rest == 0.5f && (int)low % 2));
}

void tub_encoder_close(tub_encoder **encoder)
{
    if (!encoder || !*encoder)
        return;
    (*encoder)->ops->close(*encoder);
    *encoder = NULL;
}
