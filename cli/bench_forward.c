// tubelet bench --case forward: an encoder alone, warm.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cli.h"
#include "run_settings.h"

static const double roof_seconds = 0.1;

typedef struct forward_bench {
    tub_encoder *encoder;
    const tub_encoder_info *info;
    int clips, repetitions, threads;
    void *pixels; // of one forward's frames
    bool pinned;  // `pixels` are pinned, as an extraction's slots are
    const void **frames;
    float *rows;
    double seconds[BENCH_REPETITIONS];
    double roof; // operations per second that the processor can reach; 0: not known
} forward_bench;

// Meaningless pixels, the same every time. Floats are about as far from zero as normalized pixels.
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

static int prepare(forward_bench *b, tub_encoder_params *params)
{
    tub_error err;
    if (params->batch == 0)
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
    b->pinned = tub_encoder_pin(b->encoder, b->pixels, frames * b->info->pixel_bytes, &err) == TUB_OK;
    return CLI_OK;
}

// One forward of all clips, in pieces if the encoder takes fewer at once.
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

// Measured in this process, before and after the timed part, because a machine's speed changes.
static void look_at_roof(forward_bench *b)
{
    double rate = 0;
    if (!strcmp(b->info->device, "cpu") &&
        tub_roof_measure(b->info->dtype, b->threads, roof_seconds, &rate, NULL) == TUB_OK && rate > b->roof)
        b->roof = rate;
}

static int measure(forward_bench *b)
{
    look_at_roof(b);
    int code = forward(b); // warm-up
    for (int i = 0; code == CLI_OK && i < b->repetitions; i++) {
        double began = cli_now();
        code = forward(b);
        b->seconds[i] = cli_now() - began;
    }
    look_at_roof(b);
    return code;
}

static int report(forward_bench *b, const cli_arguments *args)
{
    const tub_encoder_info *info = b->info;
    const char *dtype = tub_dtype_name(info->dtype);
    bench_spread seconds = bench_spread_of(b->seconds, b->repetitions);
    double flops = info->flops * b->clips;
    json_t *result = json_pack("{s:s, s:s}", "case", "forward", "family", info->family);
    bench_add_seconds(result, seconds, b->repetitions);
    json_t *more =
        json_pack("{s:i, s:i, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:f}", "clips", b->clips, "batch", info->batch,
                  "dtype", dtype, "backend", info->backend, "device", info->device, "isa", info->isa, "frames",
                  info->frames, "height", info->height, "width", info->width, "flops", flops);
    json_object_update(result, more);
    json_decref(more);
    double rate = seconds.median > 0 ? flops / seconds.median : 0;
    char roof[64] = "";
    if (b->roof > 0) {
        json_object_set_new(result, "roof_flops", json_real(b->roof));
        json_object_set_new(result, "roof_fraction", json_real(rate / b->roof));
        snprintf(roof, sizeof roof, ", %.0f %% of the roof", 100 * rate / b->roof);
    }
    return bench_print(args, result, "forward: %d %s of %s, %s, %s: %.4f s (median of %d; %.1f GFLOP/s%s)", b->clips,
                       info->per_frame ? "frames" : "clips", info->family, dtype, info->backend, seconds.median,
                       b->repetitions, rate / 1e9, roof);
}

int cli_bench_forward(const cli_arguments *args)
{
    cli_settings settings;
    int code = cli_require(args, OPTION_MODEL);
    if (code == CLI_OK)
        code = cli_read_settings(args, &settings);
    if (code != CLI_OK)
        return code;
    forward_bench b = {.clips = cli_number(args, OPTION_CLIPS, 1),
                       .repetitions = cli_number(args, OPTION_REPEAT, 5),
                       .threads = cli_number(args, OPTION_THREADS, 0)};
    code = prepare(&b, &settings.encoder);
    if (code == CLI_OK)
        code = measure(&b);
    if (code == CLI_OK)
        code = report(&b, args);
    if (b.pinned)
        tub_encoder_unpin(b.encoder, b.pixels);
    tub_encoder_close(&b.encoder);
    free(b.pixels);
    free(b.frames);
    free(b.rows);
    return code;
}
