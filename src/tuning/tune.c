// The search: tries one setting after another, each against the best so far; finally the winner against the defaults.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/checkpoint.h>

#include "backend.h"
#include "clock.h"
#include "fail.h"
#include "measure.h"
#include "memory.h"
#include "params.h"
#include "source.h"
#include "team.h"
#include "tune_impl.h"
#include "tune_ranges.h"

enum { CONFIRMATIONS = 3, CLIPS_FOR_PRECISION = 1, FRAMES_FOR_PRECISION = 4 };
static const double usual_budget = 60, noise = 1.04, least_slice = 0.3, most_slice = 10;

static void note(const tub_tuning *t, const char *text)
{
    if (t->params->on_note)
        t->params->on_note(t->params->user, text);
}

static double budget_of(const tub_tuning *t)
{
    return t->params->budget > 0 ? t->params->budget : usual_budget;
}

static double left(const tub_tuning *t)
{
    return budget_of(t) - (tub_now() - t->began);
}

static bool same_encoder(const tub_tune_entry *a, const tub_tune_entry *b)
{
    return a->dtype == b->dtype && a->batch == b->batch &&
           (a->backend == b->backend || (a->backend && b->backend && !strcmp(a->backend, b->backend)));
}

// All entries use the device that the defaults chose; what there is to say about it was said then.
static tub_encoder_params params_of(const tub_tuning *t, const tub_tune_entry *e)
{
    tub_encoder_params params = t->params->encoder;
    params.dtype = e->dtype;
    params.backend = e->backend;
    params.batch = e->batch;
    if (t->on_cpu)
        params.device = "cpu";
    return params;
}

static tub_status open_encoder(tub_tuning *t, size_t i, tub_error *err)
{
    const tub_tune_entry *e = &t->entries[i];
    if (t->encoder && same_encoder(e, &t->entries[t->encoder_of]))
        return TUB_OK;
    tub_encoder_close(&t->encoder);
    const tub_encoder_params params = params_of(t, e);
    t->encoder_of = i;
    return tub_encoder_open(&params, &t->encoder, err);
}

// Whether there is time for that many measurements, judging by those so far.
static bool has_time(const tub_tuning *t, int measurements)
{
    return left(t) >= measurements * (t->measured ? t->spent / t->measured : t->slice);
}

static tub_status measure_once(tub_tuning *t, size_t i, tub_measurement *out, tub_error *err)
{
    const tub_tune_params *p = t->params;
    tub_extractor_params x = p->extractor;
    TUB_TRY(open_encoder(t, i, err));
    if (!p->video_count)
        return tub_measure_forward(t->encoder, t->slice, p->stop, out, err);
    x.decode_threads = t->entries[i].decode_threads;
    x.prefetch = t->entries[i].prefetch;
    x.decoder = t->entries[i].decoder;
    TUB_TRY(tub_measure_extraction(t->encoder, &x, p->videos, p->video_count, t->slice, p->stop, out, err));
    if (x.decoder != p->extractor.decoder && out->none_by_gpu)
        return tub_fail(err, TUB_ERROR_DEVICE, "the GPU decoded none of the videos");
    return TUB_OK;
}

// A setting that fails becomes a row with its reason; only cancelling and a failure of the defaults end the search.
static tub_status measure(tub_tuning *t, size_t i, tub_error *err)
{
    tub_tune_entry *e = &t->entries[i];
    tub_tune_row *row = &e->row;
    tub_measurement m = {0};
    tub_error failed = {0};
    double began = tub_now();
    tub_status status = measure_once(t, i, &m, &failed);
    t->spent += tub_now() - began;
    t->measured++;
    if (status == TUB_ERROR_CANCELLED || (status != TUB_OK && i == 0)) {
        if (err)
            *err = failed;
        return status;
    }
    if (t->encoder) {
        const tub_encoder_info *info = tub_encoder_get_info(t->encoder);
        row->dtype = info->dtype;
        row->batch = info->batch;
        snprintf(row->backend, sizeof row->backend, "%s", info->backend);
        row->decode_threads = t->params->video_count ? m.decode_threads : 0;
        row->prefetch = !t->params->video_count ? 0 : e->prefetch ? e->prefetch : info->batch;
    }
    if (status == TUB_OK) {
        tub_tune_note(e, m.rate);
    } else {
        row->rate = 0;
        snprintf(row->reason, sizeof row->reason, "%.*s", (int)sizeof row->reason - 1, failed.text);
    }
    if (t->params->on_row)
        t->params->on_row(t->params->user, row);
    return TUB_OK;
}

