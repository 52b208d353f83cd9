#include "feature_writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <tubelet/npy.h>

#include "atomic_file.h"
#include "crc32.h"
#include "fail.h"
#include "feature_layout.h"
#include "half.h"
#include "memory.h"
#include "temp_name.h"
#include "zip_stored.h"

enum { HALVES = 4096 }; // values converted to float16 at a time

struct tub_feature_writer {
    tub_atomic_file *file;
    tub_dtype dtype;
    bool zipped, crops;
    char entry[ZIP_NAME]; // "feats.npy"
    int64_t dim, rows;
    uint32_t crc; // of the values
    size_t head;  // bytes before them
    int64_t overflow_row;
    float overflow;
    bool overflowed;
    uint16_t halves[HALVES];
};

// Writes what comes before the values: the header of the array, and in a .npz the entry's header before it.
static tub_status write_head(tub_feature_writer *w, tub_error *err)
{
    uint8_t head[ZIP_HEAD];
    char header[TUB_NPY_HEADER];
    const int64_t crops[3] = {1, w->rows, w->dim};
    size_t used = 0;
    TUB_TRY(tub_npy_header(w->dtype, w->crops ? 3 : 2, w->crops ? crops : crops + 1, header, err));
    if (w->zipped) {
        uint64_t values = (uint64_t)w->rows * (uint64_t)w->dim * tub_dtype_bytes(w->dtype);
        w->crc = tub_crc32_join(tub_crc32(0, header, sizeof header), w->crc, values);
        used = tub_zip_stored_head(w->entry, w->crc, TUB_NPY_HEADER + values, head);
        TUB_TRY(tub_atomic_write_at(w->file, 0, head, used, err));
    }
    w->head = used + TUB_NPY_HEADER;
    return tub_atomic_write_at(w->file, (int64_t)used, header, sizeof header, err);
}

static tub_status open_file(tub_feature_writer *w, const char *path, tub_error *err)
{
    char *folder = tub_folder_of(path);
    tub_status status = folder ? tub_make_folder(folder, err) : tub_fail_memory(err, path);
    tub_free(folder);
    TUB_TRY(status);
    TUB_TRY(tub_atomic_open(path, &w->file, err));
    return write_head(w, err); // for no rows yet, to reserve its place
}

tub_status tub_feature_begin(const char *path, const tub_layout *layout, int64_t dim, tub_feature_writer **out,
                             tub_error *err)
{
    *out = NULL;
    tub_feature_writer *w = tub_calloc(1, sizeof *w);
    if (!w)
        return tub_fail_memory(err, path);
    w->dtype = layout->dtype;
    w->dim = dim;
    w->zipped = layout->container == TUB_CONTAINER_NPZ;
    w->crops = tub_layout_has_crops(layout);
    if (w->zipped)
        snprintf(w->entry, sizeof w->entry, "%s.npy", layout->key);
    tub_status status = open_file(w, path, err);
    w->crc = 0;
    if (status != TUB_OK)
        tub_feature_abandon(&w);
    *out = w;
    return status;
}

static tub_status append_bytes(tub_feature_writer *w, const void *data, size_t bytes, tub_error *err)
{
    if (w->zipped)
        w->crc = tub_crc32(w->crc, data, bytes);
    return tub_atomic_write(w->file, data, bytes, err);
}

static void note_overflow(tub_feature_writer *w, int64_t row, float value)
{
    if (w->overflowed)
        return;
    w->overflowed = true;
    w->overflow_row = row;
    w->overflow = value;
}

static tub_status append_halves(tub_feature_writer *w, const float *values, size_t count, tub_error *err)
{
    for (size_t done = 0; done < count;) {
        size_t some = count - done < HALVES ? count - done : HALVES;
        for (size_t i = 0; i < some; i++) {
            float value = values[done + i];
            w->halves[i] = tub_to_f16(value);
            if (isfinite(value) && !isfinite(tub_from_f16(w->halves[i])))
                note_overflow(w, w->rows + (int64_t)(done + i) / w->dim, value);
        }
        TUB_TRY(append_bytes(w, w->halves, some * sizeof *w->halves, err));
        done += some;
    }
    return TUB_OK;
}

tub_status tub_feature_append(tub_feature_writer *w, const float *rows, int64_t count, tub_error *err)
{
    size_t values = (size_t)count * (size_t)w->dim;
    TUB_TRY(w->dtype == TUB_F16 ? append_halves(w, rows, values, err)
                                : append_bytes(w, rows, values * sizeof *rows, err));
    w->rows += count;
    return TUB_OK;
}

bool tub_feature_overflowed(const tub_feature_writer *w, int64_t *row, float *value)
{
    *row = w->overflow_row;
    *value = w->overflow;
    return w->overflowed;
}

static tub_status finish(tub_feature_writer *w, char checksum[TUB_HASH_TEXT], int64_t *bytes, tub_error *err)
{
    uint8_t tail[ZIP_TAIL];
    uint64_t values = (uint64_t)w->rows * (uint64_t)w->dim * tub_dtype_bytes(w->dtype);
    TUB_TRY(write_head(w, err));
    size_t more = w->zipped ? tub_zip_stored_tail(w->entry, w->crc, TUB_NPY_HEADER + values, tail) : 0;
    if (more)
        TUB_TRY(tub_atomic_write(w->file, tail, more, err));
    *bytes = (int64_t)(w->head + values + more);
    return tub_atomic_checksum(w->file, checksum, err);
}

tub_status tub_feature_seal(tub_feature_writer **writer, char checksum[TUB_HASH_TEXT], int64_t *bytes,
                            tub_atomic_file **out, tub_error *err)
{
    tub_feature_writer *w = *writer;
    tub_status status = finish(w, checksum, bytes, err);
    *out = status == TUB_OK ? w->file : NULL;
    if (status == TUB_OK)
        w->file = NULL;
    tub_feature_abandon(writer);
    return status;
}

void tub_feature_abandon(tub_feature_writer **writer)
{
    if (!writer || !*writer)
        return;
    tub_atomic_abandon(&(*writer)->file);
    tub_free(*writer);
    *writer = NULL;
}
