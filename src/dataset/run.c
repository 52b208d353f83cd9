#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "atomic_file.h"
#include "clock.h"
#include "encoder_impl.h"
#include "fail.h"
#include "failures.h"
#include "folder_lock.h"
#include "in_parallel.h"
#include "params.h"
#include "run_impl.h"
#include "utf8.h"

// Refuses manifest lines of other settings if features.json doesn't tell (it may have been removed).
static tub_status refuse_mixture(const tub_run *run, tub_error *err)
{
    const tub_records *manifests = &run->d->found.manifests;
    for (size_t i = 0; i < manifests->count; i++) {
        const tub_record *r = &manifests->items[i];
        bool other_model = r->model[0] && strcmp(r->model, run->asked.model);
        if (!other_model && (!r->settings[0] || strcmp(r->settings, run->asked.settings) == 0))
            continue;
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "%s: the features of %s in this folder were made with %s: choose another output folder",
                        run->d->found.listing.manifests.items[r->file], r->video,
                        other_model ? "another model" : "other settings");
    }
    return TUB_OK;
}

static tub_status list_work(tub_run *run, tub_error *err)
{
    tub_entries *list = &run->d->list;
    tub_run_totals *t = run->totals;
    run->work = tub_calloc(list->count, sizeof *run->work);
    if (!run->work)
        return tub_fail_memory(err, "a run");
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].state == TUB_ITEM_TODO)
            run->work[run->count++].entry = &list->items[i];
        else if (list->items[i].state == TUB_ITEM_FAILED)
            t->recorded_failures++;
        else
            t->skipped++;
    t->videos = list->count;
    t->failed = t->recorded_failures;
    t->pending = run->count;
    return TUB_OK;
}

// Reports a different processor level, card, or version of the library that runs a custom model. It isn't refused,
// since clusters have different nodes.
static void tell_unlike(const tub_run *run)
{
    const json_t *about = json_object_get(run->d->there.root, "about");
    const char *there = json_string_value(json_object_get(about, "isa")), *here = run->info->isa;
    if (run->count && there && *there && *here && strcmp(there, here))
        tub_warn(&run->d->log,
                 "%s: its features were begun with %s, and this run computes with %s: rows may differ in their last "
                 "bits from what they would have been there",
                 run->d->out, there, here);
}

static size_t last_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return strlen(slash ? slash + 1 : name);
}

// A name that is too long for a file name with .npy is known at once, and concerns only one video.
static tub_status fail_long_names(tub_run *run, tub_error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < run->count; i++) {
        tub_work *work = &run->work[i];
        if (last_part(work->entry->name) + strlen(".npy") <= NAME_MAX) {
            run->work[kept++] = *work;
            continue;
        }
        tub_result result = {.kind = TUB_RESULT_DONE, .status = TUB_ERROR_ARGUMENT};
        snprintf(result.text, sizeof result.text, "%.700s: its name with %s is longer than %d bytes: rename it",
                 work->entry->path, tub_layout_extension(&run->d->place.layout), NAME_MAX);
        TUB_TRY(tub_run_fail(run, work, &result, err));
    }
    run->count = kept;
    return TUB_OK;
}

static bool next_job(void *user, tub_job *out)
{
    tub_run *run = user;
    if (run->next == run->count)
        return false;
    tub_work *work = &run->work[run->next++];
    *out = (tub_job){.path = work->entry->path, .tag = work};
    return true;
}

static tub_status stopped(const tub_run *run, tub_error *err)
{
    return tub_fail(err, TUB_ERROR_CANCELLED, "stopped: %zu videos are left; the same command goes on with them",
                    run->totals->pending);
}

static tub_status loop(tub_run *run, tub_error *err)
{
    const double patience = 0.05;
    for (;;) {
        const tub_result *result;
        if (run->params->stop && *run->params->stop)
            return TUB_ERROR_CANCELLED;
        tub_status status = tub_relay_take(run->relay, patience, &result, err);
        tub_run_tell_published(run);
        tub_run_tick(run);
        if (status == TUB_AGAIN)
            continue;
        if (status != TUB_OK)
            return status == TUB_END ? TUB_OK : status;
        status = tub_run_take(run, result->tag, result, err);
        tub_relay_give_back(run->relay);
        TUB_TRY(status);
    }
}

// Complete files are published, however the loop ended.
static tub_status finish_publishing(tub_run *run, tub_status status, tub_error *err)
{
    tub_error error;
    tub_status published = tub_group_writer_wait_all(run->publisher, &error);
    tub_run_tell_published(run);
    if (published != TUB_OK && (status == TUB_OK || status == TUB_ERROR_CANCELLED)) {
        if (err)
            *err = error;
        return published;
    }
    if (status != TUB_ERROR_CANCELLED)
        return status;
    return run->totals->pending ? stopped(run, err) : TUB_OK;
}