static bool same_settings(const tub_tune_entry *a, const tub_tune_entry *b)
{
    return same_encoder(a, b) && a->decoder == b->decoder && a->decode_threads == b->decode_threads &&
           a->prefetch == b->prefetch;
}

// Whether an entry is equivalent to one that was measured: for example, a default spelled out.
static bool is_known(const tub_tuning *t, const tub_tune_entry *asked)
{
    const tub_tune_row *first = &t->entries[0].row;
    for (size_t i = 0; i < t->count; i++)
        if (same_settings(asked, &t->entries[i]))
            return true;
    tub_tune_entry plain = *asked;
    plain.dtype = asked->dtype == first->dtype ? t->entries[0].dtype : asked->dtype;
    if (asked->backend && !strcmp(asked->backend, first->backend))
        plain.backend = t->entries[0].backend;
    plain.batch = asked->batch == first->batch ? t->entries[0].batch : asked->batch;
    plain.decode_threads =
        asked->decode_threads == first->decode_threads ? t->entries[0].decode_threads : asked->decode_threads;
    if (asked->prefetch == (asked->batch ? asked->batch : first->batch))
        plain.prefetch = t->entries[0].prefetch; // the default is one batch
    for (size_t i = 0; i < t->count; i++)
        if (same_settings(&plain, &t->entries[i]))
            return true;
    return false;
}

static tub_status try_entry(tub_tuning *t, const tub_tune_entry *asked, tub_error *err)
{
    if (t->count == TUB_TUNE_ROWS_MOST || is_known(t, asked))
        return TUB_OK;
    if (!has_time(t, 2 * CONFIRMATIONS - 1)) {
        t->untried++;
        return TUB_OK;
    }
    size_t i = t->count++;
    t->entries[i] = *asked;
    t->entries[i].row = (tub_tune_row){.dtype = asked->dtype,
                                       .batch = asked->batch,
                                       .decode_threads = asked->decode_threads,
                                       .prefetch = asked->prefetch,
                                       .decoder = asked->decoder};
    if (asked->backend)
        snprintf(t->entries[i].row.backend, sizeof t->entries[i].row.backend, "%s", asked->backend);
    TUB_TRY(measure(t, i, err));
    if (t->entries[i].row.rate > noise * t->entries[t->best].row.rate)
        t->best = i;
    return TUB_OK;
}

// Items per second of forwards alone, few at a time: enough to compare precisions.
static tub_status time_forward(tub_tuning *t, const tub_tune_entry *asked, double *rate, tub_error *err)
{
    tub_measurement m = {0};
    tub_encoder *encoder = NULL;
    tub_encoder_params params = params_of(t, asked);
    params.batch = t->per_frame ? FRAMES_FOR_PRECISION : CLIPS_FOR_PRECISION;
    TUB_TRY(tub_encoder_open(&params, &encoder, err));
    tub_status status = tub_measure_forward(encoder, t->slice / 4, t->params->stop, &m, err);
    tub_encoder_close(&encoder);
    *rate = m.rate;
    return status;
}

