#include "openvino_encoder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"
#include "fail.h"
#include "json.h"
#include "memory.h"
#include "openvino_lanes.h"
#include "pixel_plan.h"
#include "preprocess.h"
#include "team.h"

enum { CLIP_USUAL = 16, SIDE_USUAL = 224, BATCH_CLIPS = 4, BATCH_FRAMES = 32, BATCH_MOST = 4096 };

typedef struct custom {
    tub_encoder base;
    tub_custom_files files;
    tub_custom_model model;
    tub_lanes lanes;
} custom;

static tub_status run(tub_encoder *encoder, const void *const *frames, int items, float *rows, float *tokens,
                      tub_error *err)
{
    const tub_lanes_batch batch = {frames, items, rows, tokens, &encoder->interrupted};
    return tub_lanes_run(&((custom *)encoder)->lanes, &batch, err);
}

static void close_custom(tub_encoder *encoder)
{
    custom *c = (custom *)encoder;
    tub_lanes_finish(&c->lanes);
    tub_custom_model_finish(&c->model);
    tub_custom_files_finish(&c->files);
    tub_free(c);
}

static const tub_encoder_ops encoder_ops = {.run = run, .close = close_custom};

static bool is_one_of(const char *name, const char *other)
{
    return !name || !name[0] || strcmp(name, "auto") == 0 || strcmp(name, other) == 0;
}

static tub_status check_place(const tub_encoder_params *params, tub_error *err)
{
    if (!is_one_of(params->backend, "openvino"))
        return tub_fail(
            err, TUB_ERROR_DEVICE,
            "backend \"%.60s\": .onnx and .xml models run on OpenVINO: use --backend openvino, or leave it out",
            params->backend);
    if (!is_one_of(params->device, "cpu"))
        return tub_fail(err, TUB_ERROR_DEVICE, "device \"%.60s\": custom models run on the processor: use --device cpu",
                        params->device);
    if (params->dtype == TUB_INT8 || params->dtype == TUB_FP8 || params->dtype == TUB_TF32)
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "custom models are computed in f32, bf16 or f16: leave `--dtype %s` out (a model that was "
                        "quantised before it was exported is run as it is)",
                        tub_dtype_name(params->dtype));
    return TUB_OK;
}

// Loads the first of the files that exists. *out stays NULL if none does.
static tub_status load_preprocessor(const char *folder, bool clips, json_t **out, tub_error *err)
{
    static const char *const names[] = {"video_preprocessor_config.json", "preprocessor_config.json"};
    for (int i = 0; i < 2 && !*out; i++) {
        char *path = tub_format("%s/%s", folder, names[clips ? i : 1 - i]);
        if (!path)
            return tub_fail_memory(err, "a path");
        tub_status status = access(path, F_OK) == 0 ? tub_json_load(path, TUB_ERROR_MODEL, out, err) : TUB_OK;
        tub_free(path);
        TUB_TRY(status);
    }
    return TUB_OK;
}

static bool names_class(const json_t *config)
{
    return json_object_get(config, "video_processor_type") || json_object_get(config, "image_processor_type") ||
           json_object_get(config, "feature_extractor_type");
}

static tub_status read_preprocessor(const char *folder, const json_t *config, tub_transform *out, tub_error *err)
{
    if (!names_class(config))
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s/preprocessor_config.json: names no processor class: add \"image_processor_type\", say "
                        "\"ViTImageProcessor\" (to size, no crop) or \"VideoMAEImageProcessor\" (shortest edge, crop)",
                        folder);
    tub_status status = tub_preprocess_read(config, "", out, err);
    return status == TUB_OK ? TUB_OK : tub_fail_within(err, status, "%s", folder);
}

// The transform for --mean and --std alone: torchvision's resize to the model's size, then 0 to 1.
static tub_transform plain_transform(int height, int width)
{
    return (tub_transform){.resize = TUB_RESIZE_EXACT,
                           .height = height,
                           .width = width,
                           .interpolation = TUB_BILINEAR,
                           .antialias = true,
                           .domain = TUB_DOMAIN_U8,
                           .rescale = true,
                           .scale = 1.0f / 255.0f,
                           .std = {1, 1, 1}};
}

static tub_status own_transform(const custom *c, const tub_encoder_params *params, tub_transform *out, tub_error *err)
{
    const tub_input_shape *input = &c->model.input;
    int height = (int)tub_dimension_fixed(input->height), width = (int)tub_dimension_fixed(input->width);
    const tub_transform_options *o = &params->transform;
    *out = plain_transform(height ? height : SIDE_USUAL, width ? width : SIDE_USUAL);
    if (o->base != TUB_TRANSFORM_MODEL)
        return TUB_OK;
    json_t *config = NULL;
    tub_status status = load_preprocessor(c->files.folder, input->layout != TUB_NCHW, &config, err);
    if (status == TUB_OK && config)
        status = read_preprocessor(c->files.folder, config, out, err);
    else if (status == TUB_OK && !(o->has_mean && o->has_std))
        status =
            tub_fail(err, TUB_ERROR_ARGUMENT,
                     "%s: nothing says what pixels it takes: give --mean R,G,B and --std R,G,B (on the scale of 0 "
                     "to 1; --size, --crop and --interpolation where they differ), or --transform opentad, or put a "
                     "preprocessor_config.json beside it",
                     c->files.model);
    json_decref(config);
    return status;
}

