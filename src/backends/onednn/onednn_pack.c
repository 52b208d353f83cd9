// Panels of weights are packed by the whole team after all steps are made: a model has many panels, a weight few.
#include "fail.h"
#include "half.h"
#include "onednn_plan.h"

typedef struct packing {
    const tub_executable *e;
    const tub_onednn *o;
    char *scratch; // each member's: a panel as float32, then the packer's own scratch
    size_t panel_bytes, member_bytes;
    atomic_int failed;
    tub_error error; // the first failure
} packing;

tub_status tub_onednn_pack_later(tub_executable *e, tub_matmul *matmul, const tub_tensor *weight, int first, void **out,
                                 tub_error *err)
{
    tub_onednn *o = e->engine_state;
    const tub_matmul_shape *shape = tub_matmul_shape_of(matmul);
    if (!tub_grow((void **)&o->panels, &o->panel_capacity, o->panel_count + 1, sizeof *o->panels))
        return tub_fail_memory(err, "packed weights");
    tub_panel *panel = &o->panels[o->panel_count];
    *panel = (tub_panel){.weight = weight, .first = first, .shape = shape};
    panel->packed = *out = tub_arena_alloc_raw(&e->arena, 1, tub_matmul_packed_bytes(matmul));
    if (!panel->packed)
        return tub_fail_memory(err, "packed weights");
    o->panel_count++;
    return tub_shelf_packer(e, matmul, 1, shape->k, true, &panel->packer, err);
}

// The weight's rows [first, first + n) as float32 [n, k], either in the tensor or in the member's scratch memory.
static const float *floats_of(const tub_panel *panel, float *room)
{
    const int64_t k = panel->shape->k, first = panel->first * k, count = panel->shape->n * k;
    const float *view = tub_tensor_view(panel->weight, first, count);
    if (view)
        return view;
    tub_tensor_floats(panel->weight, first, count, room);
    return room;
}

static void pack_unit(void *context, int unit, int member)
{
    packing *p = context;
    const tub_panel *panel = &p->o->panels[unit];
    char *room = p->scratch + (size_t)member * p->member_bytes;
    tub_error error = {0};
    const int before = p->e->engine->enter();
    const float *floats = floats_of(panel, (float *)(void *)room);
    const tub_status status =
        tub_packer_run(panel->packer, member, floats, panel->packed, room + p->panel_bytes, &error);
    p->e->engine->leave(before);
    if (status != TUB_OK && atomic_exchange(&p->failed, 1) == 0)
        p->error = error;
}

static size_t round_line(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

tub_status tub_onednn_pack(tub_executable *e, tub_error *err)
{
    const tub_onednn *o = e->engine_state;
    packing p = {.e = e, .o = o};
    size_t own = 0;
    for (size_t i = 0; i < o->panel_count; i++) {
        const tub_matmul_shape *shape = o->panels[i].shape;
        const size_t floats = (size_t)shape->n * (size_t)shape->k * sizeof(float);
        const size_t scratch = tub_packer_scratch_bytes(o->panels[i].packer);
        p.panel_bytes = floats > p.panel_bytes ? floats : p.panel_bytes;
        own = scratch > own ? scratch : own;
    }
    p.panel_bytes = round_line(p.panel_bytes);
    p.member_bytes = p.panel_bytes + round_line(own);
    p.scratch = tub_alloc_aligned((size_t)tub_team_size(e->team), p.member_bytes);
    if (!p.scratch)
        return tub_fail_memory(err, "packed weights");
    tub_team_run(e->team, (int)o->panel_count, pack_unit, &p);
    tub_free(p.scratch);
    if (err && atomic_load(&p.failed))
        *err = p.error;
    return atomic_load(&p.failed) ? p.error.status : TUB_OK;
}
