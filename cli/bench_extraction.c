#include "bench_extraction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cli.h"
#include "console.h"

int bench_videos_open(const char *input, bench_videos *out)
{
    char folder[BENCH_PATH];
    *out = (bench_videos){0};
    if (!bench_folder_make(folder))
        return CLI_OUTPUT;
    // Nothing is written. The folder only ensures that nothing counts as done.
    tub_dataset_params params = {.size = sizeof params,
                                 .inputs = &input,
                                 .input_count = 1,
                                 .out = folder,
                                 .dry_run = true,
                                 .log = cli_log(false)};
    tub_error err;
    tub_status status = tub_dataset_open(&params, &out->dataset, &err);
    bench_folder_remove(folder);
    if (status != TUB_OK)
        return cli_fail(&err);
    out->count = tub_dataset_count(out->dataset);
    return CLI_OK;
}

void bench_videos_close(bench_videos *videos)
{
    tub_dataset_close(&videos->dataset);
}

typedef struct extraction {
    const bench_videos *videos;
    tub_extractor *extractor;
    uint64_t *rows; // checksum of each video's rows
    bench_outcome *out;
} extraction;

static void add_rows(uint64_t *sum, const tub_result *r)
{
    const unsigned char *bytes = (const unsigned char *)r->rows;
    for (size_t i = 0; i < (size_t)r->count * (size_t)r->dim * sizeof *r->rows; i++)
        *sum = (*sum ^ bytes[i]) * 1099511628211u;
}

static int take(extraction *x, const tub_result *r)
{
    uint64_t *sum = r->tag;
    if (r->kind == TUB_RESULT_ROWS) {
        add_rows(sum, r);
        return CLI_OK;
    }
    if (r->status != TUB_OK)
        return cli_refuse(cli_exit_code(r->status), "%s", r->text);
    x->out->clips += r->total_rows;
    x->out->frames += r->frames;
    x->out->frames_left_out += r->info.frames_left_out;
    return CLI_OK;
}

// TUB_OK and TUB_AGAIN: go on; TUB_END: all are submitted.
static tub_status submit(extraction *x, size_t *next, tub_error *err)
{
    tub_status status = TUB_OK;
    while (status == TUB_OK && *next < x->videos->count) {
        tub_item item;
        tub_dataset_item(x->videos->dataset, *next, &item);
        status = tub_extractor_submit(x->extractor, &(tub_job){.path = item.path, .tag = &x->rows[*next]}, err);
        *next += status == TUB_OK;
    }
    if (status == TUB_OK)
        tub_extractor_finish(x->extractor);
    return status;
}

static int run(extraction *x)
{
    size_t next = 0;
    tub_error err;
    for (int code = CLI_OK;;) {
        tub_result r;
        if (submit(x, &next, &err) < 0)
            return cli_fail(&err);
        tub_status status = tub_extractor_receive(x->extractor, &r, &err);
        if (status == TUB_END)
            return CLI_OK;
        if (status == TUB_AGAIN)
            continue;
        if (status != TUB_OK)
            return cli_fail(&err);
        code = take(x, &r);
        tub_result_release(x->extractor, &r);
        if (code != CLI_OK)
            return code;
    }
}

// Runs one item, so that one-time costs of the first run aren't measured.
static int warm_up(tub_encoder *encoder, const tub_encoder_info *info)
{
    tub_error err;
    size_t frames = (size_t)info->frames;
    unsigned char *pixels = calloc(1, info->pixel_bytes);
    const void **pointers = calloc(frames, sizeof *pointers);
    float *row = calloc((size_t)info->dim, sizeof *row);
    int code = pixels && pointers && row ? CLI_OK : cli_refuse(CLI_FATAL, "out of memory");
    for (size_t i = 0; code == CLI_OK && i < frames; i++)
        pointers[i] = pixels;
    if (code == CLI_OK && tub_encoder_run(encoder, pointers, 1, row, NULL, &err) != TUB_OK)
        code = cli_fail(&err);
    free(row);
    free(pointers);
    free(pixels);
    return code;
}

static int measure(extraction *x, tub_encoder *encoder, const tub_extractor_params *params)
{
    tub_error err;
    const tub_encoder_info *info = tub_encoder_get_info(encoder);
    int code = warm_up(encoder, info);
    if (code != CLI_OK)
        return code;
    bench_outcome *out = x->out;
    out->per_frame = info->per_frame;
    out->batch = info->batch;
    out->dtype = info->dtype;
    snprintf(out->backend, sizeof out->backend, "%s", info->backend);
    tub_extractor_params counted = *params;
    counted.videos = (int64_t)x->videos->count;
    double began = cli_now();
    if (tub_extractor_open(encoder, &counted, &x->extractor, &err) != TUB_OK)
        return cli_fail(&err);
    code = run(x);
    out->seconds = cli_now() - began;
    tub_extractor_close(&x->extractor);
    for (size_t i = 0; i < x->videos->count; i++)
        out->rows ^= (x->rows[i] + i) * 0x9e3779b97f4a7c15u;
    return code;
}

int bench_extraction(const bench_videos *videos, const tub_encoder_params *encoder,
                     const tub_extractor_params *extractor, bench_outcome *out)
{
    tub_error err;
    tub_encoder *open = NULL;
    *out = (bench_outcome){0};
    extraction x = {.videos = videos, .rows = calloc(videos->count, sizeof *x.rows), .out = out};
    if (!x.rows)
        return cli_refuse(CLI_FATAL, "out of memory");
    int code = tub_encoder_open(encoder, &open, &err) == TUB_OK ? measure(&x, open, extractor) : cli_fail(&err);
    tub_encoder_close(&open);
    free(x.rows);
    return code;
}
