#include "failures.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "fail.h"
#include "folder_lock.h"

typedef struct tub_tidy {
    const tub_dataset *d;
    const tub_stem_map *entries; // by key
    bool own;                    // the file that this shard appends to
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

// A video of ours that has features now, or that another file tells of, isn't kept.
static bool take(void *user, const tub_field *stem, const char *line, size_t bytes)
{
    tub_tidy *t = user;
    bool named = stem->kind == TUB_FIELD_TEXT;
    const char *key =
        named ? tub_arena_text(&t->arena, stem->text, stem->bytes) : tub_arena_text(&t->arena, line, bytes);
    if (!key)
        return false;
    size_t at = named ? tub_stem_map_get(t->entries, key) : (size_t)TUB_NO_STEM;
    if (at != (size_t)TUB_NO_STEM) {
        const tub_entry *entry = &t->d->list.items[at];
        bool done = entry->state == TUB_ITEM_DONE || entry->state == TUB_ITEM_DONE_PARTIAL;
        if (done || (entry->failed_now && !t->own)) {
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

static tub_status tidy_file(const tub_dataset *d, const tub_stem_map *entries, const char *path, tub_error *err)
{
    tub_tidy t = {.d = d, .entries = entries, .own = strcmp(path, d->failures) == 0};
    tub_arena_init(&t.arena);
    tub_status status = tub_json_lines_read(path, (const char *const[]){"stem"}, 1, take, &t, err);
    if (status == TUB_OK && t.dropped)
        status = save(&t, path, err);
    tub_free(t.lines);
    tub_stem_map_finish(&t.last);
    tub_arena_finish(&t.arena);
    return status;
}

// The files that were there at the start, and this shard's own.
static tub_status tidy_all(const tub_dataset *d, const tub_stem_map *entries, tub_error *err)
{
    const tub_paths *files = &d->found.listing.failures;
    bool own = false;
    for (size_t i = 0; i < files->count; i++) {
        own |= strcmp(files->items[i], d->failures) == 0;
        TUB_TRY(tidy_file(d, entries, files->items[i], err));
    }
    return own || access(d->failures, F_OK) != 0 ? TUB_OK : tidy_file(d, entries, d->failures, err);
}

tub_status tub_failures_tidy(const tub_dataset *d, tub_error *err)
{
    tub_stem_map entries = {0};
    bool kept = true;
    for (size_t i = 0; kept && i < d->list.count; i++)
        kept = tub_stem_map_set(&entries, d->list.items[i].key, i);
    int lock = tub_folder_lock(d->out);
    tub_status status = kept ? tidy_all(d, &entries, err) : tub_fail_memory(err, "the failures");
    tub_folder_unlock(lock);
    tub_stem_map_finish(&entries);
    return status;
}
