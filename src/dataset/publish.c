#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "clock.h"
#include "fail.h"
#include "feature_file.h"
#include "folder_lock.h"
#include "record_line.h"
#include "run_impl.h"

static void tell(tub_run *run, const tub_work *work, const tub_result *result, const char *output)
{
    tub_run_totals *t = run->totals;
    t->pending--;
    t->init_seconds += result->init_seconds;
    t->decode_seconds += result->decode_seconds;
    t->convert_seconds += result->convert_seconds;
    t->forward_seconds += result->forward_seconds;
    t->save_seconds += work->save_seconds;
    t->seconds = tub_now() - run->started;
    if (!run->params->on_event)
        return;
    tub_item item;
    tub_dataset_item(run->d, (size_t)(work->entry - run->d->list.items), &item);
    tub_event event = {.kind = TUB_EVENT_VIDEO,
                       .item = &item,
                       .result = result,
                       .output = output,
                       .save_seconds = work->save_seconds,
                       .totals = t};
    run->params->on_event(run->params->user, &event);
}

void tub_run_tick(tub_run *run)
{
    enum { TICKS = 4 };
    double now = tub_now();
    if (!run->params->on_event || now - run->last_tick < 1.0 / TICKS)
        return;
    run->last_tick = now;
    run->totals->seconds = now - run->started;
    tub_progress progress = {0};
    tub_extractor_progress(run->x, &progress);
    tub_event event = {.kind = TUB_EVENT_TICK, .progress = &progress, .totals = run->totals};
    run->params->on_event(run->params->user, &event);
}

// Under the lock, because another shard may be tidying the file (failures.h). It is synced at the end of the run: a
// lost line costs only one more try, while in a list of dead links each one would wait for the disk.
static tub_status append_failure(const tub_dataset *d, const char *line, tub_error *err)
{
    int lock = tub_folder_lock(d->out);
    tub_status status = tub_append_line_unsynced(d->failures, line, err);
    tub_folder_unlock(lock);
    return status;
}

// The video may be a copy or a download that is still under way: its size can be the final one from the start.
static void look_again(const tub_run *run, tub_entry *entry)
{
    if (!tub_entry_look_again(entry))
        tub_warn(&run->d->log,
                 "%s: it was written to during the run: what was read of it counts for nothing later, and "
                 "the next run reads it again",
                 entry->path);
}

// If memory was short or a server was away, the next run tries again.
static void forgive(tub_entry *entry, tub_status status)
{
    if (entry->bytes >= 0 && (status == TUB_ERROR_INPUT || status == TUB_ERROR_MEMORY))
        entry->bytes = TUB_CHANGED;
}

tub_status tub_run_fail(tub_run *run, tub_work *work, const tub_result *result, tub_error *err)
{
    tub_dataset *d = run->d;
    tub_feature_abandon(&work->writer);
    // An existing file was judged invalid, and must not pass for this video's features.
    char *stale = tub_feature_path(&d->place, work->entry->name);
    if (stale)
        unlink(stale);
    tub_free(stale);
    look_again(run, work->entry);
    forgive(work->entry, result->status);
    char *line = tub_failure_line(work->entry, result);
    if (!line)
        return tub_fail_memory(err, work->entry->path);
    tub_status status = append_failure(d, line, err);
    tub_free(line);
    TUB_TRY(status);
    work->entry->state = TUB_ITEM_FAILED;
    work->entry->failed_now = true;
    work->entry->reason = tub_arena_strdup(&d->arena, result->text);
    run->totals->failed++;
    tell(run, work, result, NULL);
    return TUB_OK;
}

static tub_status begin(tub_run *run, tub_work *work, tub_error *err)
{
    const tub_feature_place *place = &run->d->place;
    TUB_TRY(tub_out_folder_check(&run->folder, err)); // else a lost folder would be made again
    char *path = tub_feature_path(place, work->entry->name);
    if (!path)
        return tub_fail_memory(err, work->entry->path);
    tub_status status = tub_feature_begin(path, &place->layout, run->info->dim, &work->writer, err);
    tub_free(path);
    return status;
}

static void note_not_finite(tub_work *work, const tub_result *r)
{
    size_t values = (size_t)r->count * (size_t)r->dim;
    for (size_t i = 0; i < values && isfinite(work->bad); i++)
        if (!isfinite(r->rows[i])) {
            work->bad = r->rows[i];
            work->bad_row = r->first_row + (int64_t)i / r->dim;
        }
}

static tub_status append_rows(tub_run *run, tub_work *work, const tub_result *r, tub_error *err)
{
    if (r->first_row != work->rows || r->dim != run->info->dim)
        return tub_fail(err, TUB_ERROR_INTERNAL, "%s: rows %lld of %d values came where %lld of %d were due",
                        work->entry->path, (long long)r->first_row, r->dim, (long long)work->rows, run->info->dim);
    double start = tub_now();
    note_not_finite(work, r);
    tub_status status = work->writer ? TUB_OK : begin(run, work, err);
    if (status == TUB_OK)
        status = tub_feature_append(work->writer, r->rows, r->count, err);
    work->rows += r->count;
    work->save_seconds += tub_now() - start;
    return status;
}

