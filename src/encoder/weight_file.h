// The file that packed weights are kept in: what they are of, checksums, and the bytes as they are used.
//
//   0     tub_weight_header
//   ...   uint64 [pieces]: XXH3-64 of each piece of TUB_WEIGHT_PIECE bytes of the data
//   ...   zeros up to a multiple of 4096
//   ...   the data
//
// Numbers are in the machine's order, which the header tells. Such files are for the machine that made them; whatever
// else is found in their place is told from them, not trusted.
#ifndef TUB_WEIGHT_FILE_H
#define TUB_WEIGHT_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "file_map.h"
#include "hash.h"
#include "team.h"

enum { TUB_WEIGHT_PIECE = 1 << 22, TUB_WEIGHT_TEXT = 40 };

// What the data is of. Texts: NUL-terminated, the rest zeros.
typedef struct tub_weight_facts {
    char version[TUB_WEIGHT_TEXT]; // of this library, and of its build
    char stamp[TUB_WEIGHT_TEXT];   // of the checkpoint's files
    char hash[TUB_WEIGHT_TEXT];    // of the checkpoint; not among what find() compares
    char key[TUB_WEIGHT_TEXT];     // the backend's
    uint64_t bytes;
} tub_weight_facts;

typedef struct tub_weight_header {
    char magic[16];
    uint32_t layout, order;
    tub_weight_facts facts;
    uint64_t start;    // of the data
    uint64_t checksum; // XXH3-64 of the header with this one 0, and the table of checksums
} tub_weight_header;

// Why a file can't be used; NULL: it can. Static texts. "": there is none.
typedef const char *tub_weight_trouble;

// The file's data, checked whole by the team (NULL: only its header and its size, nothing is mapped), and the
// checkpoint's hash. `facts`: what it must be of. *map: the caller's, with tub_file_map_release(); the data begins
// *start bytes into it.
tub_weight_trouble tub_weight_file_open(const char *path, const tub_weight_facts *facts, tub_team *team,
                                        tub_file_map **map, size_t *start, char hash[TUB_HASH_TEXT]);

// Written whole or not at all. While *stop is set it ends early, with TUB_ERROR_CANCELLED. Errors: TUB_ERROR_OUTPUT,
// TUB_ERROR_MEMORY.
tub_status tub_weight_file_write(const char *path, const tub_weight_facts *facts, const void *data,
                                 const atomic_bool *stop, tub_error *err);

#endif
