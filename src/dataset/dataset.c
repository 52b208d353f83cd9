#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomic_file.h"
#include "dataset_impl.h"
#include "entry_names.h"
#include "fail.h"
#include "in_parallel.h"
#include "params.h"
#include "shard_pick.h"
#include "stems.h"

enum { REPLACED_TOLD = 8 }; // videos; if a whole collection was encoded again, it would be all of them

// Checks that the folder can be written, and makes it if needed. A dry run only looks.
static tub_status check_folder(const char *path, bool dry_run, const tub_log *log, tub_error *err)
{
    struct stat info;
    bool there = stat(path, &info) == 0;
    if (there && !S_ISDIR(info.st_mode))
        return tub_fail(err, TUB_ERROR_OUTPUT, "%s: the output must be a folder, and this is a file", path);
    if (!there && errno != ENOENT)
        return tub_fail(err, TUB_ERROR_OUTPUT, "%s: %s", path, strerror(errno));
    if (!there && dry_run)
        return TUB_OK;
    if (!there)
        TUB_TRY(tub_make_folder(path, err));
    if (access(path, W_OK | X_OK) == 0)
        return TUB_OK;
    if (!dry_run)
        return tub_fail(err, TUB_ERROR_OUTPUT, "%s: the output folder can't be written: %s", path, strerror(errno));
    tub_warn(log, "%s: the output folder can't be written: %s: an extraction would end here", path, strerror(errno));
    return TUB_OK;
}

static tub_status open_names(tub_dataset *d, const tub_dataset_params *p, tub_error *err)
{
    size_t length = strlen(p->out);
    while (length > 1 && p->out[length - 1] == '/')
        length--;
    d->out = tub_arena_format(&d->arena, "%.*s", (int)length, p->out);
    d->rank = p->shard_rank;
    d->world = p->shard_world ? p->shard_world : 1;
    if (!d->out)
        return tub_fail_memory(err, "a data set");
    const char *const kinds[] = {"manifest", "failures"};
    char **const paths[] = {&d->manifest, &d->failures};
    for (int i = 0; i < 2; i++) {
        *paths[i] = d->world > 1 ? tub_arena_format(&d->arena, "%s/%s.%d.jsonl", d->out, kinds[i], d->rank)
                                 : tub_arena_format(&d->arena, "%s/%s.jsonl", d->out, kinds[i]);
        if (!*paths[i])
            return tub_fail_memory(err, "a data set");
    }
    return TUB_OK;
}

static tub_status name_list(tub_dataset *d, const tub_dataset_params *p, tub_error *err)
{
    bool split = tub_layout_has_split(d->place.layout.name);
    if (split && !p->annotations)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "file name \"%s\": {split} stands in annotations, and none were given",
                        d->place.layout.name);
    if (split)
        TUB_TRY(tub_video_facts_read(p->annotations, &d->facts, err));
    return tub_entries_name(&d->arena, &d->list, &d->place.layout, &d->facts, err);
}

// The thread that reads manifests takes longest. Until it ends, this thread asks alone and leaves it a processor.
static void ask_videos(tub_dataset *d)
{
    for (size_t i = 0; i < d->list.count && !tub_found_is_read(&d->found); i++)
        tub_entry_ask(&d->list.items[i]);
    tub_inputs_ask(&d->list);
}

static tub_status open_list(tub_dataset *d, const tub_dataset_params *p, tub_error *err)
{
    TUB_TRY(tub_shard_check(d->rank, d->world, "shard", err));
    TUB_TRY(tub_inputs_list(&d->arena, p->inputs, p->input_count, p->recursive, &d->list, err));
    d->annotated = p->annotations != NULL;
    if (d->annotated) {
        TUB_TRY(tub_annotations_read(&d->arena, p->annotations, &d->annotations, err));
        TUB_TRY(tub_annotations_select(&d->annotations, p->annotations, &d->list, err));
    }
    TUB_TRY(name_list(d, p, err));
    TUB_TRY(tub_stems_unique(&d->list, tub_layout_extension(&d->place.layout), err)); // checks only the wanted videos
    ask_videos(d);
    return tub_shard_pick(&d->list, d->rank, d->world, err);
}

