// Keeps a checkpoint's packed weights on disk from one start to the next.
//
// tubelet/weights under $XDG_CACHE_HOME (or ~/.cache) has a file for each combination of checkpoint path, compute type,
// instruction-set level and set of weights. A file that belongs to something else, or is damaged, is logged and written
// again. A file is mapped and used in place by any number of processes. Once it has its name it never changes: a new
// file replaces it.
//
// Nothing here fails: what can't be read is packed, and what can't be written is logged.
#ifndef TUB_WEIGHT_CACHE_H
#define TUB_WEIGHT_CACHE_H

#include "backend.h"
#include "hash.h"

typedef struct tub_weight_cache tub_weight_cache;

// Strings and team are borrowed until writing begins.
typedef struct tub_weight_cache_params {
    const char *model; // the checkpoint's path
    const char *stamp; // of its files, see checkpoint_hash.h; never ""
    const char *isa;
    tub_dtype dtype;
    tub_team *team; // to check with
    tub_log log;
} tub_weight_cache_params;

// NULL: there is no place for the cache, which is logged.
tub_weight_cache *tub_weight_cache_open(const tub_weight_cache_params *params);

// As in a tub_weight_store. `hash`: gets the hash of the checkpoint from which the weights were packed.
const void *tub_weight_cache_take(tub_weight_cache *cache, const char *key, size_t bytes, char hash[TUB_HASH_TEXT]);
void tub_weight_cache_keep(tub_weight_cache *cache, const char *key, const void *data, size_t bytes);

// Starts to write what shall be kept, in a thread of its own. `hash`: the checkpoint's.
void tub_weight_cache_write(tub_weight_cache *cache, const char *hash);

// Waits until everything is written, unless `hurry`. What was taken becomes invalid. Accepts a pointer to NULL.
void tub_weight_cache_close(tub_weight_cache **cache, bool hurry);

#endif