static void count_done(tub_run *run, tub_work *work, const tub_result *r)
{
    tub_run_totals *t = run->totals;
    tub_entry *entry = work->entry;
    entry->state = r->info.partial ? TUB_ITEM_DONE_PARTIAL : TUB_ITEM_DONE;
    entry->reason = NULL;
    if (r->info.partial)
        entry->reason = tub_arena_strdup(&run->d->arena, r->text[0] ? r->text : r->info.reason);
    t->ok += !r->info.partial;
    t->partial += r->info.partial;
    t->rows += r->total_rows;
    t->frames += r->info.frames;
}

static void tell_published(tub_run *run, tub_work *work)
{
    count_done(run, work, work->result);
    char *output = tub_feature_path(&run->d->place, work->entry->name);
    tell(run, work, work->result, output);
    tub_free(output);
    tub_free(work->result);
    work->result = NULL;
}

void tub_run_tell_published(tub_run *run)
{
    for (tub_work *work; (work = tub_group_writer_take(run->publisher));)
        tell_published(run, work);
}

static tub_status hand_over(tub_run *run, tub_work *work, tub_atomic_file *file, char *line, tub_error *err)
{
    while (!tub_group_writer_has_room(run->publisher)) {
        tub_group_writer_wait(run->publisher);
        tub_run_tell_published(run);
    }
    return tub_group_writer_put(run->publisher, file, line, work, err);
}

// The file first, then the line: a video is done only when both are there.
static tub_status publish(tub_run *run, tub_work *work, const tub_result *r, tub_error *err)
{
    char checksum[TUB_HASH_TEXT] = "";
    tub_finished finished = {.result = r, .checksum = checksum, .dim = run->info->dim};
    tub_atomic_file *file = NULL;
    double start = tub_now();
    TUB_TRY(tub_feature_seal(&work->writer, checksum, &finished.bytes, &file, err));
    finished.mtime = tub_atomic_mtime(file);
    finished.save_seconds = work->save_seconds + tub_now() - start;
    look_again(run, work->entry);
    char *line = tub_record_line(work->entry, &finished, &run->asked, &run->d->place.layout);
    work->result = tub_calloc(1, sizeof *work->result);
    if (!line || !work->result) {
        tub_free(line);
        tub_atomic_abandon(&file);
        return tub_fail_memory(err, work->entry->path);
    }
    *work->result = *r;
    tub_status status = hand_over(run, work, file, line, err);
    work->save_seconds += tub_now() - start;
    return status;
}

// Whether a value doesn't fit into the files' type. If so, fills in why.
static bool overflowed(const tub_work *work, tub_result *why)
{
    int64_t row;
    float value;
    if (!tub_feature_overflowed(work->writer, &row, &value))
        return false;
    why->status = TUB_ERROR_ARGUMENT;
    snprintf(why->text, sizeof why->text,
             "%.700s: row %lld has the value %g, more than float16 holds: write float32 files", work->entry->path,
             (long long)row, (double)value);
    return true;
}

// Likewise for a row that can't be used: tub_verify() would complain about its file.
static bool not_finite(const tub_work *work, tub_result *why)
{
    if (isfinite(work->bad))
        return false;
    why->status = TUB_ERROR_MODEL;
    snprintf(why->text, sizeof why->text,
             "%.700s: row %lld has the value %g: the checkpoint is damaged, or its values are too large for the "
             "precision: try --dtype f32",
             work->entry->path, (long long)work->bad_row, isnan(work->bad) ? (double)NAN : (double)work->bad);
    return true;
}

static tub_status finish(tub_run *run, tub_work *work, const tub_result *r, tub_error *err)
{
    if (r->status == TUB_ERROR_DEVICE)
        return tub_fail(err, TUB_ERROR_DEVICE, "%s", r->text);
    if (r->status == TUB_ERROR_CANCELLED) {
        tub_feature_abandon(&work->writer);
        return TUB_OK;
    }
    if (r->status != TUB_OK)
        return tub_run_fail(run, work, r, err);
    tub_result wrong = *r;
    if (work->writer && (not_finite(work, &wrong) || overflowed(work, &wrong)))
        return tub_run_fail(run, work, &wrong, err);
    if (work->writer && work->rows == r->total_rows)
        return publish(run, work, r, err);
    wrong.status = r->total_rows ? TUB_ERROR_INTERNAL : TUB_ERROR_VIDEO;
    snprintf(wrong.text, sizeof wrong.text, "%.700s: %lld rows came, %lld were due", work->entry->path,
             (long long)work->rows, (long long)r->total_rows);
    return tub_run_fail(run, work, &wrong, err);
}

tub_status tub_run_take(tub_run *run, tub_work *work, const tub_result *result, tub_error *err)
{
    bool rows = result->kind == TUB_RESULT_ROWS;
    tub_lane_begin(run->lane, rows ? "append rows" : "finish video");
    tub_status status = rows ? append_rows(run, work, result, err) : finish(run, work, result, err);
    tub_lane_end(run->lane, work->entry->stem, rows ? result->count : result->total_rows);
    return status;
}