tub_status tub_dataset_read_pins(tub_dataset *d, tub_error *err)
{
    tub_settings_finish(&d->there);
    TUB_TRY(tub_settings_load(d->out, &d->there, err));
    const json_t *settings = json_object_get(d->there.root, "settings");
    const char *dtype = json_string_value(json_object_get(settings, "dtype"));
    d->backend = json_string_value(json_object_get(settings, "backend"));
    if (d->there.root && (!dtype || !d->backend || tub_dtype_parse(dtype, &d->dtype, NULL) != TUB_OK))
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "%s/features.json: its `dtype` or `backend` can't be read: choose another output folder",
                        d->out);
    return TUB_OK;
}

static tub_status open_pins(tub_dataset *d, const tub_dataset_params *p, tub_error *err)
{
    TUB_TRY(tub_dataset_read_pins(d, err));
    char *path = tub_format("%s/features.json", d->out);
    const tub_layout *asked = &p->layout;
    d->place = (tub_feature_place){.folder = d->out, .layout = *asked};
    // The caller's strings are copied.
    d->place.layout.name = asked->name ? tub_arena_strdup(&d->arena, asked->name) : NULL;
    d->place.layout.key = asked->key ? tub_arena_strdup(&d->arena, asked->key) : NULL;
    bool copied = path && !d->place.layout.name == !asked->name && !d->place.layout.key == !asked->key;
    tub_status status =
        copied ? tub_layout_complete(&d->place.layout, d->there.root, path, err) : tub_fail_memory(err, "a data set");
    tub_free(path);
    return status;
}

// Whether the record's video still exists unchanged and is another video: two folders may have equal names.
static bool is_of_another(const tub_entry *entry, const tub_record *record)
{
    struct stat info;
    return strcmp(record->video, entry->path) && stat(record->video, &info) == 0 && S_ISREG(info.st_mode) &&
           info.st_size == record->video_bytes && (info.st_dev != entry->device || info.st_ino != entry->inode);
}

// Whether the file is there as the record says, was made with the folder's settings and model, and from the video as it
// is now.
static bool is_valid(tub_dataset *d, const tub_entry *entry, const tub_record *record)
{
    if (d->there.root && (strcmp(record->settings, d->there.settings) || strcmp(record->model, d->there.model)))
        return false;
    if (!entry->untouched && !tub_feature_file_matches(&d->place, entry->name, record))
        return false;
    if (record->video_bytes < 0 || entry->bytes < 0 || record->video_bytes == entry->bytes)
        return true;
    if (record->video_bytes == TUB_CHANGED)
        return false; // already reported then
    if (is_of_another(entry, record)) {
        d->taken = d->taken ? d->taken : entry;
        return false;
    }
    if (d->replaced++ < REPLACED_TOLD)
        tub_warn(&d->log, "%s: its features were made from %s with %lld bytes, now it has %lld: they are made again",
                 entry->path, record->video, (long long)record->video_bytes, (long long)entry->bytes);
    return false;
}

static bool is_forbidden(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0)
        close(fd);
    return fd < 0 && (errno == EACCES || errno == EPERM);
}

// A video that was replaced since then is another video, as is one that wasn't there (-1) and is now. A video that may
// not be read will fail again, and no model is needed to know that.
static bool still_fails(const tub_entry *entry, const tub_record *failure)
{
    return failure->video_bytes == entry->bytes ||
           (failure->video_bytes == TUB_CHANGED && entry->bytes > 0 && is_forbidden(entry->path));
}

static void judge(tub_dataset *d, tub_entry *entry, bool retry)
{
    const tub_record *record = entry->record;
    const tub_record *failure = tub_records_find(&d->found.failures, entry->key);
    if (record && is_valid(d, entry, record)) {
        entry->state = record->partial ? TUB_ITEM_DONE_PARTIAL : TUB_ITEM_DONE;
        entry->reason = record->partial ? record->reason : NULL;
        d->untidy |= failure != NULL;
        return;
    }
    if (failure && !retry && still_fails(entry, failure)) {
        entry->state = TUB_ITEM_FAILED;
        entry->reason = failure->reason;
    }
}

typedef struct tub_asking {
    tub_dataset *d;
    int folder;
} tub_asking;

