// Packs a program's weights as panels: all of them together, in one piece of memory, by the whole team. Or takes them
// from where they were kept.
//
// For each weight, in the order of the steps, the piece has its panels, then for int8 the channels' scales and offsets;
// each begins at a cache line.
#include <string.h>

#include "fail.h"
#include "half.h"
#include "hash.h"
#include "int8_rows.h"
#include "native_plan.h"

// A weight, and where its parts begin in the piece. A part that it doesn't have ends where it begins.
typedef struct entry {
    tub_weight_order order;
    int count; // number of panels
    size_t panel_bytes;
    size_t panels, scales, offsets, end;
} entry;

typedef struct pack_state {
    entry *entries;
    size_t count, capacity;
    size_t bytes; // of the piece
} pack_state;

// How a weight is packed: the rows of each panel are made narrow elements, then transposed.
typedef struct packing {
    const tub_executable *e;
    const pack_state *state;
    char *piece;
    char *scratch; // each member's: rows as float32, then as narrow elements
    size_t member_bytes;
} packing;

tub_status tub_native_open(tub_executable *e, tub_error *err)
{
    e->engine_state = tub_arena_alloc(&e->arena, 1, sizeof(pack_state));
    return e->engine_state ? TUB_OK : tub_fail_memory(err, "the native engine");
}

static void forget_entries(pack_state *s)
{
    tub_free(s->entries);
    *s = (pack_state){0};
}

void tub_native_close(tub_executable *e)
{
    if (e->engine_state)
        forget_entries(e->engine_state);
}

tub_status tub_native_pack_later(tub_executable *e, const tub_weight_order *order, tub_error *err)
{
    pack_state *s = e->engine_state;
    if (!tub_grow((void **)&s->entries, &s->capacity, s->count + 1, sizeof *s->entries))
        return tub_fail_memory(err, "packed weights");
    const tub_product *p = order->product;
    const bool shifted = order->int8 && p->a_shift;
    entry *w = &s->entries[s->count++];
    *w = (entry){.order = *order, .panels = s->bytes};
    w->count = (order->n + p->cols - 1) / p->cols;
    w->panel_bytes = tub_product_panel_bytes(p, order->k);
    w->scales = w->panels + tub_round_line((size_t)w->count * w->panel_bytes);
    w->offsets = w->scales + (order->int8 ? tub_round_line((size_t)order->n * sizeof(float)) : 0);
    w->end = w->offsets + (shifted ? tub_round_line((size_t)order->n * sizeof(int32_t)) : 0);
    s->bytes = w->end;
    return TUB_OK;
}

static void tell_of(const pack_state *s, const char *piece)
{
    for (size_t i = 0; i < s->count; i++) {
        const entry *w = &s->entries[i];
        *w->order.out = (tub_packed_weight){
            .panels = piece + w->panels,
            .panel_bytes = w->panel_bytes,
            .scales = w->offsets > w->scales ? (const float *)(const void *)(piece + w->scales) : NULL,
            .offsets = w->end > w->offsets ? (const int32_t *)(const void *)(piece + w->offsets) : NULL,
        };
    }
}

static void add_names(tub_hash *hash, const tub_tensor *t)
{
    if (t->name)
        tub_hash_update(hash, t->name, strlen(t->name) + 1);
    tub_hash_update(hash, &t->dtype, sizeof t->dtype);
    for (int i = 0; i < t->part_count; i++)
        add_names(hash, &t->parts[i]);
}

// Hashes what the piece's bytes depend on, except the tensors' values and this code. False: out of memory.
static bool describe(const tub_executable *e, const pack_state *s, char out[TUB_HASH_TEXT])
{
    tub_hash *hash = tub_hash_create();
    if (!hash)
        return false;
    const int all[] = {e->dtype, (int)e->kernels->narrow_bytes};
    tub_hash_update(hash, all, sizeof all);
    for (size_t i = 0; i < s->count; i++) {
        const tub_weight_order *o = &s->entries[i].order;
        const tub_product *p = o->product;
        const int numbers[] = {o->k, o->n, o->int8, p->cols, p->group, p->depth, (int)p->element, p->a_shift};
        tub_hash_update(hash, p->name, strlen(p->name) + 1);
        tub_hash_update(hash, numbers, sizeof numbers);
        add_names(hash, o->tensor);
    }
    tub_hash_text(hash, out);
    tub_hash_destroy(&hash);
    return true;
}

