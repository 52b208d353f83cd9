#include "run_settings.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "console.h"

static int read_preset(const cli_arguments *args, const tub_preset **out)
{
    const char *name = cli_text(args, OPTION_PRESET, NULL);
    *out = name ? tub_preset_find(name) : NULL;
    if (!name || *out)
        return CLI_OK;
    const char *names[64];
    size_t count = 0;
    for (; count < 64 && tub_preset_at(count); count++)
        names[count] = tub_preset_at(count)->name;
    const char *near = cli_nearest(name, names, count);
    if (near)
        return cli_refuse(CLI_USAGE, "--preset %s: did you mean %s?", name, near);
    return cli_refuse(CLI_USAGE, "--preset %s: there is no such preset; tubelet presets lists them", name);
}

static int read_dtype(const cli_arguments *args, tub_dtype *out)
{
    tub_error err;
    return tub_dtype_parse(cli_text(args, OPTION_DTYPE, "auto"), out, &err) == TUB_OK ? CLI_OK : cli_fail(&err);
}

static int read_sampling(const cli_arguments *args, const tub_preset *preset, tub_sampling *out)
{
    *out = preset ? preset->sampling : (tub_sampling){0};
    out->size = sizeof *out;
    out->clip_length = cli_number(args, OPTION_CLIP_LENGTH, out->clip_length);
    out->stride = cli_number(args, OPTION_STRIDE, out->stride);
    out->interval = cli_number(args, OPTION_INTERVAL, out->interval);
    if (cli_given(args, OPTION_FPS))
        out->fps = args->value[OPTION_FPS].rate;
    tub_error err;
    if (cli_given(args, OPTION_ALIGN) && tub_align_parse(args->value[OPTION_ALIGN].text, &out->align, &err) != TUB_OK)
        return cli_fail(&err);
    return CLI_OK;
}

// A transform that is given replaces the preset's whole transform; its parts are replaced one by one.
static int read_base(const cli_arguments *args, tub_transform_options *out)
{
    tub_transform_base base;
    tub_error err;
    if (!cli_given(args, OPTION_TRANSFORM))
        return CLI_OK;
    if (tub_transform_base_parse(args->value[OPTION_TRANSFORM].text, &base, &err) != TUB_OK)
        return cli_fail(&err);
    if (base != out->base)
        *out = (tub_transform_options){.base = base};
    return CLI_OK;
}

int cli_read_transform(const cli_arguments *args, const tub_transform_options *base, tub_transform_options *out)
{
    const cli_value *v = args->value;
    *out = *base;
    int code = read_base(args, out);
    if (code != CLI_OK)
        return code;
    if (cli_given(args, OPTION_SIZE)) {
        out->has_size = true;
        out->height = v[OPTION_SIZE].height;
        out->width = v[OPTION_SIZE].width;
    }
    if (cli_given(args, OPTION_CROP)) {
        out->has_crop = true;
        out->crop_height = v[OPTION_CROP].height;
        out->crop_width = v[OPTION_CROP].width;
    }
    if (cli_given(args, OPTION_MEAN)) {
        out->has_mean = true;
        memcpy(out->mean, v[OPTION_MEAN].triple, sizeof out->mean);
    }
    if (cli_given(args, OPTION_STD)) {
        out->has_std = true;
        memcpy(out->std, v[OPTION_STD].triple, sizeof out->std);
    }
    tub_error err;
    out->has_interpolation |= cli_given(args, OPTION_INTERPOLATION);
    if (cli_given(args, OPTION_INTERPOLATION) &&
        tub_interpolation_parse(v[OPTION_INTERPOLATION].text, &out->interpolation, &err) != TUB_OK)
        return cli_fail(&err);
    return CLI_OK;
}

const tub_device_preset *cli_device_preset(const cli_arguments *args)
{
    const char *name = cli_text(args, OPTION_DEVICE_PRESET, NULL);
    return name ? tub_device_preset_find(name) : NULL;
}

tub_decoder cli_decoder(const cli_arguments *args)
{
    tub_decoder decoder = TUB_DECODER_AUTO;
    tub_decoder_parse(cli_text(args, OPTION_DECODER, "auto"), &decoder, NULL); // valid: the table checks it
    return decoder;
}

tub_resizer cli_resizer(const cli_arguments *args)
{
    tub_resizer resizer = TUB_RESIZER_AUTO;
    tub_resizer_parse(cli_text(args, OPTION_RESIZE, "auto"), &resizer, NULL); // likewise
    return resizer;
}

cli_decoding cli_decoding_of(const tub_encoder_info *info, tub_decoder decoder)
{
    return (cli_decoding){
        .processors = cli_processors(), .on_gpu = strcmp(info->device, "cuda") == 0, .decoder = decoder};
}

int cli_decoding_gpu(const cli_arguments *args)
{
    const tub_decoder decoder = cli_decoder(args);
    return decoder == TUB_DECODER_NVDEC || decoder == TUB_DECODER_BOTH ? 1 : 0;
}

