#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "fail.h"
#include "half.h"
#include "json.h"
#include "memory.h"
#include "safetensors.h"

// What is written: either tensors in memory or those of files.
typedef struct source {
    const tub_tensor *tensors;
    const tub_tensor_source *files;
    size_t count;
} source;

static const tub_tensor *tensor_of(const source *s, size_t i)
{
    return s->tensors ? &s->tensors[i] : &s->files[i].entry->tensor;
}

static int64_t bytes_of(const source *s, size_t i)
{
    if (!s->tensors)
        return s->files[i].entry->bytes;
    return tub_tensor_count(&s->tensors[i]) * (int64_t)tub_dtype_bytes(s->tensors[i].dtype);
}

static const char *type_of(const source *s, size_t i)
{
    if (!s->tensors)
        return s->files[i].entry->type;
    tub_dtype dtype = s->tensors[i].dtype;
    return dtype == TUB_F32 ? "F32" : dtype == TUB_BF16 ? "BF16" : dtype == TUB_F16 ? "F16" : NULL;
}

static int add_entry(json_t *header, const source *s, size_t i, int64_t begin)
{
    const tub_tensor *t = tensor_of(s, i);
    json_t *shape = json_array();
    int failed = 0;
    for (int d = 0; d < t->rank; d++)
        failed |= json_array_append_new(shape, json_integer(t->dims[d]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_of(s, i), "shape", shape, "data_offsets",
                              (json_int_t)begin, (json_int_t)(begin + bytes_of(s, i)));
    return failed | json_object_set_new(header, t->name, entry);
}

// The header's text, padded with spaces so that the data begin at a multiple of 8.
static char *make_header(const source *s, size_t *bytes)
{
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    int64_t at = 0;
    int failed = header == NULL;
    for (size_t i = 0; i < s->count && !failed; i++) {
        failed = add_entry(header, s, i, at);
        at += bytes_of(s, i);
    }
    char *json = failed ? NULL : tub_json_text(header, JSON_COMPACT);
    json_decref(header);
    if (!json)
        return NULL;
    size_t length = strlen(json);
    *bytes = (length + 7) & ~(size_t)7;
    char *text = tub_alloc_aligned(*bytes, 1);
    if (text) {
        memcpy(text, json, length);
        memset(text + length, ' ', *bytes - length);
    }
    free(json);
    return text;
}

static tub_status write_values(tub_atomic_file *f, const source *s, size_t i, tub_error *err)
{
    size_t bytes = (size_t)bytes_of(s, i);
    if (s->tensors)
        return tub_atomic_write(f, s->tensors[i].data, bytes, err);
    void *values = tub_alloc_aligned(bytes, 1);
    if (!values)
        return tub_fail_memory(err, "a tensor");
    tub_status status = tub_tensor_file_values(s->files[i].file, s->files[i].entry, values, err);
    if (status == TUB_OK)
        status = tub_atomic_write(f, values, bytes, err);
    tub_free(values);
    return status;
}

static tub_status write_all(tub_atomic_file *f, const char *header, size_t bytes, const source *s, tub_error *err)
{
    uint8_t size[8];
    for (int i = 0; i < 8; i++)
        size[i] = (uint8_t)((uint64_t)bytes >> 8 * i);
    TUB_TRY(tub_atomic_write(f, size, 8, err));
    TUB_TRY(tub_atomic_write(f, header, bytes, err));
    for (size_t i = 0; i < s->count; i++)
        TUB_TRY(write_values(f, s, i, err));
    return TUB_OK;
}

static tub_status write_file(const char *path, const source *s, tub_error *err)
{
    size_t bytes;
    char *header = make_header(s, &bytes);
    if (!header)
        return tub_fail_memory(err, "a safetensors header");
    tub_atomic_file *f = NULL;
    tub_atomic_sweep_beside(path); // frees gigabytes if an earlier call was killed
    tub_status status = tub_atomic_open(path, &f, err);
    if (status == TUB_OK)
        status = write_all(f, header, bytes, s, err);
    tub_free(header);
    if (status == TUB_OK)
        return tub_atomic_commit(&f, err);
    tub_atomic_abandon(&f);
    return status;
}

tub_status tub_safetensors_write(const char *path, const tub_tensor *tensors, size_t count, tub_error *err)
{
    const source s = {.tensors = tensors, .count = count};
    for (size_t i = 0; i < count; i++)
        if (!tensors[i].name || !type_of(&s, i))
            return tub_fail(err, TUB_ERROR_INTERNAL, "%s: tensor %zu has no name or type", path, i);
    return write_file(path, &s, err);
}

tub_status tub_safetensors_copy(const char *path, const tub_tensor_source *sources, size_t count, tub_error *err)
{
    const source s = {.files = sources, .count = count};
    for (size_t i = 0; i < count; i++)
        if (!type_of(&s, i))
            return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\" is of a type that safetensors files can't hold",
                            sources[i].file->path, sources[i].entry->name);
    return write_file(path, &s, err);
}
