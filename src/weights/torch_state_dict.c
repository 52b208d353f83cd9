// Finds the state dict in what a pickle created, as entries by name.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "torch_container.h"

enum { DEPTH_MOST = 8, TENSORS_MOST = 65536, NAME_MOST = 4096 };

static const char *const wrappers[] = {"model", "state_dict", "module", "model_state", "model_state_dict"};
static const char *const prefixes[] = {"_orig_mod.", "module."};
enum { WRAPPERS = sizeof wrappers / sizeof *wrappers, PREFIXES = sizeof prefixes / sizeof *prefixes };

static size_t count_tensors(const tub_pickle_items *dict)
{
    size_t count = 0;
    for (size_t i = 1; i < dict->count; i += 2)
        count += dict->at[i].kind == TUB_PICKLE_TENSOR;
    return count;
}

// No dict is searched twice, so one that contains itself does no harm.
static tub_pickle_items *find_state_dict(const tub_pickle_value *v, int depth)
{
    if (!v || v->kind != TUB_PICKLE_DICT || v->items->visited || depth == DEPTH_MOST)
        return NULL;
    v->items->visited = true;
    for (size_t i = 0; i < WRAPPERS; i++) {
        tub_pickle_items *inner = find_state_dict(tub_pickle_get(v, wrappers[i]), depth + 1);
        if (inner)
            return inner;
    }
    return count_tensors(v->items) ? v->items : NULL;
}

static tub_status no_state_dict(const tub_torch_container *c, tub_error *err)
{
    const tub_pickle_value *v = &c->object;
    if (v->kind != TUB_PICKLE_DICT)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: no state dict in it: it doesn't hold a dict", c->file->path);
    char keys[256] = "";
    for (size_t i = 0, at = 0; i < v->items->count && at + 90 < sizeof keys; i += 2)
        if (v->items->at[i].kind == TUB_PICKLE_TEXT)
            at += (size_t)snprintf(keys + at, sizeof keys - at, "%s\"%.*s\"", at ? ", " : "",
                                   TUB_PICKLE_SHOWN(&v->items->at[i]));
    return tub_fail(err, TUB_ERROR_MODEL,
                    "%s: no state dict in it: no tensors, and none under model, state_dict or "
                    "module; its keys are %s",
                    c->file->path, keys);
}

static void remove_all(char *text, const char *what)
{
    size_t length = strlen(what);
    char *to = text;
    for (const char *from = text; *from;) {
        if (strncmp(from, what, length) == 0)
            from += length;
        else
            *to++ = *from++;
    }
    *to = 0;
}

static tub_status read_name(tub_torch_container *c, const tub_pickle_value *key, tub_tensor_entry *out, tub_error *err)
{
    json_t *utf8 = NULL;
    if (key->kind == TUB_PICKLE_TEXT && key->length <= NAME_MOST && !memchr(key->text, 0, key->length))
        utf8 = json_stringn(key->text, key->length);
    json_decref(utf8);
    if (!utf8)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: a tensor whose name isn't text of at most %d bytes", c->file->path,
                        NAME_MOST);
    TUB_TRY(tub_pickle_charge(&c->pickle, key->length + 1, err));
    out->name = tub_format("%.*s", (int)key->length, key->text);
    if (!out->name)
        return tub_fail_memory(err, "tensor names");
    for (size_t i = 0; i < PREFIXES; i++)
        remove_all(out->name, prefixes[i]);
    out->tensor.name = out->name;
    return TUB_OK;
}

// Where the values' bytes are, and their layout. `t` was checked against its storage's number of values.
static tub_status read_layout(const tub_torch_container *c, const tub_torch_tensor *t, tub_tensor_entry *out,
                              tub_error *err)
{
    int64_t count = 1, bytes;
    out->tensor.rank = t->rank;
    out->tensor.dtype = t->storage->type->dtype;
    out->type = t->storage->type->type;
    out->width = t->storage->type->width;
    for (int i = t->rank - 1; i >= 0; i--) {
        out->tensor.dims[i] = t->dims[i];
        out->strides[i] = t->strides[i];
        out->strided |= t->dims[i] > 1 && t->strides[i] != count;
        count *= t->dims[i];
    }
    if (__builtin_mul_overflow(count, out->width, &bytes))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": the shape overflows", c->file->path, out->name);
    out->bytes = bytes;
    int64_t storage = 0;
    TUB_TRY(c->root ? tub_torch_locate_zip(c, t->storage, &storage, err)
                    : tub_torch_locate_legacy(c, t->storage, &storage, err));
    out->offset = storage + t->first * out->width;
    return TUB_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tub_tensor_entry *)a)->name, ((const tub_tensor_entry *)b)->name);
}

static tub_status read_entries(tub_torch_container *c, const tub_pickle_items *dict, tub_tensor_file *out,
                               tub_error *err)
{
    int64_t total = 0;
    for (size_t i = 0; i + 1 < dict->count; i += 2) {
        if (dict->at[i + 1].kind != TUB_PICKLE_TENSOR)
            continue;
        // Counted first: a half-read entry is freed with the others.
        tub_tensor_entry *e = &out->entries[out->count++];
        TUB_TRY(read_name(c, &dict->at[i], e, err));
        TUB_TRY(read_layout(c, dict->at[i + 1].tensor, e, err));
        if (__builtin_add_overflow(total, e->bytes, &total) || total / 2 > out->file_bytes)
            return tub_fail(err, TUB_ERROR_MODEL,
                            "%s: tensor \"%s\": with it the tensors need more than twice the "
                            "bytes of the file",
                            out->path, e->name);
    }
    qsort(out->entries, out->count, sizeof *out->entries, by_name);
    for (size_t i = 1; i < out->count; i++)
        if (by_name(&out->entries[i - 1], &out->entries[i]) == 0)
            return tub_fail(err, TUB_ERROR_MODEL,
                            "%s: tensor \"%s\" is there twice (names are compared without "
                            "_orig_mod. and module.)",
                            out->path, out->entries[i].name);
    return TUB_OK;
}

tub_status tub_torch_list(tub_torch_container *c, tub_tensor_file *out, tub_error *err)
{
    const tub_pickle_items *dict = find_state_dict(&c->object, 0);
    if (!dict)
        return no_state_dict(c, err);
    size_t count = count_tensors(dict);
    if (count > TENSORS_MOST)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: more than %d tensors", out->path, TENSORS_MOST);
    TUB_TRY(tub_pickle_charge(&c->pickle, count * sizeof *out->entries, err));
    out->entries = tub_calloc(count, sizeof *out->entries);
    return out->entries ? read_entries(c, dict, out, err) : tub_fail_memory(err, "the list of tensors");
}
