// The ZIP container: <any>/data.pkl, <any>/data/<key>, <any>/byteorder.
#include <string.h>

#include "fail.h"
#include "torch_container.h"

static const char pickle_name[] = "data.pkl";
enum { PICKLE_NAME = sizeof pickle_name - 1 };

// Whether it is "<any>/data.pkl", in a folder at the top.
static bool is_root(const tub_zip_entry *e)
{
    if (e->length < PICKLE_NAME + 2 || memcmp(e->name + e->length - PICKLE_NAME, pickle_name, PICKLE_NAME) != 0)
        return false;
    return memchr(e->name, '/', e->length) == e->name + e->length - PICKLE_NAME - 1;
}

static tub_status find_root(tub_torch_container *c, tub_error *err)
{
    for (size_t i = 0; i < c->zip.count; i++) {
        if (!is_root(&c->zip.entries[i]))
            continue;
        if (c->root)
            return tub_fail(err, TUB_ERROR_MODEL, "%s: holds more than one data.pkl", c->file->path);
        c->root = &c->zip.entries[i];
    }
    if (c->root)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_MODEL, "%s: is a ZIP file, but not one of torch.save: no data.pkl in it",
                    c->file->path);
}

// The entry "<any>/<folder><name>"; NULL if there is none.
static tub_status beside(const tub_torch_container *c, const char *folder, const char *name, size_t length,
                         const tub_zip_entry **out, tub_error *err)
{
    size_t any = c->root->length - PICKLE_NAME, middle = strlen(folder);
    char *full = tub_alloc_aligned(any + middle + length, 1);
    if (!full)
        return tub_fail_memory(err, "a name");
    memcpy(full, c->root->name, any);
    memcpy(full + any, folder, middle);
    memcpy(full + any + middle, name, length);
    *out = tub_zip_find(&c->zip, full, any + middle + length);
    tub_free(full);
    return TUB_OK;
}

static tub_status check_byte_order(const tub_torch_container *c, tub_error *err)
{
    static const char little[] = "little";
    char order[sizeof little - 1] = "";
    const tub_zip_entry *e = NULL;
    TUB_TRY(beside(c, "", "byteorder", strlen("byteorder"), &e, err));
    if (!e)
        return TUB_OK; // older versions of torch didn't write it, and only wrote little-endian
    if (e->bytes == sizeof order)
        TUB_TRY(tub_tensor_file_read(c->file, order, sizeof order, e->offset, err));
    if (memcmp(order, little, sizeof order) != 0)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: isn't little-endian", c->file->path);
    return TUB_OK;
}

tub_status tub_torch_open_zip(tub_torch_container *c, tub_error *err)
{
    TUB_TRY(tub_zip_open(c->file, &c->zip, err));
    TUB_TRY(find_root(c, err));
    TUB_TRY(check_byte_order(c, err));
    TUB_TRY(tub_torch_load_pickle(c, c->root->offset, c->root->bytes, err));
    return tub_pickle_run(&c->pickle, &c->object, err);
}

tub_status tub_torch_locate_zip(const tub_torch_container *c, const tub_torch_storage *s, int64_t *offset,
                                tub_error *err)
{
    const tub_zip_entry *e = NULL;
    TUB_TRY(beside(c, "data/", s->key.text, s->key.length, &e, err));
    if (!e)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: storage \"%.*s\" isn't in the file", c->file->path,
                        TUB_PICKLE_SHOWN(&s->key));
    if (e->bytes != s->count * s->type->width)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: storage \"%.*s\" has %lld bytes, its tensors say %lld",
                        c->file->path, TUB_PICKLE_SHOWN(&s->key), (long long)e->bytes,
                        (long long)(s->count * s->type->width));
    *offset = e->offset;
    return TUB_OK;
}
