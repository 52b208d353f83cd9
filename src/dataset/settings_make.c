#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "plain_numbers.h"
#include "settings.h"

// A float as the shortest decimal that converts back to it: 0.485 and not 0.48500001430511475.
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

// If memory is short, a setting would just be missing. So *whole becomes false.
static void put(json_t *object, const char *key, json_t *value, bool *whole)
{
    *whole &= json_object_set_new(object, key, value) == 0;
}

// Only what has an effect, so that leftovers in unused fields make no difference.
static json_t *transform_json(const tub_transform *t, bool *whole)
{
    static const char *const resizes[] = {"none", "exact", "shortest"};
    json_t *out = json_pack("{s:s, s:s, s:s, s:b}", "resize", resizes[t->resize], "domain",
                            t->domain == TUB_DOMAIN_FLOAT ? "float" : "u8", "interpolation",
                            tub_interpolation_name(t->interpolation), "antialias", t->antialias);
    if (t->pillow && t->domain == TUB_DOMAIN_U8)
        put(out, "arithmetic", json_string("pillow"), whole);
    else if (t->centred && t->interpolation == TUB_NEAREST)
        put(out, "centred", json_true(), whole);
    if (t->resize != TUB_RESIZE_NONE)
        put(out, "height", json_integer(t->height), whole);
    if (t->resize == TUB_RESIZE_EXACT)
        put(out, "width", json_integer(t->width), whole);
    if (t->crop_height || t->crop_width)
        put(out, "crop", json_pack("[i, i]", t->crop_height, t->crop_width), whole);
    if (t->rescale) {
        put(out, "scale", shortest(t->scale), whole);
        put(out, "offset", shortest(t->offset), whole);
    }
    if (t->normalize) {
        put(out, "mean", triple(t->mean), whole);
        put(out, "std", triple(t->std), whole);
    }
    return out;
}

static json_t *fps_json(double fps, const char *native)
{
    return fps > 0 ? json_real(fps) : native ? json_string(native) : json_null();
}

static json_t *settings_json(const tub_encoder_info *info, const tub_sampling *s, const tub_run_params *params,
                             bool *whole)
{
    int stream = params->extractor.video_stream;
    json_t *out =
        json_pack("{s:i, s:i, s:i, s:s, s:o, s:s, s:s, s:s}", "clip_length", s->clip_length, "stride", s->stride,
                  "interval", s->interval, "align", tub_align_name(s->align), "fps", fps_json(s->fps, "native"), "pool",
                  tub_pool_name(params->pool), "dtype", tub_dtype_name(info->dtype), "backend", info->backend);
    put(out, "transform", transform_json(&info->transform, whole), whole);
    // These are written only if they differ from the usual, so that older folders continue as they were.
    if (info->layer)
        put(out, "layer", json_integer(info->layer), whole);
    if (info->heads)
        put(out, "heads", json_integer(info->heads), whole);
    if (info->positions)
        put(out, "frame_positions", json_string(tub_positions_name(info->positions)), whole);
    if (info->l2_normalize)
        put(out, "l2_normalize", json_true(), whole);
    put(out, "video_stream", stream > 0 ? json_integer(stream - 1) : json_string("best"), whole);
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
    bool whole = true;
    json_t *settings = settings_json(info, &s, params, &whole);
    json_t *model = json_pack("{s:s, s:s, s:i}", "family", info->family, "hash", info->model_hash, "dim", info->dim);
    json_t *about =
        json_pack("{s:s, s:s?, s:s, s:s, s:s?, s:s}", "tubelet", tub_version(), "preset", params->preset, "isa",
                  info->isa, "device", info->device, "feature", info->feature, "model_stamp", info->model_stamp);
    out->root = json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "format", 1, "settings", settings, "model", model, "files",
                          tub_layout_json(layout), "consumers", tub_settings_consumers(&grid, 0, info->dim, s.fps),
                          "about", about);
    tub_status status =
        out->root && whole ? tub_settings_hash(out, "the settings", err) : tub_fail_memory(err, "the settings");
    if (status != TUB_OK)
        tub_settings_finish(out);
    return status;
}