static tub_status extract(tub_run *run, tub_encoder *encoder, const tub_source_ops *source, tub_error *err)
{
    tub_extractor_params params = run->params->extractor;
    params.videos = (int64_t)run->count;
    run->lane = tub_trace_lane(params.trace, "write");
    TUB_TRY(tub_extractor_open_source(encoder, &params, source, &run->x, err));
    tub_status status = tub_group_writer_open(run->d->manifest, &run->publisher, err);
    if (status == TUB_OK)
        status = tub_relay_open(run->x, next_job, run, &run->relay, err);
    if (status == TUB_OK)
        status = finish_publishing(run, loop(run, err), err);
    tub_relay_close(&run->relay);
    tub_group_writer_close(&run->publisher);
    for (size_t i = 0; i < run->count; i++) {
        tub_feature_abandon(&run->work[i].writer);
        tub_free(run->work[i].result);
    }
    tub_progress *progress = &run->totals->pipeline;
    tub_extractor_progress(run->x, progress);
    run->totals->decode_wait_seconds = progress->decode_wait_seconds;
    run->totals->device_wait_seconds = progress->device_wait_seconds;
    tub_extractor_close(&run->x);
    return status;
}

typedef struct tub_losses {
    const tub_run *run;
    _Atomic(const tub_entry *) one;
} tub_losses;

static void look_for_file(void *context, size_t i)
{
    tub_losses *losses = context;
    const tub_entry *entry = losses->run->work[i].entry;
    const bool done = entry->state == TUB_ITEM_DONE || entry->state == TUB_ITEM_DONE_PARTIAL;
    if (done && strchr(entry->name, '/') && tub_feature_file_mtime(&losses->run->d->place, entry->name) < 0)
        losses->one = entry;
}

// Looks for features lost in subfolders. Names with a split lead into them, and a lost subfolder would be made again.
static tub_status look_for_losses(const tub_run *run, tub_error *err)
{
    tub_losses losses = {.run = run};
    if (tub_layout_has_split(run->d->place.layout.name))
        tub_in_parallel(run->count, look_for_file, &losses);
    if (!losses.one)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_OUTPUT,
                    "%s: the features of %s are gone: their folder was deleted, moved, emptied or replaced during the "
                    "run: put it back, or run again",
                    run->d->out, losses.one->path);
}

// If features are gone, that is reported instead of any other result.
static tub_status extract_here(tub_run *run, tub_encoder *encoder, const tub_source_ops *source, bool *gone,
                               tub_error *err)
{
    tub_error error;
    TUB_TRY(tub_out_folder_hold(run->d->out, &run->folder, err));
    tub_status status = extract(run, encoder, source, err);
    *gone = tub_out_folder_check(&run->folder, &error) != TUB_OK || look_for_losses(run, &error) != TUB_OK;
    tub_out_folder_release(&run->folder);
    if (*gone && err)
        *err = error;
    return *gone ? TUB_ERROR_OUTPUT : status;
}

static tub_status list_done(const tub_dataset *d, tub_stem_map *done, tub_error *err)
{
    for (size_t i = 0; i < d->list.count; i++) {
        const tub_entry *entry = &d->list.items[i];
        bool is_done = entry->state == TUB_ITEM_DONE || entry->state == TUB_ITEM_DONE_PARTIAL;
        if (is_done && !tub_stem_map_set(done, entry->name, i))
            return tub_fail_memory(err, "missing_files.txt");
    }
    return TUB_OK;
}

static tub_status write_missing(const tub_dataset *d, tub_error *err)
{
    tub_stem_map done = {0};
    tub_status status = list_done(d, &done, err);
    int lock = tub_folder_lock(d->out); // so that the last shard to look is the last to write
    if (status == TUB_OK)
        status = tub_annotations_write_missing(&d->annotations, &d->place, &d->facts, &done, err);
    tub_folder_unlock(lock);
    tub_stem_map_finish(&done);
    return status;
}

static tub_status put_in_order(const tub_run *run, bool tidy, tub_error *err)
{
    const tub_dataset *d = run->d;
    if (run->totals->failed > run->totals->recorded_failures)
        TUB_TRY(tub_sync_lines(d->failures, err));
    if (tidy)
        TUB_TRY(tub_failures_tidy(d, err));
    return d->annotated ? write_missing(d, err) : TUB_OK;
}

// Sweeps the folder, and its subfolders that names lead to.
static tub_status sweep(tub_dataset *d, tub_error *err)
{
    tub_stem_map swept = {0};
    bool kept = true;
    if (d->found.listing.temporaries)
        tub_atomic_sweep(d->out);
    for (size_t i = 0; kept && i < d->list.count; i++) {
        const char *name = d->list.items[i].name, *slash = strrchr(name, '/');
        if (!slash)
            continue;
        const char *folder = tub_arena_format(&d->arena, "%s/%.*s", d->out, (int)(slash - name), name);
        if (folder && tub_stem_map_get(&swept, folder) == (size_t)TUB_NO_STEM)
            tub_atomic_sweep(folder);
        kept = folder && tub_stem_map_set(&swept, folder, i);
    }
    tub_stem_map_finish(&swept);
    return kept ? TUB_OK : tub_fail_memory(err, "a run");
}

