#include "gpu_slots.h"

#include <stdatomic.h>

#include "encoder_impl.h"
#include "fail.h"
#include "memory.h"

enum { HOST = -1, PLACE = 64 };

typedef struct place {
    void *memory; // of the lane's GPU
    atomic_bool failed;
} place;

struct tub_gpu_slots {
    tub_encoder *encoder;
    const tub_slot_pool *pool;
    const tub_log *log;
    int lanes, slots;
    size_t stride; // bytes from place to place on a GPU
    place *places;
    signed char *homes; // [slots]: the lane that has made the frame, or HOST
};

static int lanes_of(const tub_encoder *encoder)
{
    return encoder->info.lanes > 1 ? encoder->info.lanes : 1;
}

size_t tub_gpu_slots_host_bytes(const tub_encoder *encoder)
{
    return encoder->ops->frame_bytes && lanes_of(encoder) > 1 ? encoder->ops->frame_bytes(encoder) : 0;
}

static tub_status hold(tub_gpu_slots *s, tub_error *err)
{
    s->stride = (s->encoder->ops->frame_bytes(s->encoder) + PLACE - 1) / PLACE * PLACE;
    for (int i = 0; i < s->lanes; i++) {
        const tub_status status =
            s->encoder->ops->hold_frames(s->encoder, i, (size_t)s->slots * s->stride, &s->places[i].memory, err);
        if (status != TUB_OK)
            return status;
    }
    return TUB_OK;
}

tub_status tub_gpu_slots_open(tub_encoder *encoder, const tub_slot_pool *pool, int slots, const tub_log *log,
                              tub_gpu_slots **out, tub_error *err)
{
    const int lanes = lanes_of(encoder);
    *out = NULL;
    if (!encoder->ops->hold_frames)
        return TUB_END;
    tub_gpu_slots *s = tub_calloc(1, sizeof *s);
    if (!s)
        return tub_fail_memory(err, "slots on GPUs");
    *s = (tub_gpu_slots){.encoder = encoder, .pool = pool, .log = log, .lanes = lanes, .slots = slots};
    s->places = tub_calloc((size_t)lanes, sizeof *s->places);
    s->homes = tub_calloc((size_t)slots, sizeof *s->homes);
    tub_status status = s->places && s->homes ? hold(s, err) : tub_fail_memory(err, "slots on GPUs");
    if (status != TUB_OK) {
        tub_gpu_slots_close(&s);
        return status;
    }
    *out = s;
    return TUB_OK;
}

void tub_gpu_slots_close(tub_gpu_slots **slots)
{
    if (!slots || !*slots)
        return;
    tub_gpu_slots *s = *slots;
    for (int i = 0; i < s->lanes && s->places; i++)
        if (s->places[i].memory)
            s->encoder->ops->drop_frames(s->encoder, i);
    tub_free(s->places);
    tub_free(s->homes);
    tub_free(s);
    *slots = NULL;
}

static void *place_of(const tub_gpu_slots *s, int lane, int slot)
{
    return (char *)s->places[lane].memory + (size_t)slot * s->stride;
}

static void give_up(tub_gpu_slots *s, int lane, const tub_error *why)
{
    if (!atomic_exchange(&s->places[lane].failed, true))
        tub_warn(s->log, "GPU %d makes no more frames, the processor does: %s", s->encoder->info.gpus[lane], why->text);
}

tub_status tub_gpu_slots_make(tub_gpu_slots *s, int lane, const tub_source_ops *ops, void *source, bool with_host,
                              int slot, tub_error *err)
{
    const tub_frame_recipe *recipe = NULL;
    tub_frame_planes planes;
    tub_error why = {0};
    s->homes[slot] = HOST;
    if (!ops->planes || atomic_load(&s->places[lane].failed))
        return TUB_END;
    const tub_status status = ops->planes(source, with_host, &recipe, &planes, err);
    if (status != TUB_OK)
        return status;
    void *host = s->lanes > 1 ? tub_slot_pool_memory(s->pool, slot) : NULL;
    if (s->encoder->ops->make_frame(s->encoder, lane, recipe, &planes, place_of(s, lane, slot), host, &why) != TUB_OK) {
        give_up(s, lane, &why);
        return TUB_END;
    }
    s->homes[slot] = (signed char)lane;
    return TUB_OK;
}

const void *tub_gpu_slots_frame(const tub_gpu_slots *s, int lane, int slot, bool *made)
{
    *made = s->homes[slot] != HOST;
    return s->homes[slot] == lane ? place_of(s, lane, slot) : tub_slot_pool_memory(s->pool, slot);
}