static tub_status try_backend(tub_tuning *t, const char *backend, tub_dtype dtype, tub_error *err)
{
    double rate = 0;
    char text[200];
    tub_tune_entry asked = t->entries[0];
    asked.backend = backend;
    asked.dtype = dtype;
    if (is_known(t, &asked))
        return TUB_OK;
    tub_encoder_close(&t->encoder); // two at a time may not fit
    if (t->forward_rate == 0)
        TUB_TRY(time_forward(t, &t->entries[0], &t->forward_rate, err));
    tub_status status = time_forward(t, &asked, &rate, NULL);
    if (status == TUB_ERROR_CANCELLED)
        return tub_fail(err, status, "stopped");
    if (status == TUB_OK && rate > noise * t->forward_rate)
        return try_entry(t, &asked, err);
    if (status == TUB_OK)
        snprintf(text, sizeof text, "%s on %s isn't tried: its forward is %.2f times as fast as %s's on %s",
                 tub_dtype_name(dtype), backend ? backend : "this backend", rate / t->forward_rate,
                 tub_dtype_name(t->entries[0].row.dtype), t->entries[0].row.backend);
    else
        snprintf(text, sizeof text, "%s on %s can't run this model", tub_dtype_name(dtype),
                 backend ? backend : "this backend");
    note(t, text);
    return TUB_OK;
}

static bool is_open(const char *name)
{
    return !name || !strcmp(name, "auto");
}

// Whether to try a backend: one that the caller and the device leave open, but not the plain loops, which are never the
// fastest.
static bool is_wanted(const tub_tuning *t, const tub_backend_ops *ops)
{
    const tub_encoder_params *asked = &t->params->encoder;
    if (t->on_cpu || !is_open(asked->device))
        if (t->on_cpu != !strcmp(ops->device, "cpu"))
            return false;
    return is_open(asked->backend) ? strcmp(ops->name, "reference") != 0 : strcmp(ops->name, asked->backend) == 0;
}

// Precisions of the backend that runs by default, and other backends.
static tub_status try_precisions(tub_tuning *t, tub_error *err)
{
    static const tub_dtype dtypes[] = {TUB_BF16, TUB_F16, TUB_F32};
    bool custom = !strcmp(t->entries[0].row.backend, "openvino");
    const tub_backend_ops *ops;
    if (t->params->encoder.dtype != TUB_DTYPE_AUTO)
        return TUB_OK;
    for (size_t d = 0; custom && d < 3; d++)
        TUB_TRY(try_backend(t, t->entries[0].backend, dtypes[d], err));
    for (size_t i = 0; !custom && (ops = tub_backend_at(i)); i++)
        for (size_t d = 0; d < 3; d++)
            if (is_wanted(t, ops) && ops->supports(dtypes[d], NULL) == TUB_OK)
                TUB_TRY(try_backend(t, ops->name, dtypes[d], err));
    return TUB_OK;
}

// Tries the values nearest to the current one first: the budget may end.
static tub_status try_range(tub_tuning *t, tub_range *range, int now, size_t offset, tub_error *err)
{
    note(t, range->note);
    tub_range_sort(range, now);
    for (int i = 0; i < range->count; i++) {
        tub_tune_entry asked = t->entries[t->best];
        memcpy((char *)&asked + offset, &range->values[i], sizeof range->values[i]);
        TUB_TRY(try_entry(t, &asked, err));
    }
    return TUB_OK;
}

static tub_status try_batches(tub_tuning *t, tub_error *err)
{
    tub_range range;
    tub_description *d = NULL;
    if (t->params->encoder.batch)
        return TUB_OK;
    tub_encoder_params params = t->params->encoder;
    enum { MANY = 128 }; // the processor's backends compute few of a batch's items at once
    params.batch = MANY;
    // Only OpenVINO knows what custom models need.
    bool custom = !strcmp(t->entries[0].row.backend, "openvino");
    size_t workspace = 0;
    if (!custom && tub_describe(&params, &d, NULL) == TUB_OK)
        workspace = tub_description_get_info(d)->workspace_bytes / MANY;
    tub_description_close(&d);
    TUB_TRY(open_encoder(t, t->best, err));
    tub_range_of_batch(tub_encoder_get_info(t->encoder), workspace, tub_usable_memory(), t->params->whole_ranges,
                       &range);
    return try_range(t, &range, t->entries[t->best].row.batch, offsetof(tub_tune_entry, batch), err);
}

