// ZIP containers as torch.save writes them: stored entries only, no prefix, no encryption. Also zip64.
//
// The central directory counts; each local header must agree with it. Refused: entries that leave the file or overlap
// (each other or the directory), compressed entries, two entries with one name.
#ifndef TUB_ZIP_FILE_H
#define TUB_ZIP_FILE_H

#include "tensor_file.h"

typedef struct tub_zip_entry {
    const char *name;               // not NUL-terminated
    size_t length;
    int64_t header, offset, bytes;  // local header and data, in the file
} tub_zip_entry;

typedef struct tub_zip {
    uint8_t *directory;             // contains the names
    tub_zip_entry *entries;         // by name
    size_t count;
} tub_zip;

// Finish it in every case. Errors: TUB_ERROR_MODEL, TUB_ERROR_MEMORY.
tub_status tub_zip_open(const tub_tensor_file *f, tub_zip *out, tub_error *err);
void tub_zip_finish(tub_zip *z);

// NULL if there is no entry with this name.
const tub_zip_entry *tub_zip_find(const tub_zip *z, const char *name, size_t length);

#endif
