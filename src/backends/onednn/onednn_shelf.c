#include "fail.h"
#include "onednn_plan.h"

static tub_shelf *new_place(tub_onednn *o)
{
    if (!tub_grow((void **)&o->shelf, &o->shelf_capacity, o->shelf_count + 1, sizeof *o->shelf))
        return NULL;
    tub_shelf *place = &o->shelf[o->shelf_count++];
    *place = (tub_shelf){0};
    return place;
}

static void reserve(tub_executable *e, size_t bytes)
{
    if (bytes > e->engine_bytes)
        e->engine_bytes = bytes;
}

static bool same_shape(const tub_matmul_shape *a, const tub_matmul_shape *b)
{
    return a->m == b->m && a->k == b->k && a->n == b->n && a->bf16 == b->bf16;
}

tub_status tub_shelf_matmul(tub_executable *e, const tub_matmul_shape *shape, const tub_matmul *like, tub_matmul **out,
                            tub_error *err)
{
    tub_onednn *o = e->engine_state;
    for (size_t i = 0; i < o->shelf_count; i++) {
        tub_matmul *m = o->shelf[i].packer ? NULL : o->shelf[i].matmul;
        if (m && same_shape(tub_matmul_shape_of(m), shape) && (!like || tub_matmul_same_layout(m, like))) {
            *out = m;
            return TUB_OK;
        }
    }
    TUB_TRY(tub_matmul_create(o->dnnl, shape, like, out, err));
    tub_shelf *place = new_place(o);
    if (!place) {
        tub_matmul_destroy(out);
        return tub_fail_memory(err, "a matrix product");
    }
    place->matmul = *out;
    reserve(e, tub_matmul_scratch_bytes(*out));
    return TUB_OK;
}

tub_status tub_shelf_packer(tub_executable *e, tub_matmul *matmul, int64_t row_stride, int64_t column_stride,
                            bool from_float, tub_packer **out, tub_error *err)
{
    tub_onednn *o = e->engine_state;
    for (size_t i = 0; i < o->shelf_count; i++) {
        const tub_shelf *s = &o->shelf[i];
        if (s->packer && s->matmul == matmul && s->row_stride == row_stride && s->column_stride == column_stride &&
            s->from_float == from_float) {
            *out = s->packer;
            return TUB_OK;
        }
    }
    TUB_TRY(tub_packer_create(o->dnnl, matmul, row_stride, column_stride, from_float, out, err));
    tub_shelf *place = new_place(o);
    if (!place) {
        tub_packer_destroy(out);
        return tub_fail_memory(err, "a packing");
    }
    *place = (tub_shelf){.matmul = matmul,
                         .packer = *out,
                         .row_stride = row_stride,
                         .column_stride = column_stride,
                         .from_float = from_float};
    reserve(e, tub_packer_scratch_bytes(*out));
    return TUB_OK;
}

void tub_shelf_clear(tub_onednn *o)
{
    for (size_t i = 0; i < o->shelf_count; i++)
        if (o->shelf[i].packer)
            tub_packer_destroy(&o->shelf[i].packer);
        else
            tub_matmul_destroy(&o->shelf[i].matmul);
    tub_free(o->shelf);
    o->shelf = NULL;
}
