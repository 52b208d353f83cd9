// The legacy container: five pickles (a number that marks it, a version, the writer's machine, the object, the list of
// storages), then for each storage its number of values (8 bytes, little-endian) and the values.
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "torch_container.h"

enum { FIRST_READ = 256 << 10, VERSION = 1001 };

// 0x1950a86a20f9469cfc6c
static const char magic[10] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

static tub_status not_ours(const tub_torch_container *c, tub_error *err)
{
    return tub_fail(err, TUB_ERROR_MODEL, "%s: isn't a torch.save file", c->file->path);
}

static tub_status run_pickles(tub_torch_container *c, tub_pickle_value *keys, tub_error *err)
{
    tub_pickle_value v;
    TUB_TRY(tub_pickle_run(&c->pickle, &v, err));
    if (v.kind != TUB_PICKLE_LARGE || v.length != sizeof magic || memcmp(v.text, magic, sizeof magic) != 0)
        return not_ours(c, err);
    TUB_TRY(tub_pickle_run(&c->pickle, &v, err));
    if (v.kind != TUB_PICKLE_INTEGER || v.integer != VERSION)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: is of an unknown version of torch.save", c->file->path);
    TUB_TRY(tub_pickle_run(&c->pickle, &v, err));
    const tub_pickle_value *little = tub_pickle_get(&v, "little_endian");
    if (little && (little->kind != TUB_PICKLE_BOOL || !little->integer))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: isn't little-endian", c->file->path);
    TUB_TRY(tub_pickle_run(&c->pickle, &c->object, err));
    return tub_pickle_run(&c->pickle, keys, err);
}

static int compare_keys(const tub_pickle_value *a, const tub_pickle_value *b)
{
    int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int by_key(const void *a, const void *b)
{
    return compare_keys(&((const tub_torch_place *)a)->storage->key, &((const tub_torch_place *)b)->storage->key);
}

static tub_torch_place *find_place(const tub_torch_container *c, const tub_pickle_value *key)
{
    const tub_torch_storage storage = {.key = *key};
    const tub_torch_place wanted = {.storage = &storage};
    return c->place_count ? bsearch(&wanted, c->places, c->place_count, sizeof wanted, by_key) : NULL;
}

// The storages that the object mentions, each once.
static tub_status list_storages(tub_torch_container *c, tub_error *err)
{
    size_t count = 0, kept = 0;
    for (const tub_torch_storage *s = c->pickle.storages; s; s = s->next)
        count++;
    TUB_TRY(tub_pickle_charge(&c->pickle, count * sizeof *c->places, err));
    c->places = tub_calloc(count, sizeof *c->places);
    if (!c->places)
        return tub_fail_memory(err, "a torch.save file");
    count = 0;
    for (const tub_torch_storage *s = c->pickle.storages; s; s = s->next)
        c->places[count++].storage = s;
    qsort(c->places, count, sizeof *c->places, by_key);
    for (size_t i = 0; i < count; i++) {
        const tub_torch_storage *s = c->places[i].storage, *last = kept ? c->places[kept - 1].storage : NULL;
        if (!last || compare_keys(&last->key, &s->key) != 0)
            c->places[kept++].storage = s;
        else if (last->type != s->type || last->count != s->count)
            return tub_fail(err, TUB_ERROR_MODEL, "%s: storage \"%.*s\" is said to be of two sizes or types",
                            c->file->path, TUB_PICKLE_SHOWN(&s->key));
    }
    c->place_count = kept;
    return TUB_OK;
}

// Reads the storage at `*at`, and moves `*at` behind it.
static tub_status place_storage(tub_torch_container *c, const tub_pickle_value *key, int64_t *at, tub_error *err)
{
    const tub_tensor_file *f = c->file;
    tub_torch_place *place = key->kind == TUB_PICKLE_TEXT ? find_place(c, key) : NULL;
    if (!place || place->found)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: its list of storages doesn't agree with its tensors", f->path);
    uint8_t size[8] = {0};
    int64_t left = f->file_bytes - *at - (int64_t)sizeof size, count = place->storage->count;
    if (left >= 0)
        TUB_TRY(tub_tensor_file_read(f, size, sizeof size, *at, err));
    uint64_t held = 0;
    for (int i = 7; i >= 0; i--)
        held = held << 8 | size[i];
    if (left >= 0 && held != (uint64_t)count)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: storage \"%.*s\" has %llu values, its tensors say %lld", f->path,
                        TUB_PICKLE_SHOWN(key), (unsigned long long)held, (long long)count);
    int64_t bytes = count * place->storage->type->width;
    if (bytes > left)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: is truncated: storage \"%.*s\" leaves the file: fetch it again",
                        f->path, TUB_PICKLE_SHOWN(key));
    place->offset = *at + (int64_t)sizeof size;
    place->found = true;
    *at = place->offset + bytes;
    return TUB_OK;
}

static tub_status place_storages(tub_torch_container *c, const tub_pickle_value *keys, tub_error *err)
{
    if (keys->kind != TUB_PICKLE_LIST)
        return not_ours(c, err);
    TUB_TRY(list_storages(c, err));
    int64_t at = (int64_t)c->pickle.at;
    for (size_t i = 0; i < keys->items->count; i++)
        TUB_TRY(place_storage(c, &keys->items->at[i], &at, err));
    if (at != c->file->file_bytes)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: %lld bytes after the last storage", c->file->path,
                        (long long)(c->file->file_bytes - at));
    return TUB_OK;
}

tub_status tub_torch_open_legacy(tub_torch_container *c, tub_error *err)
{
    tub_pickle_value keys;
    tub_status status;
    // Only reading the pickles tells where they end, so more and more of the file is read until they do.
    for (int64_t bytes = FIRST_READ;; bytes *= 4) {
        bool whole = bytes >= c->file->file_bytes;
        TUB_TRY(tub_torch_load_pickle(c, 0, whole ? c->file->file_bytes : bytes, err));
        status = run_pickles(c, &keys, err);
        if (status == TUB_OK || whole || !c->pickle.cut_short)
            break;
    }
    TUB_TRY(status);
    return place_storages(c, &keys, err);
}

tub_status tub_torch_locate_legacy(const tub_torch_container *c, const tub_torch_storage *s, int64_t *offset,
                                   tub_error *err)
{
    const tub_torch_place *place = find_place(c, &s->key);
    if (!place || !place->found)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: storage \"%.*s\" isn't in the file", c->file->path,
                        TUB_PICKLE_SHOWN(&s->key));
    *offset = place->offset;
    return TUB_OK;
}
