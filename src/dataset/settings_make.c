#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "plain_numbers.h"
#include "settings.h"

// A float as the shortest decimal that gives it back: 0.485 and not 0.48500001430511475.
static json_t *shortest(float value)
{
    char text[32];
    double read = (double)value;
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        read = strtod(text, NULL);
        if ((float)read == value)
            break;
    }
    return json_real(read);
}

static json_t *triple(const float v[3])
{
    return json_pack("[o, o, o]", shortest(v[0]), shortest(v[1]), shortest(v[2]));
}

// Only what has an effect, so that leftovers in unused fields make no difference.
static json_t *transform_json(const tub_transform *t)
{
    static const char *const resizes[] = {"none", "exact", "shortest"};
    json_t *out = json_pack("{s:s, s:s, s:s, s:b}", "resize", resizes[t->resize], "domain",
                            t->domain == TUB_DOMAIN_FLOAT ? "float" : "u8", "interpolation",
                            tub_interpolation_name(t->interpolation), "antialias", t->antialias);
    if (t->pillow && t->domain == TUB_DOMAIN_U8)
        json_object_set_new(out, "arithmetic", json_string("pillow"));
    else if (t->centred && t->interpolation == TUB_NEAREST)
        json_object_set_new(out, "centred", json_true());
    if (t->resize != TUB_RESIZE_NONE)
        json_object_set_new(out, "height", json_integer(t->height));
    if (t->resize == TUB_RESIZE_EXACT)
        json_object_set_new(out, "width", json_integer(t->width));
    if (t->crop_height || t->crop_width)
        json_object_set_new(out, "crop", json_pack("[i, i]", t->crop_height, t->crop_width));
    if (t->rescale) {
        json_object_set_new(out, "scale", shortest(t->scale));
        json_object_set_new(out, "offset", shortest(t->offset));
    }
    if (t->normalize) {
        json_object_set_new(out, "mean", triple(t->mean));
        json_object_set_new(out, "std", triple(t->std));
    }
    return out;
}

static json_t *fps_json(double fps, const char *native)
{
    return fps > 0 ? json_real(fps) : native ? json_string(native) : json_null();
}

static json_t *settings_json(const tub_encoder_info *info, const tub_sampling *s, const tub_run_params *params)
{
    int stream = params->extractor.video_stream;
    json_t *out =
        json_pack("{s:i, s:i, s:i, s:s, s:o, s:s, s:s, s:s}", "clip_length", s->clip_length, "stride", s->stride,
                  "interval", s->interval, "align", tub_align_name(s->align), "fps", fps_json(s->fps, "native"), "pool",
                  tub_pool_name(params->pool), "dtype", tub_dtype_name(info->dtype), "backend", info->backend);
    json_object_set_new(out, "transform", transform_json(&info->transform));
    // Where they aren't what they usually are, so that older folders go on as they were.
    if (info->layer)
        json_object_set_new(out, "layer", json_integer(info->layer));
    if (info->heads)
        json_object_set_new(out, "heads", json_integer(info->heads));
    if (info->positions)
        json_object_set_new(out, "frame_positions", json_string(tub_positions_name(info->positions)));
    if (info->l2_normalize)
        json_object_set_new(out, "l2_normalize", json_true());
    json_object_set_new(out, "video_stream", stream > 0 ? json_integer(stream - 1) : json_string("best"));
    return out;
}

static json_t *whole_or_real(double value)
{
    return floor(value) == value ? json_integer((json_int_t)value) : json_real(value);
}

// In the words of ActionFormer (feat_stride, num_frames, input_dim, default_fps) and of OpenTAD (feature_stride,
// offset_frames, resize_length, in_channels, fps).
json_t *tub_settings_consumers(const tub_grid *grid, int64_t fixed, int64_t dim, double fps)
{
    char second[96];
    if (!grid)
        return json_pack("{s:i, s:i, s:I, s:I, s:o, s:s}", "feat_stride", -1, "num_frames", 1, "resize_length",
                         (json_int_t)fixed, "input_dim", (json_int_t)dim, "fps", fps_json(fps, NULL), "time",
                         "the rows tile the video's duration");
    const tub_plain_numbers before = tub_plain_numbers_begin();
    snprintf(second, sizeof second, "row i stands at second (i * %g + %g) / fps", grid->stride, grid->offset);
    tub_plain_numbers_end(before);
    return json_pack("{s:o, s:o, s:o, s:I, s:o, s:s}", "feat_stride", whole_or_real(grid->stride), "num_frames",
                     whole_or_real(grid->num_frames), "offset_frames", whole_or_real(grid->offset), "input_dim",
                     (json_int_t)dim, "fps", fps_json(fps, NULL), "time", second);
}

tub_status tub_settings_make(const tub_encoder_info *info, const tub_run_params *params, const tub_layout *layout,
                             tub_settings *out, tub_error *err)
{
    *out = (tub_settings){0};
    tub_sampling s = params->extractor.sampling;
    if (!info->per_frame && !s.clip_length)
        s.clip_length = info->frames; // as the extractor does
    TUB_TRY(tub_sampling_resolve(&s, info->clip_length, &s, err));
    tub_grid grid;
    tub_sampling_grid(&s, &grid);
    json_t *settings = settings_json(info, &s, params);
    json_t *model = json_pack("{s:s, s:s, s:i}", "family", info->family, "hash", info->model_hash, "dim", info->dim);
    json_t *about =
        json_pack("{s:s, s:s?, s:s, s:s, s:s?, s:s}", "tubelet", tub_version(), "preset", params->preset, "isa",
                  info->isa, "device", info->device, "feature", info->feature, "model_stamp", info->model_stamp);
    out->root = json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "format", 1, "settings", settings, "model", model, "files",
                          tub_layout_json(layout), "consumers", tub_settings_consumers(&grid, 0, info->dim, s.fps),
                          "about", about);
    if (!out->root)
        return tub_fail_memory(err, "the settings");
    tub_status status = tub_settings_hash(out, "the settings", err);
    if (status != TUB_OK)
        tub_settings_finish(out);
    return status;
}