void cli_say_decoder(const char *path, const tub_video_info *info)
{
    if (info->why_not_gpu[0])
        cli_refuse(CLI_OK, "warning: %s: decoded on the processor: %s", path, info->why_not_gpu);
}

static int refuse_device_preset(const char *name)
{
    char known[256];
    size_t at = 0;
    for (size_t i = 0; tub_device_preset_at(i) && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", tub_device_preset_at(i)->name);
    return cli_refuse(CLI_USAGE, "--device-preset %s: there are %s", name, known);
}

static unsigned read_without(const cli_arguments *args)
{
    static const struct {
        option_id option;
        unsigned what;
    } flags[] = {{OPTION_NO_GRAPH, TUB_GPU_WITHOUT_GRAPHS},
                 {OPTION_NO_AUTOTUNE, TUB_GPU_WITHOUT_TUNING},
                 {OPTION_NO_CUDNN, TUB_GPU_WITHOUT_CUDNN},
                 {OPTION_BLOCKING_COPIES, TUB_GPU_WITHOUT_OVERLAP}};
    unsigned without = 0;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        without |= cli_given(args, flags[i].option) ? flags[i].what : 0;
    return without;
}

static int read_encoder(const cli_arguments *args, tub_encoder_params *out)
{
    const tub_device_preset *preset = cli_device_preset(args);
    if (cli_given(args, OPTION_DEVICE_PRESET) && !preset)
        return refuse_device_preset(cli_text(args, OPTION_DEVICE_PRESET, ""));
    *out = (tub_encoder_params){
        .size = sizeof *out,
        .model = cli_text(args, OPTION_MODEL, NULL),
        .backend = cli_text(args, OPTION_BACKEND, NULL),
        .device = cli_text(args, OPTION_DEVICE, NULL),
        .threads = cli_number(args, OPTION_THREADS, 0),
        .batch = cli_number(args, OPTION_BATCH, preset ? preset->batch : 0),
        .device_memory = (size_t)cli_number(args, OPTION_GPU_MEMORY, 0) << 20,
        .gpu_without = read_without(args),
        .log = cli_log(cli_given(args, OPTION_VERBOSE)),
        .input_layout = cli_text(args, OPTION_INPUT_LAYOUT, NULL),
        .output = cli_text(args, OPTION_OUTPUT, NULL),
        .heads = cli_number(args, OPTION_HEADS, 0),
        .layer = cli_number(args, OPTION_LAYER, 0),
        .l2_normalize = cli_given(args, OPTION_NORMALIZE),
        .cache_weights = cli_given(args, OPTION_CACHE_WEIGHTS),
    };
    tub_error err;
    if (cli_given(args, OPTION_FRAME_POSITIONS) &&
        tub_positions_parse(args->value[OPTION_FRAME_POSITIONS].text, &out->positions, &err) != TUB_OK)
        return cli_fail(&err);
    if (cli_given(args, OPTION_POOL) && tub_pool_parse(args->value[OPTION_POOL].text, &out->pool, &err) != TUB_OK)
        return cli_fail(&err);
    return read_dtype(args, &out->dtype);
}

int cli_read_layout(const cli_arguments *args, const tub_layout *base, tub_layout *out)
{
    tub_error err;
    *out = *base;
    out->name = cli_text(args, OPTION_FILE_NAME, base->name);
    out->key = cli_text(args, OPTION_FILE_KEY, base->key);
    if (cli_given(args, OPTION_FILE_KEY) && !cli_given(args, OPTION_FILE_TYPE)) // a key implies .npz
        out->container = TUB_CONTAINER_NPZ;
    if (cli_given(args, OPTION_FILE_TYPE) &&
        tub_container_parse(args->value[OPTION_FILE_TYPE].text, &out->container, &err) != TUB_OK)
        return cli_fail(&err);
    if (out->container == TUB_CONTAINER_NPY && !cli_given(args, OPTION_FILE_KEY))
        out->key = NULL;
    if (cli_given(args, OPTION_FILE_DTYPE) &&
        tub_dtype_parse(args->value[OPTION_FILE_DTYPE].text, &out->dtype, &err) != TUB_OK)
        return cli_fail(&err);
    return tub_layout_check(out, &err) == TUB_OK ? CLI_OK : cli_fail(&err);
}

int cli_read_settings(const cli_arguments *args, cli_settings *out)
{
    *out = (cli_settings){0};
    int code = read_preset(args, &out->preset);
    if (code == CLI_OK)
        code = read_sampling(args, out->preset, &out->sampling);
    if (code == CLI_OK)
        code = read_encoder(args, &out->encoder);
    if (code == CLI_OK)
        code = cli_read_layout(args, out->preset ? &out->preset->layout : &out->layout, &out->layout);
    static const tub_transform_options models_own = {.base = TUB_TRANSFORM_MODEL};
    if (code == CLI_OK)
        code = cli_read_transform(args, out->preset ? &out->preset->transform : &models_own, &out->encoder.transform);
    out->encoder.clip_length = out->sampling.clip_length;
    return code;
}
