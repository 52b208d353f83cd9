// tubelet frames: the frames of a video, as an array.
#include <stdlib.h>

#include "cli.h"
#include "console.h"
#include "interrupt.h"
#include "run_settings.h"

typedef struct frame_dump {
    const char *path;
    tub_transform transform;
    tub_video *video;
    int height, width;
    size_t pixel_bytes; // of one frame as convert() returns it
    bool scale;         // scale and normalize the 8-bit pixels that convert() returned
    tub_dtype dtype;
    size_t out_bytes; // of one frame as it is written
    uint8_t *pixels;
    float *values;
    tub_npy_writer *writer;
    int64_t frames;
} frame_dump;

// Opening the checkpoint gives its own transform.
static int read_model_transform(const cli_arguments *args, const tub_transform_options *options, tub_transform *out)
{
    tub_encoder_params params = {.size = sizeof params,
                                 .model = cli_text(args, OPTION_MODEL, NULL),
                                 .backend = "reference",
                                 .dtype = TUB_F32,
                                 .transform = *options,
                                 .log = cli_log(false)};
    if (!params.model)
        return cli_refuse(CLI_USAGE, "--transform model: of which model? Give --model DIR too");
    tub_encoder *encoder = NULL;
    tub_error err;
    if (tub_encoder_open(&params, &encoder, &err) != TUB_OK)
        return cli_fail(&err);
    *out = tub_encoder_get_info(encoder)->transform;
    tub_encoder_close(&encoder);
    return CLI_OK;
}

static int read_transform(const cli_arguments *args, tub_transform *out)
{
    static const tub_transform_options untouched = {.base = TUB_TRANSFORM_NONE};
    tub_transform_options options;
    tub_error err;
    int code = cli_read_transform(args, &untouched, &options);
    if (code != CLI_OK)
        return code;
    if (options.base == TUB_TRANSFORM_MODEL)
        return read_model_transform(args, &options, out);
    if (cli_given(args, OPTION_MODEL))
        return cli_refuse(CLI_USAGE, "--model goes with --transform model");
    return tub_transform_resolve(&options, NULL, 0, 0, out, &err) == TUB_OK ? CLI_OK : cli_fail(&err);
}

static int begin(frame_dump *d, const cli_arguments *args)
{
    tub_video_params params = {.size = sizeof params,
                               .stream = cli_number(args, OPTION_VIDEO_STREAM, -1) + 1,
                               .threads = cli_number(args, OPTION_DECODE_THREADS, 0),
                               .gpu = cli_decoding_gpu(args),
                               .transform = &d->transform};
    tub_error err;
    bool is_float;
    if (tub_video_open(d->path, &params, &d->video, &err) != TUB_OK)
        return cli_fail(&err);
    tub_video_pixels(d->video, &d->height, &d->width, &is_float, &d->pixel_bytes);
    d->scale = !is_float && (d->transform.rescale || d->transform.normalize);
    d->dtype = is_float || d->scale ? TUB_F32 : TUB_U8;
    d->out_bytes = d->scale ? d->pixel_bytes * sizeof(float) : d->pixel_bytes;
    d->pixels = malloc(d->pixel_bytes);
    d->values = d->scale ? malloc(d->out_bytes) : NULL;
    if (!d->pixels || (d->scale && !d->values))
        return cli_refuse(CLI_FATAL, "out of memory: %zu bytes a frame", d->out_bytes);
    int64_t planar[4] = {0, 3, d->height, d->width}, packed[4] = {0, d->height, d->width, 3};
    if (tub_npy_begin(args->value[OPTION_OUT].text, d->dtype, 4, d->dtype == TUB_F32 ? planar : packed, &d->writer,
                      &err) != TUB_OK)
        return cli_fail(&err);
    return CLI_OK;
}

// What a model does to 8-bit pixels when it reads them.
static void scale_pixels(frame_dump *d)
{
    const tub_transform *t = &d->transform;
    size_t plane = (size_t)d->height * (size_t)d->width;
    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < 3; c++) {
            float x = d->pixels[3 * i + c];
            if (t->rescale)
                x = x * t->scale + t->offset;
            if (t->normalize)
                x = (x - t->mean[c]) / t->std[c];
            d->values[c * plane + i] = x;
        }
}

// Returns 0, an exit code, or -1 at the end of the video.
static int dump_frame(frame_dump *d)
{
    tub_error err;
    tub_frame frame;
    tub_status s = tub_video_next(d->video, &frame, &err);
    if (s == TUB_END)
        return -1;
    if (s != TUB_OK || tub_video_convert(d->video, d->pixels, &err) != TUB_OK)
        return cli_fail(&err);
    if (d->scale)
        scale_pixels(d);
    if (tub_npy_append(d->writer, d->scale ? (void *)d->values : d->pixels, d->out_bytes, &err) != TUB_OK)
        return cli_fail(&err);
    d->frames++;
    return cli_interrupted();
}

static int finish(frame_dump *d, const char *out)
{
    tub_error err;
    if (tub_npy_commit(&d->writer, NULL, NULL, &err) != TUB_OK)
        return cli_fail(&err);
    if (d->dtype == TUB_F32)
        cli_say(stdout, "%s float32 [%lld, 3, %d, %d]", out, (long long)d->frames, d->height, d->width);
    else
        cli_say(stdout, "%s uint8 [%lld, %d, %d, 3]", out, (long long)d->frames, d->height, d->width);
    tub_video_info info;
    tub_video_get_info(d->video, &info);
    cli_say_decoder(d->path, &info);
    return info.partial ? cli_refuse(CLI_INCOMPLETE, "%s: partial: %s", d->path, info.reason) : CLI_OK;
}

int cli_frames(const cli_arguments *args)
{
    frame_dump d = {.path = args->operands[0]};
    int code = cli_require(args, OPTION_OUT);
    if (code == CLI_OK)
        code = read_transform(args, &d.transform);
    cli_catch_interrupts();
    if (code == CLI_OK)
        code = begin(&d, args);
    while (code == CLI_OK)
        code = dump_frame(&d);
    if (code < 0)
        code = finish(&d, args->value[OPTION_OUT].text);
    tub_npy_abandon(&d.writer);
    tub_video_close(&d.video);
    free(d.pixels);
    free(d.values);
    return code;
}