static tub_status resolve_transform(custom *c, const tub_encoder_params *params, tub_error *err)
{
    tub_encoder_info *info = &c->base.info;
    const tub_input_shape *input = &c->model.input;
    tub_transform own;
    TUB_TRY(own_transform(c, params, &own, err));
    TUB_TRY(tub_transform_resolve(&params->transform, &own, (int)tub_dimension_fixed(input->height),
                                  (int)tub_dimension_fixed(input->width), &info->transform, err));
    if (!tub_transform_fixed_size(&info->transform, &info->height, &info->width))
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "the transform leaves each video a size of its own, but a model needs one for all: give --size "
                        "HxW, or --crop HxW");
    if (!tub_dimension_takes(input->height, info->height) || !tub_dimension_takes(input->width, info->width)) {
        const tub_ov_dimension sides[2] = {input->height, input->width};
        char text[64];
        tub_dimensions_text(sides, 2, text, sizeof text);
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: takes pixels of height and width %s, but the transform gives %dx%d: choose with --size",
                        c->files.model, text, info->height, info->width);
    }
    info->pixels_are_float = info->transform.domain == TUB_DOMAIN_FLOAT;
    info->pixel_bytes = (size_t)info->height * (size_t)info->width * 3 * (info->pixels_are_float ? sizeof(float) : 1);
    return TUB_OK;
}

static tub_status choose_frames(custom *c, const tub_encoder_params *params, tub_error *err)
{
    tub_encoder_info *info = &c->base.info;
    const tub_input_shape *input = &c->model.input;
    int fixed = (int)tub_dimension_fixed(input->frames);
    info->per_frame = input->layout == TUB_NCHW;
    info->clip_length = info->per_frame ? 0 : fixed;
    int clip = params->clip_length ? params->clip_length : fixed ? fixed : CLIP_USUAL;
    info->frames = info->per_frame ? 1 : clip;
    if (tub_dimension_takes(input->frames, info->frames))
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_MODEL, "%s: clip length %d: its input takes clips of %lld frames", c->files.model,
                    info->frames, (long long)(fixed ? fixed : input->frames.max));
}

static void describe(custom *c, const tub_encoder_params *params)
{
    tub_encoder_info *info = &c->base.info;
    const tub_custom_model *m = &c->model;
    int together = c->lanes.count * c->lanes.take, usual = info->per_frame ? BATCH_FRAMES : BATCH_CLIPS;
    info->feature = tub_output_feature(&m->row.form, params->pool);
    info->dim = m->row.form.dim;
    info->tokens = m->tokens.form.tokens;
    info->token_dim = m->tokens.form.dim;
    snprintf(info->isa, sizeof info->isa, "OpenVINO %.14s", m->ov.version);
    // A multiple of the items that run at a time.
    int batch = (usual + together - 1) / together * together;
    info->batch = params->batch ? params->batch : batch < BATCH_MOST ? batch : BATCH_MOST;
    info->eager = together == 1;
}

// The hash includes layout and output, since the features depend on them.
static tub_status hash_model(custom *c, tub_error *err)
{
    char text[TUB_HASH_TEXT];
    const char *layout = tub_input_layout_name(c->model.input.layout);
    tub_hash *hash = tub_hash_create();
    tub_status status = hash ? tub_custom_files_hash(&c->files, hash, err) : tub_fail_memory(err, "a checksum");
    if (status == TUB_OK) {
        tub_hash_update(hash, layout, strlen(layout) + 1);
        tub_hash_update(hash, c->model.row.name, strlen(c->model.row.name) + 1);
        tub_hash_text(hash, text);
        snprintf(c->base.info.model_hash, sizeof c->base.info.model_hash, "%s", text);
    }
    tub_hash_destroy(&hash);
    return status;
}

static tub_status open_custom(custom *c, const tub_encoder_params *params, const char *file, tub_error *err)
{
    tub_encoder_info *info = &c->base.info;
    TUB_TRY(check_place(params, err));
    TUB_TRY(tub_custom_files_open(file, &c->files, err));
    info->family = c->files.is_onnx ? "onnx" : "openvino-ir";
    info->backend = "openvino";
    info->device = "cpu";
    info->dtype = params->dtype != TUB_DTYPE_AUTO        ? params->dtype
                  : tub_cpu_isa() >= TUB_ISA_AVX512_BF16 ? TUB_BF16
                                                         : TUB_F32;
    TUB_TRY(tub_custom_model_read(&c->files, params, &c->model, err));
    TUB_TRY(hash_model(c, err));
    TUB_TRY(choose_frames(c, params, err));
    TUB_TRY(resolve_transform(c, params, err));
    const tub_custom_shape shape = {.frames = info->frames,
                                    .height = info->height,
                                    .width = info->width,
                                    .dtype = info->dtype,
                                    .threads = params->threads ? params->threads : tub_usable_processors()};
    TUB_TRY(tub_custom_model_compile(&c->model, &shape, params->pool, err));
    TUB_TRY(tub_lanes_open(&c->model, info, params->pool, &c->lanes, err));
    if (c->lanes.take < c->model.group)
        tub_warn(&params->log,
                 "%s: a row depends on its place or its neighbors in the fixed batch of %d, so each inference takes "
                 "one item: an export with a batch of 1, or a free one, is faster",
                 c->model.path, c->model.group);
    describe(c, params);
    return TUB_OK;
}

tub_status tub_openvino_encoder_open(const tub_encoder_params *params, const char *file, tub_encoder **out,
                                     tub_error *err)
{
    custom *c = tub_calloc(1, sizeof *c);
    if (!c)
        return tub_fail_memory(err, "an encoder");
    c->base.ops = &encoder_ops;
    tub_status status = open_custom(c, params, file, err);
    if (status == TUB_OK)
        *out = &c->base;
    else
        close_custom(&c->base);
    return status;
}
