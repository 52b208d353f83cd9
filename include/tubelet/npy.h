// Arrays in NumPy's .npy files: version 1.0, C order, little-endian, float32, float16 or uint8.
#ifndef TUBELET_NPY_H
#define TUBELET_NPY_H

#include <stddef.h>
#include <stdint.h>
#include <tubelet/encoder.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TUB_NPY_RANK = 8, TUB_NPY_HEADER = 128 };

typedef struct tub_array {
    tub_dtype dtype;                // TUB_F32, TUB_F16 or TUB_U8
    int rank;
    int64_t dims[TUB_NPY_RANK];
    void *data;                     // bytes = product of dims * 1, 2 or 4
} tub_array;

// Reads a whole file. Ownership: out->data is the caller's, who frees it with tub_array_finish().
// Errors: TUB_ERROR_INPUT naming the file and what is wrong (not .npy, Fortran order, another type, truncated).
TUB_API tub_status tub_npy_read(const char *path, tub_array *out, tub_error *err);
TUB_API void tub_array_finish(tub_array *array);

// Writes a file whole or not at all: temporary name, sync, rename. Errors: TUB_ERROR_OUTPUT, TUB_ERROR_ARGUMENT (a type
// or shape that a .npy file can't have).
TUB_API tub_status tub_npy_write(const char *path, tub_dtype dtype, int rank, const int64_t *dims, const void *data,
                                 tub_error *err);

// The same in pieces, for arrays whose first dimension isn't known at the start. begin() ignores dims[0], and removes
// the temporary files of killed writers from the folder. Ownership: commit() or abandon() frees the writer. Errors: as
// tub_npy_write(). Thread-safety: one thread at a time per writer.
typedef struct tub_npy_writer tub_npy_writer;
TUB_API tub_status tub_npy_begin(const char *path, tub_dtype dtype, int rank, const int64_t *dims,
                                 tub_npy_writer **out, tub_error *err);
TUB_API tub_status tub_npy_append(tub_npy_writer *w, const void *data, size_t bytes, tub_error *err);
// Writes the header, syncs, renames. Frees the writer in every case, and sets *w to NULL. `checksum`: 33 bytes for the
// file's XXH3-128 in hex, or NULL. `bytes`: gets the file's size, or NULL.
TUB_API tub_status tub_npy_commit(tub_npy_writer **w, char *checksum, int64_t *bytes, tub_error *err);
// Removes the temporary file. Accepts NULL and a pointer to NULL.
TUB_API void tub_npy_abandon(tub_npy_writer **w);

// Writes the 128-byte header of an array into `out`. Errors: TUB_ERROR_ARGUMENT (it doesn't fit).
TUB_API tub_status tub_npy_header(tub_dtype dtype, int rank, const int64_t *dims, char out[TUB_NPY_HEADER],
                                  tub_error *err);
// Reads only the header of a file: type, dims, and the size that the whole file must have. Errors: as tub_npy_read().
TUB_API tub_status tub_npy_stat(const char *path, tub_array *out, int64_t *file_bytes, tub_error *err);

#ifdef __cplusplus
}
#endif
#endif
