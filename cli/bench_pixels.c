// tubelet bench --case windows, decode, preprocess: a video without a model.
#include <sched.h>
#include <stdlib.h>

#include "bench.h"
#include "cli.h"
#include "console.h"
#include "run_settings.h"

enum { DECODING_THREADS = 16 };

static const double least_repetition = 0.02; // seconds; conversions are too short to be timed one by one

typedef struct window_bench {
    int clip_length;
    size_t values; // of one frame
    double sum;
} window_bench;

// Looks at every frame of the clip, so that no work that a user would need is left out.
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

static int read_pixels(const cli_arguments *args, tub_transform *transform)
{
    tub_transform_options options = {.base = TUB_TRANSFORM_OPENTAD, .has_size = true, .height = 224, .width = 224};
    int code = cli_read_transform(args, &options, &options);
    if (code != CLI_OK)
        return code;
    tub_error err;
    return tub_transform_resolve(&options, NULL, 0, 0, transform, &err) == TUB_OK ? CLI_OK : cli_fail(&err);
}

static int read_windows(const cli_arguments *args, tub_sampling *sampling)
{
    tub_sampling asked = {.size = sizeof asked,
                          .clip_length = cli_number(args, OPTION_CLIP_LENGTH, 16),
                          .stride = cli_number(args, OPTION_STRIDE, 4),
                          .interval = cli_number(args, OPTION_INTERVAL, 1)};
    tub_error err;
    return tub_sampling_resolve(&asked, 0, sampling, &err) == TUB_OK ? CLI_OK : cli_fail(&err);
}

static void warn_of_model_options(const cli_arguments *args)
{
    if (cli_given(args, OPTION_THREADS) || cli_given(args, OPTION_BACKEND))
        cli_refuse(CLI_OK, "warning: --threads and --backend are about models: no effect on --case %s",
                   args->value[OPTION_CASE].text);
}

static void warn_of_decoder(const cli_arguments *args)
{
    if (cli_given(args, OPTION_DECODER))
        cli_refuse(CLI_OK, "warning: --decoder has no effect on --case %s", args->value[OPTION_CASE].text);
}

int cli_bench_windows(const cli_arguments *args)
{
    tub_sampling sampling;
    tub_transform transform;
    tub_error err;
    warn_of_model_options(args);
    warn_of_decoder(args);
    int code = cli_require(args, OPTION_VIDEO);
    if (code == CLI_OK)
        code = read_windows(args, &sampling);
    if (code == CLI_OK)
        code = read_pixels(args, &transform);
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
    json_t *result =
        json_pack("{s:s, s:f, s:I, s:I, s:i, s:i, s:i, s:i, s:f}", "case", "windows", "seconds", seconds, "clips",
                  (json_int_t)rows, "frames", (json_int_t)info.frames, "clip_length", sampling.clip_length, "stride",
                  sampling.stride, "height", transform.height, "width", transform.width, "checksum", b.sum);
    return bench_print(args, result, "windows: %lld clips of %lld frames in %.3f s (%.0f frames/s)", (long long)rows,
                       (long long)info.frames, seconds, seconds > 0 ? (double)info.frames / seconds : 0);
}

static int decoding_threads(const cli_arguments *args)
{
    cpu_set_t usable;
    int threads = cli_number(args, OPTION_DECODE_THREADS, 0);
    if (threads == 0 && !sched_getaffinity(0, sizeof usable, &usable))
        threads = CPU_COUNT(&usable);
    return threads < 1 ? 1 : threads > DECODING_THREADS ? DECODING_THREADS : threads;
}

// Opens the video, decodes all of it, closes it.
static int decode_once(const char *path, const tub_video_params *params, tub_video_info *info, double *seconds)
{
    tub_video *video = NULL;
    tub_frame frame;
    tub_error err;
    double began = cli_now();
    tub_status status = tub_video_open(path, params, &video, &err);
    while (status == TUB_OK)
        status = tub_video_next(video, &frame, &err);
    if (status == TUB_END)
        tub_video_get_info(video, info);
    tub_video_close(&video);
    *seconds = cli_now() - began;
    return status == TUB_END ? CLI_OK : cli_fail(&err);
}

// A GPU's context lives as long as a video is open on it. It must not be created again for each repetition.
static int decode_repeatedly(const char *path, const tub_video_params *params, int repetitions, tub_video_info *info,
                             double *seconds)
{
    tub_video *first = NULL;
    tub_error err;
    if (params->gpu && tub_video_open(path, params, &first, &err) != TUB_OK)
        return cli_fail(&err);
    int code = CLI_OK;
    for (int i = 0; code == CLI_OK && i < repetitions; i++)
        code = decode_once(path, params, info, &seconds[i]);
    tub_video_close(&first);
    return code;
}

