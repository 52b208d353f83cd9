// safetensors files: a reader for files from anywhere, and a writer.
//
//   8 bytes   N, little-endian
//   N bytes   JSON: {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, .., "__metadata__": {..}}
//   rest      the data; ranges begin at 0, follow each other without holes, and end at the end of the file
//
// Rejected, each by name: N beyond the file or above 100 MB; duplicate names; unknown dtypes; rank above 8; negative or
// overflowing shapes; ranges that overlap, leave holes, disagree with shape and dtype, or leave the file.
#ifndef TUB_SAFETENSORS_H
#define TUB_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "program.h"

typedef struct tub_safetensors_entry {
    char *name;
    tub_tensor tensor;          // dtype TUB_DTYPE_AUTO: a type that can't be a weight (it is listed, not read)
    int64_t offset, bytes;      // in the file
} tub_safetensors_entry;

typedef struct tub_safetensors {
    char *path;
    int fd;
    tub_safetensors_entry *entries;
    size_t count;
    int64_t file_bytes;
} tub_safetensors;

// Errors: TUB_ERROR_MODEL.
tub_status tub_safetensors_open(const char *path, tub_safetensors *out, tub_error *err);
tub_status tub_safetensors_read(const tub_safetensors *s, const tub_safetensors_entry *e, void *out, tub_error *err);
void tub_safetensors_finish(tub_safetensors *s);

// Writes tensors (with data) in the order given, atomically. Errors: TUB_ERROR_OUTPUT.
tub_status tub_safetensors_write(const char *path, const tub_tensor *tensors, size_t count, tub_error *err);

#endif
