// The names that a pickle may mention, and what they create: dicts, storages, tensors.
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "torch_pickle.h"

enum { RANK_MOST = 8 };

static const tub_torch_type types[] = {
    {"FloatStorage", "F32", 4, TUB_F32},
    {"HalfStorage", "F16", 2, TUB_F16},
    {"BFloat16Storage", "BF16", 2, TUB_BF16},
    {"LongStorage", "I64", 8, TUB_I64},
    {"ByteStorage", "U8", 1, TUB_U8},
    {"DoubleStorage", "F64", 8, TUB_DTYPE_AUTO},
    {"IntStorage", "I32", 4, TUB_DTYPE_AUTO},
    {"ShortStorage", "I16", 2, TUB_DTYPE_AUTO},
    {"CharStorage", "I8", 1, TUB_DTYPE_AUTO},
    {"BoolStorage", "BOOL", 1, TUB_DTYPE_AUTO},
    {"ComplexFloatStorage", "C64", 8, TUB_DTYPE_AUTO},
    {"ComplexDoubleStorage", NULL, 16, TUB_DTYPE_AUTO},
};

static const struct {
    const char *module, *name;
    tub_pickle_global global;
} names[] = {
    {"collections", "OrderedDict", TUB_GLOBAL_ORDERED_DICT},
    {"torch._utils", "_rebuild_tensor_v2", TUB_GLOBAL_REBUILD_TENSOR},
    {"torch._utils", "_rebuild_parameter", TUB_GLOBAL_REBUILD_PARAMETER},
};

const tub_torch_type *tub_torch_type_at(size_t i)
{
    return i < sizeof types / sizeof *types ? &types[i] : NULL;
}

tub_status tub_pickle_name(tub_pickle *p, tub_pickle_value module, tub_pickle_value name, tub_pickle_value *out,
                           tub_error *err)
{
    if (module.kind != TUB_PICKLE_TEXT || name.kind != TUB_PICKLE_TEXT)
        return tub_pickle_fail(p, "a name that isn't text", err);
    *out = (tub_pickle_value){.kind = TUB_PICKLE_GLOBAL};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!tub_pickle_is(&module, names[i].module) || !tub_pickle_is(&name, names[i].name))
            continue;
        out->integer = names[i].global;
        return TUB_OK;
    }
    for (size_t i = 0; tub_torch_type_at(i) && tub_pickle_is(&module, "torch"); i++) {
        out->integer = TUB_GLOBAL_STORAGE + (int64_t)i;
        if (tub_pickle_is(&name, types[i].storage))
            return TUB_OK;
    }
    int widths[2] = {module.length < 200 ? (int)module.length : 200, name.length < 200 ? (int)name.length : 200};
    return tub_fail(err, TUB_ERROR_MODEL,
                    "%s: refuses to load %.*s.%.*s: only tensors, numbers, text, lists and dicts are read, and nothing "
                    "in the file was run. If you trust the file, load it with torch and save its state dict alone, "
                    "best as safetensors",
                    p->path, widths[0], module.text, widths[1], name.text);
}

// ("storage", type, key, device, number of values[, None])
tub_status tub_pickle_storage(tub_pickle *p, tub_pickle_value id, tub_pickle_value *out, tub_error *err)
{
    const tub_pickle_value *at = id.kind == TUB_PICKLE_TUPLE ? id.items->at : NULL;
    size_t count = at ? id.items->count : 0;
    if ((count != 5 && count != 6) || !tub_pickle_is(&at[0], "storage") || at[1].kind != TUB_PICKLE_GLOBAL ||
        at[1].integer < TUB_GLOBAL_STORAGE || at[2].kind != TUB_PICKLE_TEXT || at[4].kind != TUB_PICKLE_INTEGER)
        return tub_pickle_fail(p, "a storage that isn't described as torch does", err);
    if (count == 6 && at[5].kind != TUB_PICKLE_NONE)
        return tub_pickle_fail(p, "a storage that is a view of another", err);
    if (at[4].integer < 0 || at[4].integer > INT64_MAX / 16)
        return tub_pickle_fail(p, "a storage of an impossible size", err);
    void *memory = NULL;
    TUB_TRY(tub_pickle_alloc(p, sizeof(tub_torch_storage), &memory, err));
    tub_torch_storage *s = memory;
    *s = (tub_torch_storage){at[2], &types[at[1].integer - TUB_GLOBAL_STORAGE], at[4].integer, p->storages};
    p->storages = s;
    *out = (tub_pickle_value){.kind = TUB_PICKLE_STORAGE, .storage = s};
    return TUB_OK;
}