int cli_bench_decode(const cli_arguments *args)
{
    double seconds[BENCH_REPETITIONS];
    tub_video_info info = {0};
    const int repetitions = cli_number(args, OPTION_REPEAT, 5), threads = decoding_threads(args);
    const tub_video_params params = {.size = sizeof params, .threads = threads, .gpu = cli_decoding_gpu(args)};
    warn_of_model_options(args);
    int code = cli_require(args, OPTION_VIDEO);
    if (code == CLI_OK)
        code = decode_repeatedly(args->value[OPTION_VIDEO].text, &params, repetitions, &info, seconds);
    if (code != CLI_OK)
        return code;
    cli_say_decoder(args->value[OPTION_VIDEO].text, &info);
    bench_spread spread = bench_spread_of(seconds, repetitions);
    double rate = spread.median > 0 ? (double)info.frames / spread.median : 0;
    json_t *result = json_pack("{s:s, s:I, s:f, s:s, s:s, s:i, s:i, s:i}", "case", "decode", "frames",
                               (json_int_t)info.frames, "frames_per_second", rate, "codec", info.codec, "decoder",
                               info.decoder, "height", info.height, "width", info.width, "decode_threads", threads);
    bench_add_seconds(result, spread, repetitions);
    return bench_print(args, result, "decode: %lld frames of %s (%s), %dx%d, in %.3f s (median of %d; %.0f frames/s)",
                       (long long)info.frames, info.codec, info.decoder, info.height, info.width, spread.median,
                       repetitions, rate);
}

typedef struct convert_bench {
    tub_video *video;
    void *pixels;
    int height, width;
    int conversions; // of a repetition
    double seconds[BENCH_REPETITIONS];
} convert_bench;

static int open_frame(convert_bench *b, const char *path, const tub_transform *transform)
{
    tub_video_params params = {.size = sizeof params, .transform = transform};
    tub_frame frame;
    tub_error err;
    if (tub_video_open(path, &params, &b->video, &err) != TUB_OK || tub_video_next(b->video, &frame, &err) != TUB_OK)
        return cli_fail(&err);
    size_t bytes = 0;
    bool is_float = false;
    tub_video_pixels(b->video, &b->height, &b->width, &is_float, &bytes);
    b->pixels = malloc(bytes);
    return b->pixels ? CLI_OK : cli_refuse(CLI_FATAL, "out of memory: a frame of %zu bytes", bytes);
}

static int convert(convert_bench *b, int times, double *seconds)
{
    tub_error err;
    double began = cli_now();
    for (int i = 0; i < times; i++)
        if (tub_video_convert(b->video, b->pixels, &err) != TUB_OK)
            return cli_fail(&err);
    *seconds = cli_now() - began;
    return CLI_OK;
}

static int measure(convert_bench *b, int repetitions)
{
    double taken = 0;
    int code = CLI_OK;
    for (b->conversions = 1; code == CLI_OK; b->conversions *= 2) { // warms up, too
        code = convert(b, b->conversions, &taken);
        if (taken >= least_repetition || b->conversions >= 1 << 20)
            break;
    }
    for (int i = 0; code == CLI_OK && i < repetitions; i++) {
        code = convert(b, b->conversions, &taken);
        b->seconds[i] = taken / b->conversions;
    }
    return code;
}

static int report(convert_bench *b, const cli_arguments *args, int repetitions)
{
    tub_video_info info;
    tub_video_get_info(b->video, &info);
    bench_spread spread = bench_spread_of(b->seconds, repetitions);
    double rate = spread.median > 0 ? 1 / spread.median : 0;
    json_t *result =
        json_pack("{s:s, s:i, s:f, s:s, s:i, s:i, s:i, s:i}", "case", "preprocess", "conversions", b->conversions,
                  "frames_per_second", rate, "pixel_format", info.pixel_format, "video_height", info.height,
                  "video_width", info.width, "height", b->height, "width", b->width);
    bench_add_seconds(result, spread, repetitions);
    return bench_print(args, result,
                       "preprocess: a frame of %dx%d %s to %dx%d in %.1f us (median of %d; %.0f frames/s)", info.height,
                       info.width, info.pixel_format, b->height, b->width, spread.median * 1e6, repetitions, rate);
}

int cli_bench_preprocess(const cli_arguments *args)
{
    tub_transform transform;
    convert_bench b = {0};
    const int repetitions = cli_number(args, OPTION_REPEAT, 5);
    warn_of_model_options(args);
    warn_of_decoder(args);
    int code = cli_require(args, OPTION_VIDEO);
    if (code == CLI_OK)
        code = read_pixels(args, &transform);
    if (code == CLI_OK)
        code = open_frame(&b, args->value[OPTION_VIDEO].text, &transform);
    if (code == CLI_OK)
        code = measure(&b, repetitions);
    if (code == CLI_OK)
        code = report(&b, args, repetitions);
    tub_video_close(&b.video);
    free(b.pixels);
    return code;
}
