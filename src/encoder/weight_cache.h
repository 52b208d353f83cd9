// What a backend packed of a checkpoint's weights, kept on disk from one start to the next.
//
// $XDG_CACHE_HOME (or ~/.cache) /tubelet/weights has a file for each checkpoint's path, compute type, instruction-set
// level and set of weights; a file that is of something else, or damaged, is told of and written anew. It is mapped and
// used in place, by as many processes as there are, and never changed once it has its name: a new one takes its place.
//
// Nothing here fails: what can't be read is packed, what can't be written is told of.
#ifndef TUB_WEIGHT_CACHE_H
#define TUB_WEIGHT_CACHE_H

#include "backend.h"
#include "hash.h"

typedef struct tub_weight_cache tub_weight_cache;

// Strings and team are borrowed until writing begins.
typedef struct tub_weight_cache_params {
    const char *model; // the checkpoint's path
    const char *stamp; // of its files, see checkpoint_hash.h; not ""
    const char *isa;
    tub_dtype dtype;
    tub_team *team; // to check with
    tub_log log;
} tub_weight_cache_params;

// NULL: there is no place for it, which is told.
tub_weight_cache *tub_weight_cache_open(const tub_weight_cache_params *params);

// As a tub_weight_store has them. Of what is taken `hash` is the checkpoint's.
const void *tub_weight_cache_take(tub_weight_cache *cache, const char *key, size_t bytes, char hash[TUB_HASH_TEXT]);
void tub_weight_cache_keep(tub_weight_cache *cache, const char *key, const void *data, size_t bytes);

// What is to be kept is written from now on, by a thread of its own. `hash`: the checkpoint's.
void tub_weight_cache_write(tub_weight_cache *cache, const char *hash);

// Waits until it is written, unless `hurry`. What was taken is there no more. Accepts a pointer to NULL.
void tub_weight_cache_close(tub_weight_cache **cache, bool hurry);

#endif
