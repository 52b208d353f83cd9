// safetensors files: a reader for files from anywhere, and a writer.
//
//   8 bytes   N, little-endian
//   N bytes   JSON: {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, .., "__metadata__": {..}}
//   rest      the data; ranges begin at 0, follow each other without holes, and end at the end of the file
//
// Rejected, naming the problem: N beyond the file or above 100 MB; unknown dtypes; negative or overflowing shapes;
// ranges that overlap, leave holes, disagree with shape and dtype, or leave the file. The reference (PyPI's
// safetensors) rejects these, too. Only we reject: a name or key that occurs twice, rank above 8, more than 65536
// tensors, sizes whose product overflows although one of them is 0, numbers beyond 63 bits, NUL characters, -0
// anywhere, a __metadata__ that is null, a tensor that is described by a list, a header that takes more memory than
// twice the file's bytes plus 32 MiB. tools/safetensors_verdict.py finds no other difference.
#ifndef TUB_SAFETENSORS_H
#define TUB_SAFETENSORS_H

#include <stddef.h>

#include "program.h"
#include "tensor_file.h"

// Entries are in the order of their data. Errors: TUB_ERROR_MODEL; then there is nothing to finish.
tub_status tub_safetensors_open(const char *path, tub_tensor_file *out, tub_error *err);

// Writes tensors (with data) in the given order, atomically. Errors: TUB_ERROR_OUTPUT.
tub_status tub_safetensors_write(const char *path, const tub_tensor *tensors, size_t count, tub_error *err);

// Likewise for tensors of other files, of any type that has a name (else TUB_ERROR_MODEL). Only one is in memory at a
// time.
typedef struct tub_tensor_source {
    const tub_tensor_file *file;
    const tub_tensor_entry *entry;
} tub_tensor_source;
tub_status tub_safetensors_copy(const char *path, const tub_tensor_source *sources, size_t count, tub_error *err);

#endif
