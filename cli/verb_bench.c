// tubelet bench: one part, timed.
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "console.h"
#include "json_events.h"
#include "run_settings.h"

enum { MOST_REPETITIONS = 1000 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

typedef struct forward_bench {
    tub_encoder *encoder;
    const tub_encoder_info *info;
    int clips, repetitions;
    void *pixels; // of one forward's frames
    const void **frames;
    float *rows;
    double seconds[MOST_REPETITIONS];
} forward_bench;

// Pixels of no meaning, the same every time; floats about as far from zero as normalised ones are.
static void fill_pixels(void *pixels, size_t bytes, bool is_float)
{
    uint32_t state = 1;
    size_t count = is_float ? bytes / sizeof(float) : bytes;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        if (is_float)
            ((float *)pixels)[i] = (float)(state >> 8) * (4.0f / 16777216.0f) - 2.0f;
        else
            ((uint8_t *)pixels)[i] = (uint8_t)(state >> 24);
    }
}

static int prepare_forward(forward_bench *b, tub_encoder_params *params)
{
    tub_error err;
    params->batch = b->clips;
    if (tub_encoder_open(params, &b->encoder, &err) != TUB_OK)
        return cli_fail(&err);
    b->info = tub_encoder_get_info(b->encoder);
    size_t frames = (size_t)b->clips * (size_t)b->info->frames;
    b->pixels = calloc(frames, b->info->pixel_bytes);
    b->frames = calloc(frames, sizeof *b->frames);
    b->rows = calloc((size_t)b->clips, (size_t)b->info->dim * sizeof(float));
    if (!b->pixels || !b->frames || !b->rows)
        return cli_refuse(CLI_FATAL, "out of memory: %zu frames of %zu bytes", frames, b->info->pixel_bytes);
    fill_pixels(b->pixels, frames * b->info->pixel_bytes, b->info->pixels_are_float);
    for (size_t i = 0; i < frames; i++)
        b->frames[i] = (const char *)b->pixels + i * b->info->pixel_bytes;
    return CLI_OK;
}

// One forward of all clips; in pieces where the encoder takes fewer at once.
static int forward(forward_bench *b)
{
    tub_error err;
    for (int done = 0; done < b->clips;) {
        int items = b->clips - done < b->info->batch ? b->clips - done : b->info->batch;
        if (tub_encoder_run(b->encoder, b->frames + (size_t)done * (size_t)b->info->frames, items,
                            b->rows + (size_t)done * (size_t)b->info->dim, NULL, &err) != TUB_OK)
            return cli_fail(&err);
        done += items;
    }
    return CLI_OK;
}

static int time_forward(forward_bench *b)
{
    int code = forward(b); // warm-up
    for (int i = 0; code == CLI_OK && i < b->repetitions; i++) {
        double began = cli_now();
        code = forward(b);
        b->seconds[i] = cli_now() - began;
    }
    return code;
}

static void report_forward(forward_bench *b, bool json)
{
    const tub_encoder_info *info = b->info;
    double seconds = median(b->seconds, b->repetitions), flops = info->flops * b->clips;
    if (json)
        cli_print_json(json_pack("{s:s, s:f, s:f, s:f, s:i, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:f}",
                                 "case", "forward", "seconds", seconds, "min_seconds", b->seconds[0], "max_seconds",
                                 b->seconds[b->repetitions - 1], "clips", b->clips, "batch", info->batch, "repetitions",
                                 b->repetitions, "family", info->family, "dtype", tub_dtype_name(info->dtype),
                                 "backend", info->backend, "device", info->device, "isa", info->isa, "frames",
                                 info->frames, "height", info->height, "width", info->width, "flops", flops));
    else
        cli_say(stdout, "forward: %d %s of %s, %s, %s: %.4f s (median of %d; %.1f GFLOP/s)", b->clips,
                info->per_frame ? "frames" : "clips", info->family, tub_dtype_name(info->dtype), info->backend, seconds,
                b->repetitions, seconds > 0 ? flops / seconds / 1e9 : 0);
}

