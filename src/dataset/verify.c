#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "annotations.h"
#include "atomic_file.h"
#include "memory.h"
#include "name_text.h"
#include "params.h"
#include "verify_impl.h"

static const char *const kind_names[TUB_FINDING_COUNT] = {
    "missing",    "failed",   "extra",    "broken", "dtype",    "dim",   "rows",
    "not-finite", "checksum", "settings", "model",  "duration", "stale", "unreadable",
};

const char *tub_finding_name(tub_finding_kind kind)
{
    return (unsigned)kind < TUB_FINDING_COUNT ? kind_names[kind] : "unknown";
}

// Whether nobody should train with the features.
static bool makes_unusable(tub_finding_kind kind)
{
    return kind == TUB_FINDING_BROKEN || kind == TUB_FINDING_DIM || kind == TUB_FINDING_ROWS ||
           kind == TUB_FINDING_NOT_FINITE || kind == TUB_FINDING_CHECKSUM || kind == TUB_FINDING_SETTINGS ||
           kind == TUB_FINDING_MODEL || kind == TUB_FINDING_UNREADABLE;
}

void tub_verify_tell(tub_verify *v, tub_finding_kind kind, const char *file, const char *id, const char *format, ...)
{
    char text[TUB_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    v->found++;
    v->totals->findings[kind]++;
    size_t at = file ? tub_stem_map_get(&v->folder.listing.map, file) : (size_t)TUB_NO_STEM;
    if (at != (size_t)TUB_NO_STEM && makes_unusable(kind))
        v->unusable[at] = true;
    const tub_finding finding = {.kind = kind, .file = file, .id = id, .text = text};
    if (v->params->on_finding)
        v->params->on_finding(v->params->user, &finding);
}

const tub_told *tub_verify_told(tub_verify *v, const char *file)
{
    const char *text = tub_name_text(&v->folder.arena, file);
    return text ? tub_told_find(&v->folder.told, text) : NULL;
}

// If features.json doesn't say, takes what most files have.
static void take_majority(tub_verify *v)
{
    const tub_feature_listing *l = &v->folder.listing;
    size_t most = 0, halves = 0, read = 0;
    int64_t *dims = tub_calloc(l->count, sizeof *dims);
    for (size_t i = 0; dims && i < l->count; i++) {
        tub_feature_array a;
        char *path = tub_format("%s/%s", v->folder.place.folder, l->files[i]);
        if (path && tub_feature_array_stat(path, NULL, &a, NULL) == TUB_OK) {
            dims[read++] = a.dim;
            halves += a.dtype == TUB_F16;
        }
        tub_free(path);
    }
    v->dtype = 2 * halves > read ? TUB_F16 : TUB_F32;
    // Boyer-Moore majority vote.
    for (size_t i = 0; i < read; i++) {
        if (!most)
            v->dim = dims[i];
        most = dims[i] == v->dim ? most + 1 : most - 1;
    }
    tub_free(dims);
}

typedef struct tub_search {
    const tub_verify *v;
    size_t found; // number in the listing, or TUB_NO_STEM
    const tub_told *failed;
} tub_search;

static bool try_name(void *user, const char *name)
{
    tub_search *s = user;
    char file[PATH_MAX + 8];
    snprintf(file, sizeof file, "%s%s", name, tub_layout_extension(&s->v->folder.place.layout));
    s->found = tub_stem_map_get(&s->v->folder.listing.map, file);
    if (!s->failed)
        s->failed = tub_told_find(&s->v->folder.failed, name);
    return s->found != (size_t)TUB_NO_STEM;
}

static tub_search search(const tub_verify *v, const tub_fact *fact)
{
    tub_search s = {.v = v, .found = (size_t)TUB_NO_STEM};
    tub_annotations_names(&v->folder.place.layout, fact->id, fact->split, try_name, &s);
    return s;
}

// Finds each file's id.
static void match_ids(tub_verify *v)
{
    for (size_t i = 0; i < v->facts.count; i++) {
        tub_search s = search(v, &v->facts.items[i]);
        if (s.found != (size_t)TUB_NO_STEM)
            v->fact[s.found] = &v->facts.items[i];
    }
}

typedef struct tub_missing {
    char *text;
    size_t used, capacity;
    size_t lines; // ids
    tub_stem_map listed;
} tub_missing;

static tub_status add_missing(tub_missing *m, const char *id, tub_error *err)
{
    size_t length = strlen(id), before;
    void *text = m->text;
    if (!tub_stem_map_add(&m->listed, id, m->lines, &before))
        return tub_fail_memory(err, "missing_files.txt");
    if (before != (size_t)TUB_NO_STEM)
        return TUB_OK;
    m->lines++;
    if (strchr(id, '\n')) // a line can't hold it, and its parts may be other videos
        return TUB_OK;
    if (!tub_grow(&text, &m->capacity, m->used + length + 2, 1))
        return tub_fail_memory(err, "missing_files.txt");
    m->text = text;
    memcpy(m->text + m->used, id, length);
    m->text[m->used + length] = '\n';
    m->used += length + 1;
    return TUB_OK;
}

static tub_status check_ids(tub_verify *v, tub_missing *m, tub_error *err)
{
    for (size_t i = 0; i < v->facts.count; i++) {
        const tub_fact *fact = &v->facts.items[i];
        tub_search s = search(v, fact);
        if (s.found == (size_t)TUB_NO_STEM && s.failed)
            tub_verify_tell(v, TUB_FINDING_FAILED, NULL, fact->id, "%s", s.failed->reason);
        else if (s.found == (size_t)TUB_NO_STEM)
            tub_verify_tell(v, TUB_FINDING_MISSING, NULL, fact->id, "the annotations name it, and it has no file");
        if (s.found == (size_t)TUB_NO_STEM || v->unusable[s.found])
            TUB_TRY(add_missing(m, fact->id, err));
    }
    v->totals->videos = v->facts.count;
    return TUB_OK;
}

// The stem of the video, or of the file if no video is told.
static const char *id_of(tub_verify *v, const tub_told *told, const char *file)
{
    const char *base;
    size_t length = tub_stem_of(told && told->video[0] ? told->video : file, &base);
    const char *id = tub_arena_text(&v->folder.arena, base, length);
    return id ? id : file;
}

static bool is_of_annotations(const tub_verify *v, const char *id)
{
    return tub_video_facts_find(&v->facts, id) != NULL;
}

// Checks manifest lines for missing files; with annotations, only lines of ids that these don't name.
static tub_status check_told_files(tub_verify *v, tub_missing *m, tub_error *err)
{
    tub_stem_map there = {0}; // as JSON text
    const tub_feature_listing *l = &v->folder.listing;
    for (size_t i = 0; i < l->count; i++) {
        const char *text = tub_name_text(&v->folder.arena, l->files[i]);
        if (!text || !tub_stem_map_set(&there, text, i))
            return tub_stem_map_finish(&there), tub_fail_memory(err, "the manifest");
    }
    tub_status status = TUB_OK;
    for (size_t i = 0; status == TUB_OK && i < v->folder.told.count; i++) {
        const tub_told *told = &v->folder.told.items[i];
        const char *id = id_of(v, told, told->file);
        size_t at = tub_stem_map_get(&there, told->file);
        bool gone = at == (size_t)TUB_NO_STEM;
        if (is_of_annotations(v, id))
            continue;
        if (gone)
            tub_verify_tell(v, TUB_FINDING_MISSING, told->file, id, "the manifest tells of it, and it isn't there");
        if (!v->params->annotations && (gone || v->unusable[at]))
            status = add_missing(m, id, err);
    }
    tub_stem_map_finish(&there);
    return status;
}

static tub_status check_failures(tub_verify *v, tub_missing *m, tub_error *err)
{
    for (size_t i = 0; i < v->folder.failed.count; i++) {
        const tub_told *told = &v->folder.failed.items[i];
        const char *id = id_of(v, told, told->file);
        if (is_of_annotations(v, id))
            continue;
        tub_verify_tell(v, TUB_FINDING_FAILED, NULL, id, "%s", told->reason);
        if (!v->params->annotations)
            TUB_TRY(add_missing(m, id, err));
    }
    return TUB_OK;
}

// Takes the stems of usable features.
static bool take_good(tub_verify *v, tub_stem_map *good)
{
    const tub_feature_listing *l = &v->folder.listing;
    for (size_t i = 0; i < l->count; i++)
        if (!v->unusable[i] && !tub_stem_map_set(good, id_of(v, tub_verify_told(v, l->files[i]), l->files[i]), i))
            return false;
    return true;
}

static tub_status keep_lines(tub_verify *v, char *text, const tub_stem_map *good, tub_missing *m, tub_error *err)
{
    char *rest = NULL;
    const size_t before = m->lines;
    for (char *id = strtok_r(text, "\n", &rest); id; id = strtok_r(NULL, "\n", &rest)) {
        if (tub_stem_map_find(good, id) != (size_t)TUB_NO_STEM)
            continue;
        const char *kept = tub_arena_strdup(&v->folder.arena, id);
        if (!kept)
            return tub_fail_memory(err, "missing_files.txt");
        TUB_TRY(add_missing(m, kept, err));
    }
    v->totals->videos += m->lines - before;
    return TUB_OK;
}

// Keeps the ids of an earlier list: without annotations nothing else knows them, and a trainer stops at the first one
// without features.
static tub_status keep_list(tub_verify *v, tub_missing *m, tub_error *err)
{
    enum { MOST = 1 << 28 };
    tub_stem_map good = {0};
    char *text = NULL, *path = tub_format("%s/missing_files.txt", v->folder.place.folder);
    size_t bytes;
    tub_status status = path ? tub_read_file(path, MOST, &text, &bytes, err) : tub_fail_memory(err, "the list");
    if (status == TUB_OK)
        status = take_good(v, &good) ? keep_lines(v, text, &good, m, err) : tub_fail_memory(err, "the features");
    else if (status == TUB_ERROR_INPUT) // there is none
        status = TUB_OK;
    tub_stem_map_finish(&good);
    tub_free(text);
    tub_free(path);
    return status;
}

static tub_status check_files(tub_verify *v, tub_error *err)
{
    size_t count = v->folder.listing.count;
    v->totals->files = count;
    for (size_t i = 0; i < count; i++) {
        if (v->params->stop && *v->params->stop)
            return tub_fail(err, TUB_ERROR_CANCELLED, "stopped: %zu of %zu files were looked at", i, count);
        TUB_TRY(tub_verify_file(v, i, err));
        if (v->params->on_file)
            v->params->on_file(v->params->user, i + 1, count);
    }
    return TUB_OK;
}

static tub_status check_all(tub_verify *v, tub_missing *m, tub_error *err)
{
    TUB_TRY(check_files(v, err));
    TUB_TRY(check_ids(v, m, err));
    TUB_TRY(check_told_files(v, m, err));
    TUB_TRY(check_failures(v, m, err));
    if (!v->params->annotations) {
        v->totals->videos = v->folder.told.count + v->folder.failed.count;
        TUB_TRY(keep_list(v, m, err));
    }
    v->totals->missing = m->lines;
    return v->params->read_only ? TUB_OK
                                : tub_missing_save(v->folder.place.folder, m->text ? m->text : "", m->used, err);
}

// If there is nothing to check, "nothing found" doesn't mean that all is well: it is another folder.
static bool is_empty(const tub_verify *v)
{
    const tub_feature_folder *f = &v->folder;
    return !v->params->annotations && !f->settings.root && !f->listing.count && !f->told.count && !f->failed.count;
}

static tub_status run(tub_verify *v, tub_error *err)
{
    TUB_TRY(tub_feature_folder_open(v->params->folder, false, &v->folder, err));
    if (is_empty(v))
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "%s: no features in it: a folder of features is needed, as tubelet extract --out makes",
                        v->params->folder);
    if (v->params->annotations)
        TUB_TRY(tub_video_facts_read(v->params->annotations, &v->facts, err));
    v->fact = tub_calloc(v->folder.listing.count, sizeof *v->fact);
    v->unusable = tub_calloc(v->folder.listing.count, sizeof *v->unusable);
    if (!v->fact || !v->unusable)
        return tub_fail_memory(err, "the files of features");
    v->dim = v->folder.dim;
    v->dtype = v->folder.place.layout.dtype;
    if (!v->folder.settings.root)
        take_majority(v);
    match_ids(v);
    tub_missing missing = {0};
    tub_status status = check_all(v, &missing, err);
    tub_stem_map_finish(&missing.listed);
    tub_free(missing.text);
    return status;
}

tub_status tub_features_verify(const tub_verify_params *params, tub_verify_totals *totals, tub_error *err)
{
    if (!params)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "verify: a folder of features is needed");
    TUB_TRY(tub_check_size("tub_verify_params", params->size, sizeof *params, err));
    TUB_TRY(tub_check_given("tub_verify_params.folder", params->folder, err));
    tub_verify_totals unwanted;
    tub_verify v = {.params = params, .totals = totals ? totals : &unwanted};
    *v.totals = (tub_verify_totals){0};
    tub_status status = run(&v, err);
    tub_free(v.fact);
    tub_free(v.unusable);
    tub_video_facts_finish(&v.facts);
    tub_feature_folder_finish(&v.folder);
    return status;
}
