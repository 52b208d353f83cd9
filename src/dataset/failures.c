#include "failures.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "fail.h"
#include "folder_lock.h"

// What is known before any file is tidied.
typedef struct tub_known {
    const tub_dataset *d;
    tub_stem_map entries; // by key
    tub_stem_map told;    // what this shard's own file tells of
    tub_arena arena;
} tub_known;

typedef struct tub_tidy {
    const tub_known *known;
    bool own; // the file that this shard appends to
    tub_arena arena;
    char **lines; // NULL: dropped
    size_t count, capacity, dropped, bytes;
    tub_stem_map last; // the line that counts, by stem
} tub_tidy;

static void drop(tub_tidy *t, size_t i)
{
    t->bytes -= strlen(t->lines[i]) + 1;
    t->lines[i] = NULL;
    t->dropped++;
}

static bool keep_line(tub_tidy *t, const char *key, const char *line, size_t bytes)
{
    void *lines = t->lines;
    if (!tub_grow(&lines, &t->capacity, t->count + 1, sizeof *t->lines))
        return false;
    t->lines = lines;
    size_t earlier = tub_stem_map_get(&t->last, key);
    if (earlier != (size_t)TUB_NO_STEM)
        drop(t, earlier);
    t->lines[t->count] = tub_arena_text(&t->arena, line, bytes);
    if (!t->lines[t->count] || !tub_stem_map_set(&t->last, key, t->count))
        return false;
    t->bytes += bytes + 1;
    t->count++;
    return true;
}

// Whether our own file tells of the failure. It may not: another run with this video may have left that to its own
// file.
static bool told_by_us(const tub_tidy *t, const tub_entry *entry)
{
    return entry->failed_now && tub_stem_map_get(&t->known->told, entry->key) != (size_t)TUB_NO_STEM;
}

// Keeps a line, unless it is about a video of ours that has features now. A line in another file isn't kept either if
// our own file tells of the video.
static bool take(void *user, const tub_field *stem, const char *line, size_t bytes)
{
    tub_tidy *t = user;
    bool named = stem->kind == TUB_FIELD_TEXT;
    const char *key =
        named ? tub_arena_text(&t->arena, stem->text, stem->bytes) : tub_arena_text(&t->arena, line, bytes);
    if (!key)
        return false;
    size_t at = named ? tub_stem_map_get(&t->known->entries, key) : (size_t)TUB_NO_STEM;
    if (at != (size_t)TUB_NO_STEM) {
        const tub_entry *entry = &t->known->d->list.items[at];
        bool done = entry->state == TUB_ITEM_DONE || entry->state == TUB_ITEM_DONE_PARTIAL;
        if (done || (!t->own && told_by_us(t, entry))) {
            t->dropped++;
            return true;
        }
    }
    return keep_line(t, key, line, bytes);
}

static tub_status save(const tub_tidy *t, const char *path, tub_error *err)
{
    if (!t->bytes)
        return unlink(path) == 0 || errno == ENOENT
                   ? TUB_OK
                   : tub_fail(err, TUB_ERROR_OUTPUT, "%s: can't be removed: %s", path, strerror(errno));
    char *text = tub_calloc(t->bytes + 1, 1);
    if (!text)
        return tub_fail_memory(err, path);
    char *to = text;
    for (size_t i = 0; i < t->count; i++)
        if (t->lines[i]) {
            to = stpcpy(to, t->lines[i]);
            *to++ = '\n';
        }
    tub_status status = tub_atomic_save(path, text, t->bytes, err);
    tub_free(text);
    return status;
}

static tub_status tidy_file(const tub_known *known, const char *path, tub_error *err)
{
    tub_tidy t = {.known = known, .own = strcmp(path, known->d->failures) == 0};
    tub_arena_init(&t.arena);
    tub_status status = tub_json_lines_read(path, (const char *const[]){"stem"}, 1, take, &t, err);
    if (status == TUB_OK && t.dropped)
        status = save(&t, path, err);
    tub_free(t.lines);
    tub_stem_map_finish(&t.last);
    tub_arena_finish(&t.arena);
    return status;
}

static bool note_told(void *user, const tub_field *stem, const char *line, size_t bytes)
{
    tub_known *known = user;
    (void)line, (void)bytes;
    if (stem->kind != TUB_FIELD_TEXT)
        return true;
    const char *key = tub_arena_text(&known->arena, stem->text, stem->bytes);
    return key && tub_stem_map_set(&known->told, key, 0);
}

// The files that were there at the start, and this shard's own.
static tub_status tidy_all(tub_known *known, tub_error *err)
{
    const tub_dataset *d = known->d;
    const tub_paths *files = &d->found.listing.failures;
    bool own = false;
    TUB_TRY(tub_json_lines_read(d->failures, (const char *const[]){"stem"}, 1, note_told, known, err));
    for (size_t i = 0; i < files->count; i++) {
        own |= strcmp(files->items[i], d->failures) == 0;
        TUB_TRY(tidy_file(known, files->items[i], err));
    }
    return own ? TUB_OK : tidy_file(known, d->failures, err);
}

tub_status tub_failures_tidy(const tub_dataset *d, tub_error *err)
{
    tub_known known = {.d = d};
    bool kept = true;
    tub_arena_init(&known.arena);
    for (size_t i = 0; kept && i < d->list.count; i++)
        kept = tub_stem_map_set(&known.entries, d->list.items[i].key, i);
    int lock = tub_folder_lock(d->out);
    tub_status status = kept ? tidy_all(&known, err) : tub_fail_memory(err, "the failures");
    tub_folder_unlock(lock);
    tub_stem_map_finish(&known.entries);
    tub_stem_map_finish(&known.told);
    tub_arena_finish(&known.arena);
    return status;
}
