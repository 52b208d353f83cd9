// A ZIP with one uncompressed entry: the records around it, as bytes. Always zip64, as NumPy writes it.
#ifndef TUB_ZIP_STORED_H
#define TUB_ZIP_STORED_H

#include <stddef.h>
#include <stdint.h>

enum { ZIP_NAME = 96, ZIP_HEAD = 30 + ZIP_NAME + 20, ZIP_TAIL = 46 + ZIP_NAME + 28 + 56 + 20 + 22 };

// The records before the entry's bytes; returns their length, which depends only on the name.
size_t tub_zip_stored_head(const char *name, uint32_t crc, uint64_t bytes, uint8_t out[ZIP_HEAD]);
// The records after the entry's bytes.
size_t tub_zip_stored_tail(const char *name, uint32_t crc, uint64_t bytes, uint8_t out[ZIP_TAIL]);

#endif
