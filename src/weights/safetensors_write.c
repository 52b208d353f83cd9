#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "fail.h"
#include "half.h"
#include "memory.h"
#include "safetensors.h"

static int64_t tensor_bytes(const tub_tensor *t)
{
    return tub_tensor_count(t) * (int64_t)tub_dtype_bytes(t->dtype);
}

static const char *type_name(tub_dtype dtype)
{
    return dtype == TUB_F32 ? "F32" : dtype == TUB_BF16 ? "BF16" : dtype == TUB_F16 ? "F16" : NULL;
}

static int add_entry(json_t *header, const tub_tensor *t, int64_t begin)
{
    json_t *shape = json_array();
    int failed = 0;
    for (int i = 0; i < t->rank; i++)
        failed |= json_array_append_new(shape, json_integer(t->dims[i]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_name(t->dtype), "shape", shape, "data_offsets",
                              (json_int_t)begin, (json_int_t)(begin + tensor_bytes(t)));
    return failed | json_object_set_new(header, t->name, entry);
}

// The header's text, padded with spaces so that the data begin at a multiple of 8.
static char *make_header(const tub_tensor *tensors, size_t count, size_t *bytes)
{
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    int64_t at = 0;
    int failed = header == NULL;
    for (size_t i = 0; i < count && !failed; i++) {
        failed = add_entry(header, &tensors[i], at);
        at += tensor_bytes(&tensors[i]);
    }
    char *json = failed ? NULL : json_dumps(header, JSON_COMPACT);
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

static tub_status write_all(tub_atomic_file *f, const char *header, size_t bytes, const tub_tensor *tensors,
                            size_t count, tub_error *err)
{
    uint8_t size[8];
    for (int i = 0; i < 8; i++)
        size[i] = (uint8_t)((uint64_t)bytes >> 8 * i);
    TUB_TRY(tub_atomic_write(f, size, 8, err));
    TUB_TRY(tub_atomic_write(f, header, bytes, err));
    for (size_t i = 0; i < count; i++)
        TUB_TRY(tub_atomic_write(f, tensors[i].data, (size_t)tensor_bytes(&tensors[i]), err));
    return TUB_OK;
}

tub_status tub_safetensors_write(const char *path, const tub_tensor *tensors, size_t count, tub_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!tensors[i].name || !type_name(tensors[i].dtype))
            return tub_fail(err, TUB_ERROR_INTERNAL, "%s: tensor %zu has no name or type", path, i);
    size_t bytes;
    char *header = make_header(tensors, count, &bytes);
    if (!header)
        return tub_fail_memory(err, "a safetensors header");
    tub_atomic_file *f = NULL;
    tub_status status = tub_atomic_open(path, &f, err);
    if (status == TUB_OK)
        status = write_all(f, header, bytes, tensors, count, err);
    tub_free(header);
    if (status == TUB_OK)
        return tub_atomic_commit(&f, err);
    tub_atomic_abandon(&f);
    return status;
}
