#include "measure.h"

#include <stdlib.h>

#include "clock.h"
#include "fail.h"
#include "memory.h"
#include "relay.h"

enum { RUNS_MOST = 64 };
static const double settle_share = 0.25; // of the time; rows count afterwards, when what was decoded ahead is used up

static const double patience = 0.02; // between two checks of the progress

typedef struct extraction {
    tub_extractor *x;
    const char *const *videos;
    size_t count, next, failed;
    double seconds, began, from, to;
    int64_t rows, rows_from; // rows so far, and where counting began
    bool counting;
} extraction;

static bool next_job(void *user, tub_job *out)
{
    extraction *e = user;
    *out = (tub_job){.path = e->videos[e->next++ % e->count]};
    return true;
}

// The caller gets the rows of a whole video at once; the progress tells earlier how many are done.
static void look(extraction *e)
{
    tub_progress progress;
    double now = tub_now();
    tub_extractor_progress(e->x, &progress);
    if (progress.rows_done == e->rows)
        return;
    if (e->rows == 0)
        e->began = now;
    e->rows = progress.rows_done;
    if (e->counting) {
        e->to = now;
    } else if (now - e->began >= settle_share * e->seconds) {
        e->counting = true;
        e->from = e->to = now;
        e->rows_from = e->rows;
    }
}

static tub_status take(extraction *e, tub_relay *relay, tub_error *err)
{
    const tub_result *result;
    tub_status status = tub_relay_take(relay, patience, &result, err);
    look(e);
    if (status != TUB_OK)
        return status == TUB_AGAIN ? TUB_OK : status;
    if (result->kind == TUB_RESULT_DONE && result->status != TUB_OK && ++e->failed >= e->count && e->rows == 0)
        status = tub_fail(err, TUB_ERROR_VIDEO, "none of %zu videos decodes: %s", e->count, result->text);
    tub_relay_give_back(relay);
    return status;
}

static bool is_done(const extraction *e)
{
    return e->counting && e->rows > e->rows_from && e->to - e->from >= e->seconds * (1 - settle_share);
}

static tub_status extract(extraction *e, const volatile int *stop, tub_error *err)
{
    tub_relay *relay = NULL;
    TUB_TRY(tub_relay_open(e->x, next_job, e, &relay, err));
    tub_status status = TUB_OK;
    while (status == TUB_OK && !is_done(e))
        status = stop && *stop ? tub_fail(err, TUB_ERROR_CANCELLED, "stopped") : take(e, relay, err);
    tub_relay_close(&relay);
    return status;
}

// The device's waits, except those before its first batch, tell whether the device is the bottleneck.
static const char *bottleneck(const tub_progress *p)
{
    double idle = p->device_wait_seconds - p->idle_start_seconds;
    if (idle < 0.1 * (p->forward_seconds + idle))
        return "forward";
    return p->convert_seconds > p->decode_seconds ? "convert" : "decode";
}

tub_status tub_measure_extraction(tub_encoder *encoder, const tub_extractor_params *params, const char *const *videos,
                                  size_t count, double seconds, const volatile int *stop, tub_measurement *out,
                                  tub_error *err)
{
    extraction e = {.videos = videos, .count = count, .seconds = seconds};
    tub_progress progress = {0};
    *out = (tub_measurement){0};
    TUB_TRY(tub_extractor_open(encoder, params, &e.x, err));
    tub_status status = extract(&e, stop, err);
    tub_extractor_progress(e.x, &progress);
    tub_extractor_close(&e.x);
    if (status == TUB_OK)
        *out = (tub_measurement){.rate = (double)(e.rows - e.rows_from) / (e.to - e.from),
                                 .decode_threads = progress.decode_threads,
                                 .bottleneck = bottleneck(&progress),
                                 .none_by_gpu = progress.videos_by_gpu == 0};
    return status;
}

typedef struct forwards {
    void *pixels;
    const void **frames;
    float *rows;
} forwards;

static bool prepare(forwards *f, const tub_encoder_info *info)
{
    size_t frames = (size_t)info->batch * (size_t)info->frames;
    f->pixels = tub_calloc(info->pixel_bytes, 1);
    f->frames = tub_calloc(frames, sizeof *f->frames);
    f->rows = tub_calloc((size_t)info->batch * (size_t)info->dim, sizeof *f->rows);
    for (size_t i = 0; f->frames && i < frames; i++)
        f->frames[i] = f->pixels;
    return f->pixels && f->frames && f->rows;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static tub_status time_forwards(tub_encoder *encoder, const forwards *f, double seconds, const volatile int *stop,
                                double *median, tub_error *err)
{
    const tub_encoder_info *info = tub_encoder_get_info(encoder);
    double times[RUNS_MOST], spent = 0;
    int runs = 0;
    TUB_TRY(tub_encoder_run(encoder, f->frames, info->batch, f->rows, NULL, err));
    while (runs < RUNS_MOST && (runs < 3 || spent < seconds)) {
        double began = tub_now();
        if (stop && *stop)
            return tub_fail(err, TUB_ERROR_CANCELLED, "stopped");
        TUB_TRY(tub_encoder_run(encoder, f->frames, info->batch, f->rows, NULL, err));
        times[runs] = tub_now() - began;
        spent += times[runs++];
        if (runs == 1 && spent > seconds)
            break; // one forward takes longer than the available time
    }
    qsort(times, (size_t)runs, sizeof *times, by_value);
    *median = (times[(runs - 1) / 2] + times[runs / 2]) / 2;
    return TUB_OK;
}

tub_status tub_measure_forward(tub_encoder *encoder, double seconds, const volatile int *stop, tub_measurement *out,
                               tub_error *err)
{
    forwards f = {0};
    double median = 0;
    *out = (tub_measurement){0};
    tub_status status = prepare(&f, tub_encoder_get_info(encoder))
                            ? time_forwards(encoder, &f, seconds, stop, &median, err)
                            : tub_fail_memory(err, "the pixels of a batch");
    if (status == TUB_OK)
        out->rate = tub_encoder_get_info(encoder)->batch / (median > 0 ? median : 1e-9);
    tub_free(f.pixels);
    tub_free(f.frames);
    tub_free(f.rows);
    return status;
}