// Converts channels [first, first + n) to integers.
static void make_integers(const packing *p, const entry *w, const float *floats, int first, int n, int8_t *out)
{
    const int k = w->order.k, shift = w->order.product->a_shift;
    float *scales = (float *)(void *)(p->piece + w->scales);
    int32_t *offsets = (int32_t *)(void *)(p->piece + w->offsets);
    for (int c = 0; c < n; c++) {
        const size_t at = (size_t)c * (size_t)k;
        int32_t sum = 0;
        scales[first + c] = tub_int8_channel(floats + at, k, out + at, &sum);
        if (shift)
            offsets[first + c] = shift * sum;
    }
}

static void pack_panel(const packing *p, const entry *w, int panel, int member)
{
    const tub_weight_order *o = &w->order;
    const int cols = o->product->cols, first = panel * cols, n = o->n - first < cols ? o->n - first : cols;
    const size_t count = (size_t)n * (size_t)o->k, all = (size_t)cols * (size_t)o->k;
    float *floats = (float *)(void *)(p->scratch + (size_t)member * p->member_bytes);
    void *narrow = floats + all;
    const float *from = tub_tensor_view(o->tensor, (int64_t)first * o->k, (int64_t)count);
    if (!from) {
        tub_tensor_floats(o->tensor, (int64_t)first * o->k, (int64_t)count, floats);
        from = floats;
    }
    const bool as_is = !o->int8 && p->e->kernels->narrow_bytes == sizeof *floats;
    if (o->int8)
        make_integers(p, w, from, first, n, narrow);
    else if (!as_is)
        p->e->kernels->narrow(from, narrow, (int)count);
    tub_product_pack_across(o->product, as_is ? (const void *)from : narrow, (size_t)o->k, o->k, n,
                            p->piece + w->panels + (size_t)panel * w->panel_bytes);
}

static void pack_unit(void *context, int unit, int member)
{
    const packing *p = context;
    const entry *w = p->state->entries;
    for (; unit >= w->count; w++)
        unit -= w->count;
    pack_panel(p, w, unit, member);
}

// A part ends with a whole cache line; its last bytes may be unused.
static void clear_ends(const entry *w, char *piece)
{
    const size_t ends[] = {w->scales, w->offsets, w->end};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        memset(piece + ends[i] - 64, 0, 64);
}

static const char *pack_all(tub_executable *e, const pack_state *s)
{
    packing p = {.e = e, .state = s};
    int units = 0;
    for (size_t i = 0; i < s->count; i++) {
        const tub_weight_order *o = &s->entries[i].order;
        const size_t member = tub_round_line((size_t)o->product->cols * (size_t)o->k * 2 * sizeof(float));
        p.member_bytes = member > p.member_bytes ? member : p.member_bytes;
        units += s->entries[i].count;
    }
    p.piece = tub_arena_alloc_raw(&e->arena, 1, s->bytes);
    p.scratch = tub_alloc_aligned((size_t)tub_team_size(e->team), p.member_bytes);
    const bool ok = p.piece && p.scratch;
    for (size_t i = 0; ok && i < s->count; i++)
        clear_ends(&s->entries[i], p.piece);
    if (ok)
        tub_team_run(e->team, units, pack_unit, &p);
    tub_free(p.scratch);
    return ok ? p.piece : NULL;
}

tub_status tub_native_pack(tub_executable *e, tub_error *err)
{
    pack_state *s = e->engine_state;
    const size_t bytes = s->bytes;
    const tub_weight_store *store = bytes ? e->weights : NULL;
    char key[TUB_HASH_TEXT];
    if (store && !describe(e, s, key))
        store = NULL;
    const char *kept = store ? store->take(store->context, key, bytes) : NULL, *piece = kept ? kept : pack_all(e, s);
    if (piece)
        tell_of(s, piece);
    forget_entries(s);
    if (!piece)
        return tub_fail_memory(err, "packed weights");
    if (store && !kept)
        store->keep(store->context, key, piece, bytes);
    return TUB_OK;
}