// `encoder`: NULL if no row is made.
static tub_status check_params(const tub_run_params *params, const tub_encoder *encoder, tub_error *err)
{
    TUB_TRY(tub_check_size("tub_run_params", params->size, sizeof *params, err));
    if (params->preset && !tub_utf8_is(params->preset))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "tub_run_params.preset: \"%.64s\" isn't UTF-8", params->preset);
    TUB_TRY(tub_check_choice("tub_run_params.pool", (int)params->pool, TUB_POOL_PROJECTION, err));
    if (encoder && params->pool != encoder->pool)
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "tub_run_params.pool is %s, but the encoder's is %s: the same must be said of both, as it is "
                        "what folders are kept apart by",
                        tub_pool_name(params->pool), tub_pool_name(encoder->pool));
    return tub_extractor_check_params(&params->extractor, err);
}

static tub_status pin(tub_run *run, tub_error *err)
{
    TUB_TRY(refuse_mixture(run, err));
    const tub_status status = tub_settings_agree(run->d->out, &run->asked, true, err);
    return status == TUB_ERROR_ARGUMENT ? TUB_OK : status; // another run was first
}

tub_status tub_dataset_pin(tub_dataset *d, const tub_encoder_info *info, const tub_run_params *params, tub_error *err)
{
    if (!d || !info || !params)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "pin: a data set, a model's info and params are needed");
    tub_run run = {.d = d, .params = params, .info = info};
    if (d->there.root || d->dry_run)
        return TUB_OK;
    TUB_TRY(check_params(params, NULL, err));
    TUB_TRY(tub_settings_make(info, params, &d->place.layout, &run.asked, err));
    tub_status status = pin(&run, err);
    tub_settings_finish(&run.asked);
    return status == TUB_OK ? tub_dataset_read_pins(d, err) : status;
}

static tub_status run_all(tub_run *run, tub_encoder *encoder, const tub_source_ops *source, tub_error *err)
{
    tub_dataset *d = run->d;
    TUB_TRY(check_params(run->params, encoder, err));
    TUB_TRY(tub_settings_make(run->info, run->params, &d->place.layout, &run->asked, err));
    TUB_TRY(tub_settings_agree(d->out, &run->asked, false, err));
    TUB_TRY(refuse_mixture(run, err));
    TUB_TRY(list_work(run, err));
    tell_unlike(run);
    if (d->dry_run)
        return TUB_OK;
    TUB_TRY(sweep(d, err));
    TUB_TRY(tub_settings_agree(d->out, &run->asked, true, err));
    bool tidy = run->count || d->untidy, gone = false;
    tub_status status = fail_long_names(run, err);
    if (status == TUB_OK && run->count)
        status = extract_here(run, encoder, source, &gone, err);
    if (gone)
        return status;
    tub_status order = put_in_order(run, tidy, status == TUB_OK ? err : NULL);
    return status == TUB_OK ? order : status;
}

static tub_status run_whole(tub_run *run, tub_encoder *encoder, const tub_source_ops *source, tub_error *err)
{
    run->started = tub_now();
    *run->totals = (tub_run_totals){0};
    tub_status status = run_all(run, encoder, source, err);
    tub_settings_finish(&run->asked);
    tub_free(run->work);
    run->totals->seconds = tub_now() - run->started;
    return status;
}

tub_status tub_dataset_run_source(tub_dataset *d, tub_encoder *encoder, const tub_run_params *params,
                                  const tub_source_ops *source, tub_run_totals *totals, tub_error *err)
{
    tub_run_totals unwanted;
    tub_run run = {
        .d = d, .params = params, .info = tub_encoder_get_info(encoder), .totals = totals ? totals : &unwanted};
    return run_whole(&run, encoder, source, err);
}

tub_status tub_dataset_run(tub_dataset *d, tub_encoder *encoder, const tub_run_params *params, tub_run_totals *totals,
                           tub_error *err)
{
    if (!d || !encoder || !params)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "run: a data set, an encoder and params are needed");
    return tub_dataset_run_source(d, encoder, params, &tub_source_video, totals, err);
}

tub_status tub_dataset_settle(tub_dataset *d, const tub_encoder_info *info, const tub_run_params *params,
                              tub_run_totals *totals, tub_error *err)
{
    if (!d || !info || !params)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "run: a data set, a model's info and params are needed");
    tub_run_totals unwanted;
    tub_run run = {.d = d, .params = params, .info = info, .totals = totals ? totals : &unwanted};
    *run.totals = (tub_run_totals){0};
    for (size_t i = 0; i < d->list.count; i++)
        if (d->list.items[i].state == TUB_ITEM_TODO)
            return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: is to do yet: that takes an encoder", d->list.items[i].path);
    return run_whole(&run, NULL, NULL, err);
}
