// The file with packed weights: what they were made from, checksums, and the bytes as they are used.
//
//   0     tub_weight_header
//   ...   uint64 [pieces]: XXH3-64 of each piece of TUB_WEIGHT_PIECE bytes of the data
//   ...   zeros up to a multiple of 4096
//   ...   the data
//
// Numbers are in the machine's byte order, which the header records. Such files are only for the machine that made
// them; anything else in their place is recognized and not trusted.
#ifndef TUB_WEIGHT_FILE_H
#define TUB_WEIGHT_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "file_map.h"
#include "hash.h"
#include "team.h"

enum { TUB_WEIGHT_PIECE = 1 << 22, TUB_WEIGHT_TEXT = 40 };

// What the data was made from. Texts are NUL-terminated and padded with zeros.
typedef struct tub_weight_facts {
    char version[TUB_WEIGHT_TEXT]; // of this library, and of its build
    char stamp[TUB_WEIGHT_TEXT];   // of the checkpoint's files
    char hash[TUB_WEIGHT_TEXT];    // of the checkpoint; open() doesn't compare it
    char key[TUB_WEIGHT_TEXT];     // the backend's
    uint64_t bytes;
} tub_weight_facts;

typedef struct tub_weight_header {
    char magic[16];
    uint32_t layout, order;
    tub_weight_facts facts;
    uint64_t start;    // of the data
    uint64_t checksum; // XXH3-64 of the header with this member 0, and of the table of checksums
} tub_weight_header;

// Why a file can't be used; NULL: it can. Static texts. "": there is none.
typedef const char *tub_weight_trouble;

// Maps the file's data and returns the checkpoint's hash. The team checks all of the data (NULL: only the header and
// the size are checked, and nothing is mapped). `facts`: what the data must have been made from. *map: the caller's, to
// be released with tub_file_map_release(); the data begins *start bytes into it.
tub_weight_trouble tub_weight_file_open(const char *path, const tub_weight_facts *facts, tub_team *team,
                                        tub_file_map **map, size_t *start, char hash[TUB_HASH_TEXT]);

// Writes the file whole or not at all. If *stop is set, ends early with TUB_ERROR_CANCELLED. Errors: TUB_ERROR_OUTPUT,
// TUB_ERROR_MEMORY.
tub_status tub_weight_file_write(const char *path, const tub_weight_facts *facts, const void *data,
                                 const atomic_bool *stop, tub_error *err);

#endif
