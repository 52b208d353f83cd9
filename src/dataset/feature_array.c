#include "feature_array.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "half.h"
#include "memory.h"
#include "npy_header.h"
#include "zip_file.h"

// Where a .npy is in its file: a file by itself, or a part of a .npz.
typedef struct tub_place {
    int64_t begin, bytes;
} tub_place;

static bool ends_with(const char *text, const char *tail)
{
    size_t length = strlen(text), last = strlen(tail);
    return length >= last && strcmp(text + length - last, tail) == 0;
}

static tub_status find_entry(const tub_tensor_file *f, const tub_zip *zip, const char *key, tub_place *out,
                             tub_error *err)
{
    char name[96];
    const tub_zip_entry *entry = NULL;
    if (key) {
        int length = snprintf(name, sizeof name, "%s.npy", key);
        entry = tub_zip_find(zip, name, (size_t)length);
    } else if (zip->count == 1) {
        entry = &zip->entries[0];
    }
    if (!entry && key)
        return tub_fail(err, TUB_ERROR_INPUT, "%s: no array `%s` is in it", f->path, key);
    if (!entry)
        return tub_fail(err, TUB_ERROR_INPUT, "%s: %zu arrays are in it where one is expected", f->path, zip->count);
    *out = (tub_place){.begin = entry->offset, .bytes = entry->bytes};
    return TUB_OK;
}

static tub_status find_place(const tub_tensor_file *f, const char *key, tub_place *out, tub_error *err)
{
    *out = (tub_place){.bytes = f->file_bytes};
    if (!ends_with(f->path, ".npz"))
        return TUB_OK;
    tub_zip zip;
    tub_error why;
    if (tub_zip_open(f, &zip, &why) != TUB_OK) {
        tub_zip_finish(&zip);
        return tub_fail(err, TUB_ERROR_INPUT, "%s: not a whole .npz of arrays that aren't compressed", f->path);
    }
    tub_status status = find_entry(f, &zip, key, out, err);
    tub_zip_finish(&zip);
    return status;
}

static tub_status take_shape(const char *path, const tub_array *array, tub_feature_array *out, tub_error *err)
{
    bool crops = array->rank == 3 && array->dims[0] == 1;
    if (array->dtype != TUB_F32 && array->dtype != TUB_F16)
        return tub_fail(err, TUB_ERROR_INPUT, "%s: neither float32 nor float16", path);
    if (array->rank != 2 && !crops)
        return tub_fail(err, TUB_ERROR_INPUT, "%s: %d dimensions where [T, C] is expected", path, array->rank);
    out->rows = array->dims[crops];
    out->dim = array->dims[crops + 1];
    out->dtype = array->dtype;
    return TUB_OK;
}

// `place` in: the whole .npy; out: its values.
static tub_status read_shape(const tub_tensor_file *f, tub_place *place, tub_feature_array *out, tub_error *err)
{
    tub_array array;
    int64_t begin, bytes;
    TUB_TRY(tub_npy_header_at(f->fd, f->path, place->begin, &array, &begin, &bytes, err));
    TUB_TRY(take_shape(f->path, &array, out, err));
    int64_t there = place->begin + place->bytes - begin;
    if (there != bytes)
        return tub_fail(err, TUB_ERROR_INPUT, "%s: it has %lld bytes of values where its header promises %lld: %s",
                        f->path, (long long)there, (long long)bytes, there < bytes ? "truncated" : "too long");
    *place = (tub_place){.begin = begin, .bytes = bytes};
    out->bytes = f->file_bytes;
    return TUB_OK;
}

static tub_status read_values(const tub_tensor_file *f, const tub_place *place, const tub_feature_array *a,
                              float **values, tub_error *err)
{
    // The count can't overflow, because the place is within a file.
    size_t count = (size_t)place->bytes / tub_dtype_bytes(a->dtype);
    float *to = tub_alloc_aligned(count, sizeof *to);
    if (!to)
        return tub_fail_memory(err, f->path);
    // float16 is read into the second half and widened from there to the front.
    char *from = (char *)to + count * sizeof *to - (size_t)place->bytes;
    tub_error why;
    if (tub_tensor_file_read(f, from, place->bytes, place->begin, &why) != TUB_OK) {
        tub_free(to);
        return tub_fail(err, TUB_ERROR_INPUT, "%s", why.text);
    }
    if (a->dtype == TUB_F16)
        tub_to_float(to, from, TUB_F16, count);
    *values = to;
    return TUB_OK;
}

static tub_status use(const char *path, const char *key, tub_feature_array *out, float **values, tub_error *err)
{
    tub_tensor_file f;
    tub_place place;
    tub_error why;
    *out = (tub_feature_array){0};
    tub_status status = tub_tensor_file_open(path, &f, &why);
    if (status != TUB_OK)
        status = tub_fail(err, status == TUB_ERROR_MEMORY ? status : TUB_ERROR_INPUT, "%s", why.text);
    if (status == TUB_OK)
        status = find_place(&f, key, &place, err);
    if (status == TUB_OK)
        status = read_shape(&f, &place, out, err);
    if (status == TUB_OK && values)
        status = read_values(&f, &place, out, values, err);
    tub_tensor_file_finish(&f);
    return status;
}

tub_status tub_feature_array_stat(const char *path, const char *key, tub_feature_array *out, tub_error *err)
{
    return use(path, key, out, NULL, err);
}

tub_status tub_feature_array_read(const char *path, const char *key, tub_feature_array *out, float **values,
                                  tub_error *err)
{
    *values = NULL;
    return use(path, key, out, values, err);
}