static void ask_file(void *context, size_t i)
{
    const tub_asking *asking = context;
    tub_entry *entry = &asking->d->list.items[i];
    entry->record = tub_records_find(&asking->d->found.manifests, entry->key);
    for (const tub_record *r = entry->record; r && !entry->untouched; r = r->others) {
        entry->untouched = tub_feature_file_untouched(asking->folder, &asking->d->place, entry->name, r);
        entry->record = entry->untouched ? r : entry->record;
    }
}

static void ask_files(tub_dataset *d)
{
    tub_asking asking = {.d = d, .folder = open(d->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    tub_in_parallel(d->list.count, ask_file, &asking);
    if (asking.folder >= 0)
        close(asking.folder);
}

static tub_status open_states(tub_dataset *d, bool retry, tub_error *err)
{
    TUB_TRY(tub_found_end(&d->found, err));
    d->untidy = d->found.failures.replaced;
    if (d->found.manifests.count)
        ask_files(d);
    for (size_t i = 0; i < d->list.count; i++)
        judge(d, &d->list.items[i], retry);
    if (d->taken)
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "%s and %s, whose features are in %s, would both become %s%s: choose another output folder, or "
                        "rename one of them",
                        d->taken->path, d->taken->record->video, d->out, d->taken->name,
                        tub_layout_extension(&d->place.layout));
    if (d->replaced > REPLACED_TOLD)
        tub_warn(&d->log, "%zu more videos have another size than when their features were made: they are made again",
                 d->replaced - REPLACED_TOLD);
    return TUB_OK;
}

static tub_status fill(tub_dataset *d, const tub_dataset_params *p, tub_error *err)
{
    d->log = p->log;
    d->dry_run = p->dry_run;
    TUB_TRY(open_names(d, p, err));
    TUB_TRY(open_pins(d, p, err));
    tub_found_start(&d->found, d->out);
    TUB_TRY(open_list(d, p, err));
    TUB_TRY(check_folder(d->out, p->dry_run, &d->log, err));
    return open_states(d, p->retry_failed, err);
}

tub_status tub_dataset_open(const tub_dataset_params *params, tub_dataset **out, tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    *out = NULL;
    if (!params || !params->out || !params->out[0])
        return tub_fail(err, TUB_ERROR_ARGUMENT, "no output folder was given");
    TUB_TRY(tub_check_size("tub_dataset_params", params->size, sizeof *params, err));
    TUB_TRY(tub_check_given("tub_dataset_params.inputs", params->input_count ? (const void *)params->inputs : "", err));
    tub_dataset *d = tub_calloc(1, sizeof *d);
    if (!d)
        return tub_fail_memory(err, "a data set");
    tub_arena_init(&d->arena);
    tub_status status = fill(d, params, err);
    if (status != TUB_OK)
        tub_dataset_close(&d);
    *out = d;
    return status;
}

size_t tub_dataset_count(const tub_dataset *d)
{
    return d->list.count;
}

void tub_dataset_item(const tub_dataset *d, size_t i, tub_item *out)
{
    const tub_entry *entry = &d->list.items[i];
    *out = (tub_item){.path = entry->path,
                      .stem = entry->stem,
                      .name = entry->name,
                      .state = entry->state,
                      .reason = entry->reason,
                      .bytes = entry->bytes};
}

const tub_layout *tub_dataset_layout(const tub_dataset *d)
{
    return &d->place.layout;
}

bool tub_dataset_pinned(const tub_dataset *d, tub_dtype *dtype, const char **backend)
{
    if (!d->there.root)
        return false;
    *dtype = d->dtype;
    *backend = d->backend;
    return true;
}

bool tub_dataset_known_model(const tub_dataset *d, const char **stamp, const char **hash)
{
    *stamp = tub_settings_stamp(&d->there);
    *hash = d->there.model;
    return d->there.root && **stamp && **hash;
}

void tub_dataset_close(tub_dataset **d)
{
    if (!d || !*d)
        return;
    tub_found_finish(&(*d)->found);
    tub_settings_finish(&(*d)->there);
    tub_annotations_finish(&(*d)->annotations);
    tub_video_facts_finish(&(*d)->facts);
    tub_free((*d)->list.items);
    tub_arena_finish(&(*d)->arena);
    tub_free(*d);
    *d = NULL;
}