static tub_status try_decoding(tub_tuning *t, tub_error *err)
{
    tub_range range;
    if (!t->params->video_count) {
        note(t, "decode threads and prefetch are left alone: without videos nothing is decoded");
        return TUB_OK;
    }
    tub_range_of_decode_threads(tub_usable_processors(), t->params->whole_ranges, &range);
    if (!t->params->extractor.decode_threads)
        TUB_TRY(try_range(t, &range, t->entries[t->best].row.decode_threads, offsetof(tub_tune_entry, decode_threads),
                          err));
    tub_range_of_prefetch(&range);
    if (!t->params->extractor.prefetch)
        TUB_TRY(try_range(t, &range, t->entries[t->best].row.prefetch, offsetof(tub_tune_entry, prefetch), err));
    return TUB_OK;
}

// Measures the fastest and the defaults in turn, so that other work on the machine affects both, until the fastest of
// the table isn't just one lucky measurement. That turn is made in any case: it may exceed the budget.
static tub_status confirm(tub_tuning *t, tub_error *err)
{
    for (;;) {
        t->best = tub_tune_choose(t->entries, t->count);
        int runs = t->entries[0].row.runs, needed = t->best ? CONFIRMATIONS : 2;
        const bool lucky = t->best && t->entries[t->best].row.runs < 2;
        if (t->count == 1 || (runs >= needed && t->entries[t->best].row.runs >= needed) || (!lucky && !has_time(t, 2)))
            return TUB_OK;
        TUB_TRY(measure(t, 0, err));
        if (t->best)
            TUB_TRY(measure(t, t->best, err));
    }
}

// Compares the GPU's decoder with the winner, with as many threads as it takes by itself. *out: its entry, or the
// winner's if there was no time for it.
static tub_status measure_decoder(tub_tuning *t, tub_decoder decoder, size_t *out, tub_error *err)
{
    const size_t best = t->best, i = t->count;
    tub_tune_entry asked = t->entries[best];
    asked.decoder = decoder;
    asked.decode_threads = t->params->extractor.decode_threads;
    TUB_TRY(try_entry(t, &asked, err));
    t->best = best;
    *out = t->count > i ? i : best;
    while (t->count > i && t->entries[i].row.rate > 0 && t->entries[i].row.runs < CONFIRMATIONS && has_time(t, 2)) {
        TUB_TRY(measure(t, best, err));
        TUB_TRY(measure(t, i, err));
    }
    return TUB_OK;
}

// This row is only mentioned: for damaged videos, its decoder gives other frames, and doesn't say so.
static void tell_decoder(tub_tuning *t, size_t i)
{
    const tub_tune_row *row = &t->entries[i].row, *winner = &t->entries[t->best].row;
    char text[200];
    if (winner->rate <= 0 || row->rate <= noise * winner->rate) // 0: the winner failed meanwhile
        return;
    snprintf(text, sizeof text,
             "--decoder %s is %.2f times as fast as the winner; no profile sets it, as GPUs conceal what is damaged in "
             "a video and don't tell",
             tub_decoder_name(row->decoder), row->rate / winner->rate);
    note(t, text);
}

static tub_status compare_decoders(tub_tuning *t, tub_error *err)
{
    size_t nvdec, both;
    if (!t->on_gpu || !t->params->video_count || t->params->extractor.decoder != TUB_DECODER_AUTO)
        return TUB_OK;
    TUB_TRY(measure_decoder(t, TUB_DECODER_NVDEC, &nvdec, err));
    TUB_TRY(measure_decoder(t, TUB_DECODER_BOTH, &both, err));
    tell_decoder(t, nvdec);
    tell_decoder(t, both);
    return TUB_OK;
}

