// The pickle machine's memory: everything is charged to its budget.
#include <string.h>

#include "fail.h"
#include "torch_pickle.h"

enum { BLOCK = 16 << 10 };

void tub_pickle_init(tub_pickle *p, const char *path, const uint8_t *data, size_t bytes, size_t budget)
{
    *p = (tub_pickle){.path = path, .data = data, .bytes = bytes, .budget = budget};
    tub_arena_init(&p->arena);
}

void tub_pickle_finish(tub_pickle *p)
{
    for (tub_pickle_items *i = p->items; i; i = i->next)
        if (i->capacity)
            tub_free(i->at);
    tub_free(p->stack);
    tub_free(p->memo);
    tub_free(p->marks);
    tub_arena_finish(&p->arena);
    *p = (tub_pickle){0};
}

tub_status tub_pickle_fail(const tub_pickle *p, const char *problem, tub_error *err)
{
    return tub_fail(err, TUB_ERROR_MODEL, "%s: isn't a torch.save file that can be read: %s at byte %zu of its pickle",
                    p->path, problem, p->at);
}

tub_status tub_pickle_charge(tub_pickle *p, size_t bytes, tub_error *err)
{
    if (bytes > p->budget)
        return tub_pickle_fail(p, "it takes more memory than a file of its size may take,", err);
    p->budget -= bytes;
    return TUB_OK;
}

tub_status tub_pickle_alloc(tub_pickle *p, size_t bytes, void **out, tub_error *err)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > p->left) {
        size_t block = bytes > BLOCK ? bytes : BLOCK;
        TUB_TRY(tub_pickle_charge(p, block, err));
        p->block = tub_arena_alloc(&p->arena, block, 1);
        p->left = p->block ? block : 0;
        if (!p->block)
            return tub_fail_memory(err, "a torch.save file");
    }
    *out = p->block;
    p->block += bytes;
    p->left -= bytes;
    return TUB_OK;
}

tub_status tub_pickle_items_add(tub_pickle *p, tub_pickle_items *items, const tub_pickle_value *values, size_t count,
                                tub_error *err)
{
    size_t need = items->count + count, before = items->capacity;
    // Charged first: growing takes twice the capacity, or what is needed if that is more.
    size_t more = need > before ? (need > 2 * before ? need : 2 * before) : before;
    more = more < 8 ? 8 : more;
    TUB_TRY(tub_pickle_charge(p, (need > before ? more - before : 0) * sizeof *values, err));
    if (!tub_grow((void **)&items->at, &items->capacity, need, sizeof *values))
        return tub_fail_memory(err, "a torch.save file");
    if (count)
        memcpy(items->at + items->count, values, count * sizeof *values);
    items->count = need;
    return TUB_OK;
}

tub_status tub_pickle_items_make(tub_pickle *p, tub_pickle_kind kind, const tub_pickle_value *values, size_t count,
                                 tub_pickle_value *out, tub_error *err)
{
    void *memory = NULL;
    TUB_TRY(tub_pickle_alloc(p, sizeof(tub_pickle_items), &memory, err));
    tub_pickle_items *items = memory;
    items->next = p->items;
    p->items = items;
    *out = (tub_pickle_value){.kind = kind, .items = items};
    if (kind != TUB_PICKLE_TUPLE)
        return count ? tub_pickle_items_add(p, items, values, count, err) : TUB_OK;
    // Tuples are many and small, and never grow.
    TUB_TRY(tub_pickle_alloc(p, count * sizeof *values, &memory, err));
    items->at = memory;
    items->count = count;
    if (count)
        memcpy(items->at, values, count * sizeof *values);
    return TUB_OK;
}

bool tub_pickle_is(const tub_pickle_value *v, const char *text)
{
    return v->kind == TUB_PICKLE_TEXT && v->length == strlen(text) && memcmp(v->text, text, v->length) == 0;
}

const tub_pickle_value *tub_pickle_get(const tub_pickle_value *dict, const char *key)
{
    if (dict->kind != TUB_PICKLE_DICT)
        return NULL;
    const tub_pickle_items *items = dict->items;
    for (size_t i = items->count; i >= 2; i -= 2)
        if (tub_pickle_is(&items->at[i - 2], key))
            return &items->at[i - 1];
    return NULL;
}
