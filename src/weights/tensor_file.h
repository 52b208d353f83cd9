// A file of named tensors: what its readers (safetensors.h, torch_file.h) find in it, and how the values are read.
#ifndef TUB_TENSOR_FILE_H
#define TUB_TENSOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file_map.h"
#include "program.h"

typedef struct tub_tensor_entry {
    char *name;
    tub_tensor tensor;      // dtype TUB_DTYPE_AUTO: a type that can't be a weight (it is listed)
    const char *type;       // what safetensors calls the type ("F32", "I16"); NULL where it has no name for it
    int64_t offset;         // in the file, of the first value
    int64_t bytes;          // of all values, one after the other
    int width;              // bytes of a value; only read where `strided`
    bool strided;           // the values don't lie one after the other:
    int64_t strides[8];     // how many values further the next one of each dimension is
} tub_tensor_entry;

typedef struct tub_tensor_file {
    char *path;
    int fd;
    tub_tensor_entry *entries;
    size_t count;
    int64_t file_bytes;
    int64_t changed;        // when it was last written to, in nanoseconds since 1970
    tub_file_map *map;      // NULL: its values are read
} tub_tensor_file;

// Opens a regular file (nothing that could block) and takes its size. Errors: TUB_ERROR_MODEL. To be finished in
// every case.
tub_status tub_tensor_file_open(const char *path, tub_tensor_file *out, tub_error *err);
void tub_tensor_file_finish(tub_tensor_file *f);

// Bytes at an offset, all of them. Errors: TUB_ERROR_MODEL, also where the file has become shorter.
tub_status tub_tensor_file_read(const tub_tensor_file *f, void *out, int64_t bytes, int64_t offset, tub_error *err);

// One tensor's values, row-major: `entry->bytes` bytes. Errors: TUB_ERROR_MODEL, TUB_ERROR_MEMORY.
tub_status tub_tensor_file_values(const tub_tensor_file *f, const tub_tensor_entry *entry, void *out, tub_error *err);

// A tensor's values where they lie in the file, for as long as f->map lives; NULL: they are to be read.
const void *tub_tensor_file_in_place(const tub_tensor_file *f, const tub_tensor_entry *entry);

// Whether the file is still as it was when it was opened. Errors: TUB_ERROR_MODEL.
tub_status tub_tensor_file_unchanged(const tub_tensor_file *f, tub_error *err);

#endif
