#include <math.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "measure.h"
#include "params.h"
#include "plan_impl.h"
#include "source.h"

enum { NPY_HEADER = 128, MEASURED_MOST = 8 };
static const double reading_patience = 5, usual_seconds = 3;

static void count_rows(const tub_plan *p, const tub_plan_params *params, tub_plan_item *item)
{
    int64_t value = tub_dataset_layout(params->dataset)->dtype == TUB_F16 ? 2 : 4;
    item->rows = tub_sampling_rows(&p->sampling, item->frames);
    item->bytes = item->rows ? NPY_HEADER + item->rows * params->info->dim * value : 0;
}

// The number of frames on the sampling's grid, according to the header.
static int64_t stated_frames(const tub_sampling *s, const tub_video_info *v)
{
    double frames = v->container_frames > 0 ? (double)v->container_frames : v->duration * v->fps;
    if (s->fps > 0 && v->fps > 0)
        frames *= s->fps / v->fps;
    return frames > 0 && frames < 1e15 ? llround(fmax(frames, 1)) : 0; // the first one is always chosen
}

static double bytes_of(const tub_item *item)
{
    return item->bytes > 0 ? (double)item->bytes : 0;
}

static tub_status read_header(tub_plan *p, const tub_plan_params *params, const char *path, tub_plan_item *item,
                              tub_error *err)
{
    tub_video_info video;
    tub_error why = {0};
    const tub_video_params how = {.size = sizeof how, .stream = params->extractor.video_stream};
    tub_status status = tub_video_probe(path, &how, false, &video, &why);
    if (status == TUB_OK) {
        item->frames = stated_frames(&p->sampling, &video);
        return TUB_OK;
    }
    item->error = tub_arena_strdup(&p->arena, why.text);
    p->info.unreadable++;
    return item->error ? TUB_OK : tub_fail_memory(err, "a plan");
}

// Reads headers for a while. Videos whose header wasn't read, or states nothing, are estimated from the bytes per frame
// of the others.
static tub_status read_items(tub_plan *p, const tub_plan_params *params, tub_error *err)
{
    double began = tub_now(), bytes = 0, frames = 0;
    tub_item item;
    for (size_t i = 0; i < p->count; i++) {
        tub_dataset_item(params->dataset, i, &item);
        if (item.state != TUB_ITEM_TODO)
            continue;
        if (params->stop && *params->stop)
            return tub_fail(err, TUB_ERROR_CANCELLED, "stopped");
        p->info.todo++;
        if (tub_now() - began < reading_patience)
            TUB_TRY(read_header(p, params, item.path, &p->items[i], err));
        bytes += p->items[i].frames > 0 ? bytes_of(&item) : 0;
        frames += (double)p->items[i].frames;
    }
    for (size_t i = 0; i < p->count; i++) {
        tub_plan_item *out = &p->items[i];
        tub_dataset_item(params->dataset, i, &item);
        if (item.state != TUB_ITEM_TODO || out->error)
            continue;
        out->by_size = out->frames == 0;
        if (out->by_size && bytes > 0)
            out->frames = llround(bytes_of(&item) / bytes * frames);
        count_rows(p, params, out);
        p->info.by_size += out->by_size;
        p->info.frames += out->frames;
        p->info.rows += out->rows;
        p->info.bytes += out->bytes;
    }
    return TUB_OK;
}

static tub_status measure(tub_plan *p, const tub_plan_params *params, tub_error *err)
{
    const char *videos[MEASURED_MOST];
    size_t step = p->info.todo / MEASURED_MOST + 1, count = 0, seen = 0;
    double seconds = params->seconds > 0 ? params->seconds : usual_seconds;
    for (size_t i = 0; i < p->count && count < MEASURED_MOST; i++) {
        tub_item item;
        tub_dataset_item(params->dataset, i, &item);
        if (item.state == TUB_ITEM_TODO && !p->items[i].error && seen++ % step == 0)
            videos[count++] = item.path;
    }
    if (!count || !params->encoder)
        return TUB_OK;
    tub_measurement m;
    tub_extractor_params x = params->extractor;
    tub_status status = tub_measure_extraction(params->encoder, &x, videos, count, seconds, params->stop, &m, err);
    if (status == TUB_ERROR_VIDEO)
        return TUB_OK; // they will fail, and say so then
    TUB_TRY(status);
    p->info.rows_per_second = m.rate;
    p->info.seconds = (double)p->info.rows / m.rate;
    p->info.bottleneck = m.bottleneck;
    return TUB_OK;
}

static tub_status fill(tub_plan *p, const tub_plan_params *params, tub_error *err)
{
    TUB_TRY(tub_sampling_resolve(&params->extractor.sampling, params->info->clip_length, &p->sampling, err));
    p->count = tub_dataset_count(params->dataset);
    p->items = tub_calloc(p->count, sizeof *p->items);
    if (!p->items)
        return tub_fail_memory(err, "a plan");
    TUB_TRY(tub_plan_bounds(p, params, err));
    TUB_TRY(read_items(p, params, err));
    return measure(p, params, err);
}

static tub_status check(const tub_plan_params *params, tub_error *err)
{
    TUB_TRY(tub_check_size("tub_plan_params", params->size, sizeof *params, err));
    TUB_TRY(tub_check_size("tub_encoder_params", params->asked.size, sizeof params->asked, err));
    TUB_TRY(tub_extractor_check_params(&params->extractor, err));
    if (!(params->seconds >= 0))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "tub_plan_params.seconds is %g: a time to measure, or 0 for 3 s",
                        params->seconds);
    return TUB_OK;
}

tub_status tub_plan_make(const tub_plan_params *params, tub_plan **out, tub_error *err)
{
    if (!out)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "plan: nowhere to put it");
    *out = NULL;
    if (params)
        TUB_TRY(check(params, err));
    if (!params || !params->dataset || !params->info)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "plan: a data set and a model's info are needed");
    tub_plan *p = tub_calloc(1, sizeof *p);
    if (!p)
        return tub_fail_memory(err, "a plan");
    tub_arena_init(&p->arena);
    tub_status status = fill(p, params, err);
    if (status == TUB_OK)
        *out = p;
    else
        tub_plan_close(&p);
    return status;
}

const tub_plan_info *tub_plan_get_info(const tub_plan *p)
{
    return &p->info;
}

void tub_plan_item_at(const tub_plan *p, size_t i, tub_plan_item *out)
{
    *out = i < p->count ? p->items[i] : (tub_plan_item){0};
}

bool tub_plan_bound_at(const tub_plan *p, size_t i, tub_plan_bound *out)
{
    if (i < p->bound_count)
        *out = p->bounds[i];
    return i < p->bound_count;
}

void tub_plan_close(tub_plan **p)
{
    if (!p || !*p)
        return;
    tub_arena_finish(&(*p)->arena);
    tub_free((*p)->items);
    tub_free(*p);
    *p = NULL;
}
