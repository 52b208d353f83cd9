#include "safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "half.h"
#include "json.h"
#include "memory.h"

enum { HEADER_MOST = 100000000, TENSORS_MOST = 65536, RANK_MOST = 8, MEMORY_LEAST = 16 << 20 };

// Types of the format with their widths. AUTO: only listed so that the ranges can be checked; never read as a weight.
static const struct type {
    const char *name;
    int bits;
    tub_dtype dtype;
} types[] = {
    {"F32", 32, TUB_F32},
    {"BF16", 16, TUB_BF16},
    {"F16", 16, TUB_F16},
    {"I64", 64, TUB_I64},
    {"U8", 8, TUB_U8},
    {"BOOL", 8, TUB_DTYPE_AUTO},
    {"I8", 8, TUB_DTYPE_AUTO},
    {"I16", 16, TUB_DTYPE_AUTO},
    {"U16", 16, TUB_DTYPE_AUTO},
    {"I32", 32, TUB_DTYPE_AUTO},
    {"U32", 32, TUB_DTYPE_AUTO},
    {"U64", 64, TUB_DTYPE_AUTO},
    {"F64", 64, TUB_DTYPE_AUTO},
    {"C64", 64, TUB_DTYPE_AUTO},
    {"F8_E4M3", 8, TUB_DTYPE_AUTO},
    {"F8_E5M2", 8, TUB_DTYPE_AUTO},
    {"F8_E8M0", 8, TUB_DTYPE_AUTO},
    {"F8_E4M3FNUZ", 8, TUB_DTYPE_AUTO},
    {"F8_E5M2FNUZ", 8, TUB_DTYPE_AUTO},
    {"F6_E2M3", 6, TUB_DTYPE_AUTO},
    {"F6_E3M2", 6, TUB_DTYPE_AUTO},
    {"F4", 4, TUB_DTYPE_AUTO},
};

static const struct type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

static tub_status read_metadata(const char *path, const json_t *metadata, tub_error *err)
{
    if (!json_is_object(metadata))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: __metadata__ isn't an object", path);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)metadata, key, value)
    {
        if (!json_is_string(value))
            return tub_fail(err, TUB_ERROR_MODEL, "%s: __metadata__: \"%s\" isn't a string", path, key);
    }
    return TUB_OK;
}

// Reads the shape, and computes the bytes that it takes in this type.
static tub_status read_shape(const char *path, const char *name, const json_t *shape, int bits, tub_tensor *t,
                             int64_t *bytes, tub_error *err)
{
    if (!json_is_array(shape) || json_array_size(shape) > RANK_MOST)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": the shape isn't a list of at most %d sizes", path,
                        name, RANK_MOST);
    t->rank = (int)json_array_size(shape);
    int64_t size = bits;
    for (int i = 0; i < t->rank; i++) {
        const json_t *item = json_array_get(shape, (size_t)i);
        if (!json_is_integer(item) || json_integer_value(item) < 0)
            return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": a size that isn't a non-negative integer", path,
                            name);
        t->dims[i] = json_integer_value(item);
        if (__builtin_mul_overflow(size, t->dims[i], &size))
            return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": the shape overflows", path, name);
    }
    // If one size makes the product zero, it must not hide that the others overflow.
    int64_t others = 1;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] && __builtin_mul_overflow(others, t->dims[i], &others))
            return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": the shape overflows", path, name);
    if (size % 8)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": isn't a whole number of bytes", path, name);
    *bytes = size / 8;
    return TUB_OK;
}

static bool read_range(const json_t *offsets, int64_t *begin, int64_t *end)
{
    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        return false;
    const json_t *b = json_array_get(offsets, 0), *e = json_array_get(offsets, 1);
    if (!json_is_integer(b) || !json_is_integer(e))
        return false;
    *begin = json_integer_value(b);
    *end = json_integer_value(e);
    return *begin >= 0 && *end >= *begin;
}

// `data`: where the data begin in the file.
static tub_status read_entry(const char *path, const char *name, const json_t *object, int64_t data,
                             tub_tensor_entry *out, tub_error *err)
{
    if (!json_is_object(object))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": isn't described by an object", path, name);
    const char *dtype = json_string_value(json_object_get(object, "dtype"));
    const struct type *type = dtype ? find_type(dtype) : NULL;
    if (!type)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": unknown dtype \"%.40s\"", path, name,
                        dtype ? dtype : "");
    int64_t bytes = 0, begin, end;
    TUB_TRY(read_shape(path, name, json_object_get(object, "shape"), type->bits, &out->tensor, &bytes, err));
    if (!read_range(json_object_get(object, "data_offsets"), &begin, &end))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": data_offsets aren't a range", path, name);
    if (end - begin != bytes)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": shape and dtype need %lld bytes, its range has %lld",
                        path, name, (long long)bytes, (long long)(end - begin));
    if (__builtin_add_overflow(begin, data, &out->offset))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": its range leaves the file", path, name);
    out->bytes = bytes;
    out->tensor.dtype = type->dtype;
    out->type = type->name;
    out->name = tub_strdup(name);
    out->tensor.name = out->name;
    return out->name ? TUB_OK : tub_fail_memory(err, "tensor names");
}

