#include "shard_pick.h"

#include <stdlib.h>
#include <string.h>

#include "fail.h"

typedef struct tub_share {
    int64_t bytes;
    int rank;
} tub_share;

tub_status tub_shard_check(int64_t rank, int64_t world, const char *source, tub_error *err)
{
    if (world < 1 || world > TUB_SHARDS)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: %lld shards; from 1 to %d are possible", source, (long long)world,
                        TUB_SHARDS);
    if (rank < 0 || rank >= world)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: there is no shard %lld of %lld: ranks go from 0 to %lld", source,
                        (long long)rank, (long long)world, (long long)world - 1);
    return TUB_OK;
}

static bool lighter(const tub_share *a, const tub_share *b)
{
    return a->bytes != b->bytes ? a->bytes < b->bytes : a->rank < b->rank;
}

// The heap's root has the least. Sinks the root after it grew.
static void sink(tub_share *heap, int count)
{
    for (int at = 0, child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && lighter(&heap[child + 1], &heap[child]);
        if (!lighter(&heap[child], &heap[at]))
            return;
        tub_share held = heap[at];
        heap[at] = heap[child];
        heap[child] = held;
    }
}

static int by_size(const void *a, const void *b)
{
    const tub_entry *x = *(const tub_entry *const *)a, *y = *(const tub_entry *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return strcmp(x->path, y->path);
}

// Every video has a fixed cost for opening and syncing, whatever its size.
static int64_t cost(const tub_entry *entry)
{
    return (entry->bytes > 0 ? entry->bytes : 0) + 65536;
}

static void deal(tub_entry **sorted, size_t count, tub_share *heap, int world, int rank)
{
    for (int i = 0; i < world; i++)
        heap[i] = (tub_share){.rank = i};
    for (size_t i = 0; i < count; i++) {
        heap[0].bytes += cost(sorted[i]);
        if (heap[0].rank != rank)
            sorted[i]->path = NULL;
        sink(heap, world);
    }
}

tub_status tub_shard_pick(tub_entries *list, int rank, int world, tub_error *err)
{
    TUB_TRY(tub_shard_check(rank, world, "shard", err));
    if (world == 1)
        return TUB_OK;
    tub_entry **sorted = tub_calloc(list->count, sizeof *sorted);
    tub_share *heap = tub_calloc((size_t)world, sizeof *heap);
    if (sorted && heap) {
        for (size_t i = 0; i < list->count; i++)
            sorted[i] = &list->items[i];
        qsort(sorted, list->count, sizeof *sorted, by_size);
        deal(sorted, list->count, heap, world, rank);
        size_t kept = 0;
        for (size_t i = 0; i < list->count; i++)
            if (list->items[i].path)
                list->items[kept++] = list->items[i];
        list->count = kept;
    }
    tub_status status = sorted && heap ? TUB_OK : tub_fail_memory(err, "the shards");
    tub_free(sorted);
    tub_free(heap);
    return status;
}