static int bench_forward(const cli_arguments *args)
{
    cli_settings settings;
    int code = cli_require(args, OPTION_MODEL);
    if (code == CLI_OK)
        code = cli_read_settings(args, &settings);
    if (code != CLI_OK)
        return code;
    forward_bench b = {.clips = cli_number(args, OPTION_CLIPS, 1), .repetitions = cli_number(args, OPTION_REPEAT, 5)};
    code = prepare_forward(&b, &settings.encoder);
    if (code == CLI_OK)
        code = time_forward(&b);
    if (code == CLI_OK)
        report_forward(&b, cli_given(args, OPTION_JSON));
    tub_encoder_close(&b.encoder);
    free(b.pixels);
    free(b.frames);
    free(b.rows);
    return code;
}

typedef struct window_bench {
    int clip_length;
    size_t values; // of one frame
    double sum;
} window_bench;

// A glance at every frame of the clip, so that nothing that a user would need is left out.
static bool look_at_clip(void *user, const void *const *frames, int64_t row)
{
    window_bench *b = user;
    for (int i = 0; i < b->clip_length; i++) {
        const float *values = frames[i];
        b->sum += (double)values[0] + (double)values[b->values / 2] + (double)values[b->values - 1];
    }
    (void)row;
    return true;
}

static int window_settings(const cli_arguments *args, tub_sampling *sampling, tub_transform *transform)
{
    tub_transform_options options = {.base = TUB_TRANSFORM_OPENTAD, .has_size = true, .height = 224, .width = 224};
    int code = cli_read_transform(args, &options, &options);
    if (code != CLI_OK)
        return code;
    tub_sampling asked = {.size = sizeof asked,
                          .clip_length = cli_number(args, OPTION_CLIP_LENGTH, 16),
                          .stride = cli_number(args, OPTION_STRIDE, 4)};
    tub_error err;
    if (tub_sampling_resolve(&asked, 0, sampling, &err) != TUB_OK ||
        tub_transform_resolve(&options, NULL, 0, 0, transform, &err) != TUB_OK)
        return cli_fail(&err);
    return CLI_OK;
}

static int bench_windows(const cli_arguments *args)
{
    tub_sampling sampling;
    tub_transform transform;
    tub_error err;
    int code = cli_require(args, OPTION_VIDEO);
    if (code == CLI_OK)
        code = window_settings(args, &sampling, &transform);
    if (code != CLI_OK)
        return code;
    const char *path = args->value[OPTION_VIDEO].text;
    window_bench b = {.clip_length = sampling.clip_length,
                      .values = 3 * (size_t)transform.height * (size_t)transform.width};
    int64_t rows = 0;
    double began = cli_now();
    if (tub_windows_read(path, &sampling, &transform, 0, look_at_clip, &b, &rows, &err) != TUB_OK)
        return cli_fail(&err);
    double seconds = cli_now() - began;
    tub_video_info info;
    if (tub_video_probe(path, NULL, true, &info, &err) != TUB_OK)
        return cli_fail(&err);
    if (cli_given(args, OPTION_JSON))
        cli_print_json(json_pack("{s:s, s:f, s:I, s:I, s:i, s:i, s:i, s:i, s:f}", "case", "windows", "seconds", seconds,
                                 "clips", (json_int_t)rows, "frames", (json_int_t)info.frames, "clip_length",
                                 sampling.clip_length, "stride", sampling.stride, "height", transform.height, "width",
                                 transform.width, "checksum", b.sum));
    else
        cli_say(stdout, "windows: %lld clips of %lld frames in %.3f s (%.0f frames/s)", (long long)rows,
                (long long)info.frames, seconds, seconds > 0 ? (double)info.frames / seconds : 0);
    return CLI_OK;
}

int cli_bench(const cli_arguments *args)
{
    int code = cli_require(args, OPTION_CASE);
    if (code != CLI_OK)
        return code;
    if (!strcmp(args->value[OPTION_CASE].text, "forward"))
        return bench_forward(args);
    if (cli_given(args, OPTION_THREADS) || cli_given(args, OPTION_BACKEND))
        cli_refuse(CLI_OK, "warning: --threads and --backend are about models: no effect on --case windows");
    return bench_windows(args);
}
