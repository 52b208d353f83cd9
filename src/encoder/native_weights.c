#include "native_weights.h"

#include <string.h>

#include "fail.h"

static const void *take(void *context, const char *key, size_t bytes)
{
    const tub_native_weights *w = context;
    char hash[TUB_HASH_TEXT];
    const void *data = tub_weight_cache_take(w->cache, key, bytes, hash);
    if (data && !w->opening->hash.checkpoint)
        memcpy(w->opening->hash.text, hash, sizeof hash);
    else
        tub_native_hash_start(w->opening); // runs while the weights are packed
    return data;
}

static void keep(void *context, const char *key, const void *data, size_t bytes)
{
    const tub_native_weights *w = context;
    tub_weight_cache_keep(w->cache, key, data, bytes);
}

void tub_native_weights_open(tub_native_weights *w, tub_native_opening *opening, const tub_encoder_info *info,
                             tub_dtype dtype, tub_team *team)
{
    const tub_log *log = &opening->params->log;
    if (!opening->params->cache_weights)
        return;
    if (!opening->backend->stores_weights) {
        tub_warn(log, "packed weights aren't cached: the %s backend's can't be", opening->backend->name);
        return;
    }
    if (!info->model_stamp[0]) {
        tub_inform(log, "packed weights aren't cached: the checkpoint was written to just now");
        return;
    }
    *w = (tub_native_weights){.store = {.context = w, .take = take, .keep = keep}, .opening = opening};
    w->cache = tub_weight_cache_open(&(tub_weight_cache_params){.model = tub_checkpoint_path(opening->checkpoint),
                                                                .stamp = info->model_stamp,
                                                                .isa = info->isa,
                                                                .dtype = dtype,
                                                                .team = team,
                                                                .log = *log});
}

const tub_weight_store *tub_native_weights_store(const tub_native_weights *w)
{
    return w->cache ? &w->store : NULL;
}

void tub_native_weights_write(tub_native_weights *w, const char *hash)
{
    if (w->cache)
        tub_weight_cache_write(w->cache, hash);
}

void tub_native_weights_close(tub_native_weights *w, bool hurry)
{
    tub_weight_cache_close(&w->cache, hurry);
}