static void fill_profile(tub_tuning *t, const tub_encoder_info *info)
{
    const tub_tune_entry *e = &t->entries[t->best];
    tub_profile *p = &t->profile;
    // The threads that suit a GPU's decoder say nothing about runs without one.
    const bool by_processor = e->decoder == TUB_DECODER_AUTO || e->decoder == TUB_DECODER_CPU;
    *p = (tub_profile){.dtype = e->row.dtype,
                       .batch = e->batch,
                       .decode_threads = by_processor ? e->decode_threads : 0,
                       .prefetch = e->prefetch,
                       .rate = e->row.rate,
                       .default_rate = t->entries[0].row.rate};
    snprintf(p->backend, sizeof p->backend, "%s", e->row.backend);
    snprintf(p->name, sizeof p->name, "%s", t->params->encoder.model);
    tub_profile_model(info, p->model);
    t->entries[t->best].row.is_winner = true;
}

static tub_status search(tub_tuning *t, tub_error *err)
{
    const tub_tune_params *p = t->params;
    t->count = 1;
    t->entries[0] = (tub_tune_entry){.row = {.is_default = true},
                                     .dtype = p->encoder.dtype,
                                     .backend = p->encoder.backend,
                                     .batch = p->encoder.batch,
                                     .decode_threads = p->extractor.decode_threads,
                                     .prefetch = p->extractor.prefetch,
                                     .decoder = p->extractor.decoder};
    t->entries[0].row.decoder = p->extractor.decoder;
    t->began = tub_now();
    int rows = p->video_count ? 12 : 8;
    t->slice = budget_of(t) / (1.5 * (rows + 2 * CONFIRMATIONS));
    t->slice = t->slice < least_slice ? least_slice : t->slice > most_slice ? most_slice : t->slice;
    TUB_TRY(measure(t, 0, err));
    t->per_frame = tub_encoder_get_info(t->encoder)->per_frame;
    t->on_cpu = !strcmp(tub_encoder_get_info(t->encoder)->device, "cpu");
    t->on_gpu = !strcmp(tub_encoder_get_info(t->encoder)->device, "cuda");
    TUB_TRY(try_precisions(t, err));
    TUB_TRY(try_batches(t, err));
    TUB_TRY(try_decoding(t, err));
    TUB_TRY(confirm(t, err));
    TUB_TRY(compare_decoders(t, err));
    if (t->untried)
        note(t, "the budget ended before every setting was tried: --budget SECONDS gives more");
    TUB_TRY(open_encoder(t, t->best, err));
    fill_profile(t, tub_encoder_get_info(t->encoder));
    return TUB_OK;
}

static tub_status check(const tub_tune_params *params, tub_error *err)
{
    TUB_TRY(tub_check_size("tub_tune_params", params->size, sizeof *params, err));
    TUB_TRY(tub_extractor_check_params(&params->extractor, err));
    if (!(params->budget >= 0))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "tub_tune_params.budget is %g: seconds, or 0 for 60", params->budget);
    return TUB_OK;
}

tub_status tub_tune(const tub_tune_params *params, tub_tuning **out, tub_error *err)
{
    if (!out)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "tune: nowhere to put it");
    *out = NULL;
    if (!params)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "tune: no params were given");
    TUB_TRY(check(params, err));
    TUB_TRY(tub_check_given("tub_tune_params.videos", params->video_count ? (const void *)params->videos : "", err));
    tub_tuning *t = tub_calloc(1, sizeof *t);
    if (!t)
        return tub_fail_memory(err, "a tuning");
    t->params = params;
    tub_status status = search(t, err);
    tub_encoder_close(&t->encoder);
    t->params = NULL;
    if (status == TUB_OK)
        *out = t;
    else
        tub_tuning_close(&t);
    return status;
}