static int by_offset(const void *a, const void *b)
{
    const tub_tensor_entry *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    // An empty tensor comes before the one that begins at the same place.
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

// Each range begins where the previous one ended, and the last ends with the file.
static tub_status check_ranges(const tub_tensor_file *s, int64_t data, tub_error *err)
{
    int64_t at = data;
    for (size_t i = 0; i < s->count; i++) {
        const tub_tensor_entry *e = &s->entries[i];
        if (e->offset != at)
            return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": its data %s", s->path, e->name,
                            e->offset < at ? "overlap those of another tensor" : "leave a hole before them");
        if (e->bytes > s->file_bytes - at)
            return tub_fail(err, TUB_ERROR_MODEL,
                            "%s: is truncated: tensor \"%s\" ends at byte %lld, the file at %lld: fetch it again",
                            s->path, e->name, (long long)(at + e->bytes), (long long)s->file_bytes);
        at += e->bytes;
    }
    if (at != s->file_bytes)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: %lld bytes after the last tensor", s->path,
                        (long long)(s->file_bytes - at));
    return TUB_OK;
}

static tub_status read_entries(tub_tensor_file *s, const json_t *header, int64_t data, tub_error *err)
{
    if (!json_is_object(header))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: the header isn't an object", s->path);
    if (json_object_size(header) > TENSORS_MOST)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: more than %d tensors", s->path, TENSORS_MOST);
    s->entries = tub_calloc(json_object_size(header), sizeof *s->entries);
    if (!s->entries)
        return tub_fail_memory(err, "the list of tensors");
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)header, name, value)
    {
        if (strcmp(name, "__metadata__") == 0) {
            TUB_TRY(read_metadata(s->path, value, err));
            continue;
        }
        // Counted first: a half-read entry is freed with the others.
        TUB_TRY(read_entry(s->path, name, value, data, &s->entries[s->count++], err));
    }
    qsort(s->entries, s->count, sizeof *s->entries, by_offset);
    return check_ranges(s, data, err);
}

// Scans the text before it is parsed. For a list of numbers, the parser takes many times the text's bytes. It also
// reads -0 as 0, but -0 isn't a size or an offset.
static void scan(const char *text, int64_t *memory, bool *minus_zero)
{
    enum { OBJECT = 320, ARRAY = 160, VALUE = 160 }; // most bytes that the parser takes for each
    bool quoted = false;
    for (const char *at = text; *at; at++) {
        if (quoted && *at == '\\' && at[1])
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (quoted)
            continue;
        *memory += *at == '{' ? OBJECT : *at == '[' ? ARRAY : *at == ',' ? VALUE : 0;
        *minus_zero |= at[0] == '-' && at[1] == '0' && !strchr(".eE", at[2]);
    }
}

static tub_status parse_header(const tub_tensor_file *s, const char *text, size_t bytes, json_t **out, tub_error *err)
{
    int64_t memory = 0;
    bool minus_zero = false;
    scan(text, &memory, &minus_zero);
    if (minus_zero)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: the header has a size or an offset of -0", s->path);
    if (memory / 2 > s->file_bytes + MEMORY_LEAST)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: the header takes more memory than a file of its size may take",
                        s->path);
    return tub_json_parse(text, bytes, s->path, TUB_ERROR_MODEL, out, err);
}

static tub_status read_header(tub_tensor_file *s, tub_error *err)
{
    uint8_t size[8];
    if (s->file_bytes < 8)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: isn't a safetensors file: only %lld bytes", s->path,
                        (long long)s->file_bytes);
    TUB_TRY(tub_tensor_file_read(s, size, 8, 0, err));
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--)
        n = n << 8 | size[i];
    if (n > HEADER_MOST)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: isn't a safetensors file: a header of %llu bytes", s->path,
                        (unsigned long long)n);
    if (n > (uint64_t)s->file_bytes - 8)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: is truncated: its header alone has %llu bytes, the file %lld",
                        s->path, (unsigned long long)n, (long long)s->file_bytes);
    char *text = tub_calloc(n + 1, 1);
    if (!text)
        return tub_fail_memory(err, "a safetensors header");
    json_t *header = NULL;
    tub_status status = tub_tensor_file_read(s, text, (int64_t)n, 8, err);
    if (status == TUB_OK)
        status = parse_header(s, text, n, &header, err);
    tub_free(text);
    if (status == TUB_OK)
        status = read_entries(s, header, 8 + (int64_t)n, err);
    json_decref(header);
    return status;
}

tub_status tub_safetensors_open(const char *path, tub_tensor_file *out, tub_error *err)
{
    tub_status status = tub_tensor_file_open(path, out, err);
    if (status == TUB_OK)
        status = read_header(out, err);
    if (status != TUB_OK)
        tub_tensor_file_finish(out);
    return status;
}
