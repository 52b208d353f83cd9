// Checksums: XXH3-128, as 32 hexadecimal digits (libxxhash's canonical form).
#ifndef TUB_HASH_H
#define TUB_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <tubelet/status.h>

enum { TUB_HASH_TEXT = 33 };

typedef struct tub_hash tub_hash;
tub_hash *tub_hash_create(void);                                        // NULL on failure
void tub_hash_update(tub_hash *hash, const void *data, size_t bytes);
// Adds a file's bytes. Errors: `status`, naming the file; TUB_ERROR_MEMORY.
tub_status tub_hash_file(tub_hash *hash, const char *path, tub_status status, tub_error *err);
void tub_hash_text(const tub_hash *hash, char out[TUB_HASH_TEXT]);      // of all bytes so far
void tub_hash_destroy(tub_hash **hash);
void tub_hash_bytes(const void *data, size_t bytes, char out[TUB_HASH_TEXT]);
uint64_t tub_hash_64(const void *data, size_t bytes);   // XXH3-64, enough if few are compared

#endif
