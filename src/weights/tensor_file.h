// A file of named tensors: what the readers (safetensors.h, torch_file.h) find in it, and how values are read.
#ifndef TUB_TENSOR_FILE_H
#define TUB_TENSOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file_map.h"
#include "program.h"

typedef struct tub_tensor_entry {
    char *name;
    tub_tensor tensor;      // dtype TUB_DTYPE_AUTO: a type that can't be a weight (it is still listed)
    const char *type;       // safetensors' name of the type ("F32", "I16"); NULL if it has none
    int64_t offset;         // of the first value in the file
    int64_t bytes;          // of all values, one after another
    int width;              // bytes of a value; used only if `strided`
    bool strided;           // the values aren't contiguous:
    int64_t strides[8];     // distance to the next value in each dimension, in values
} tub_tensor_entry;

typedef struct tub_tensor_file {
    char *path;
    int fd;
    tub_tensor_entry *entries;
    size_t count;
    int64_t file_bytes;
    int64_t changed;        // time of last modification, nanoseconds since 1970
    tub_file_map *map;      // NULL: values are read instead of mapped
} tub_tensor_file;

// Opens a regular file (nothing that could block) and records its size. Finish it in every case. Errors:
// TUB_ERROR_MODEL.
tub_status tub_tensor_file_open(const char *path, tub_tensor_file *out, tub_error *err);
void tub_tensor_file_finish(tub_tensor_file *f);

// Reads all of the bytes at an offset. Errors: TUB_ERROR_MODEL, also if the file has become shorter.
tub_status tub_tensor_file_read(const tub_tensor_file *f, void *out, int64_t bytes, int64_t offset, tub_error *err);

// Reads a tensor's values, row-major: `entry->bytes` bytes. Errors: TUB_ERROR_MODEL, TUB_ERROR_MEMORY.
tub_status tub_tensor_file_values(const tub_tensor_file *f, const tub_tensor_entry *entry, void *out, tub_error *err);

// A tensor's values in the mapped file, valid as long as f->map lives; NULL: they must be read.
const void *tub_tensor_file_in_place(const tub_tensor_file *f, const tub_tensor_entry *entry);

// Checks that the file is still as it was when it was opened. Errors: TUB_ERROR_MODEL.
tub_status tub_tensor_file_unchanged(const tub_tensor_file *f, tub_error *err);

#endif