// A tuple of at most RANK_MOST integers that aren't negative.
static bool read_sizes(const tub_pickle_value *v, int *rank, int64_t out[8])
{
    if (v->kind != TUB_PICKLE_TUPLE || v->items->count > RANK_MOST)
        return false;
    *rank = (int)v->items->count;
    for (int i = 0; i < *rank; i++) {
        out[i] = v->items->at[i].integer;
        if (v->items->at[i].kind != TUB_PICKLE_INTEGER || out[i] < 0)
            return false;
    }
    return true;
}

// Whether the last value that the tensor reaches is in its storage.
static bool lies_inside(const tub_torch_tensor *t)
{
    int64_t last = t->first, count = 1, step;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] && __builtin_mul_overflow(count, t->dims[i], &count))
            return false;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] == 0)
            return t->first <= t->storage->count;
    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(t->dims[i] - 1, t->strides[i], &step) || __builtin_add_overflow(last, step, &last))
            return false;
    return last < t->storage->count;
}

// _rebuild_tensor_v2(storage, first value, sizes, strides, requires_grad, hooks[, metadata])
static tub_status rebuild_tensor(tub_pickle *p, const tub_pickle_items *arguments, tub_pickle_value *out,
                                 tub_error *err)
{
    const tub_pickle_value *at = arguments->at;
    tub_torch_tensor t = {0};
    int strides = 0;
    if (arguments->count < 6 || arguments->count > 7 || at[0].kind != TUB_PICKLE_STORAGE ||
        at[1].kind != TUB_PICKLE_INTEGER || at[1].integer < 0)
        return tub_pickle_fail(p, "a tensor that isn't described as torch does", err);
    if (!read_sizes(&at[2], &t.rank, t.dims) || !read_sizes(&at[3], &strides, t.strides) || strides != t.rank)
        return tub_pickle_fail(p, "a tensor whose sizes or strides aren't those of at most 8 dimensions", err);
    t.storage = at[0].storage;
    t.first = at[1].integer;
    if (!lies_inside(&t))
        return tub_pickle_fail(p, "a tensor that leaves its storage", err);
    void *memory = NULL;
    TUB_TRY(tub_pickle_alloc(p, sizeof t, &memory, err));
    memcpy(memory, &t, sizeof t);
    *out = (tub_pickle_value){.kind = TUB_PICKLE_TENSOR, .tensor = memory};
    return TUB_OK;
}

// OrderedDict(), or OrderedDict([[key, value], ...]) of Python 2.
static tub_status make_dict(tub_pickle *p, const tub_pickle_items *arguments, tub_pickle_value *out, tub_error *err)
{
    TUB_TRY(tub_pickle_items_make(p, TUB_PICKLE_DICT, NULL, 0, out, err));
    if (arguments->count == 0)
        return TUB_OK;
    const tub_pickle_value *list = &arguments->at[0];
    if (arguments->count != 1 || list->kind != TUB_PICKLE_LIST)
        return tub_pickle_fail(p, "an OrderedDict of something else than a list", err);
    for (size_t i = 0; i < list->items->count; i++) {
        const tub_pickle_value *pair = &list->items->at[i];
        if ((pair->kind != TUB_PICKLE_LIST && pair->kind != TUB_PICKLE_TUPLE) || pair->items->count != 2)
            return tub_pickle_fail(p, "an OrderedDict of something else than pairs", err);
        TUB_TRY(tub_pickle_items_add(p, out->items, pair->items->at, 2, err));
    }
    return TUB_OK;
}

tub_status tub_pickle_call(tub_pickle *p, tub_pickle_value function, tub_pickle_value arguments, tub_pickle_value *out,
                           tub_error *err)
{
    if (function.kind != TUB_PICKLE_GLOBAL || arguments.kind != TUB_PICKLE_TUPLE)
        return tub_pickle_fail(p, "a call of something that isn't a function", err);
    const tub_pickle_items *items = arguments.items;
    switch (function.integer) {
    case TUB_GLOBAL_ORDERED_DICT:
        return make_dict(p, items, out, err);
    case TUB_GLOBAL_REBUILD_TENSOR:
        return rebuild_tensor(p, items, out, err);
    case TUB_GLOBAL_REBUILD_PARAMETER:
        if (items->count != 3 || items->at[0].kind != TUB_PICKLE_TENSOR)
            return tub_pickle_fail(p, "a parameter that isn't a tensor", err);
        *out = items->at[0];
        return TUB_OK;
    default:
        return tub_pickle_fail(p, "a call of something that isn't a function", err);
    }
}
