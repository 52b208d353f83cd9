#include "device_list.h"

#include <stdlib.h>
#include <string.h>

#include "fail.h"

static tub_status unknown(const char *text, tub_error *err)
{
    return tub_fail(err, TUB_ERROR_DEVICE, "device \"%.60s\": auto, cpu, cuda and cuda:0,2 (by number) are known",
                    text);
}

static tub_status add(tub_device_list *list, long index, const char *text, tub_error *err)
{
    if (index < 0 || index > 255 || list->count == TUB_DEVICES_MOST)
        return unknown(text, err);
    for (int i = 0; i < list->count; i++)
        if (list->index[i] == (int)index)
            return tub_fail(err, TUB_ERROR_DEVICE, "device \"%.60s\": %ld twice", text, index);
    list->index[list->count++] = (int)index;
    return TUB_OK;
}

tub_status tub_device_list_parse(const char *text, tub_device_list *out, tub_error *err)
{
    *out = (tub_device_list){0};
    if (!text || !text[0] || strcmp(text, "auto") == 0) {
        out->is_auto = true;
        return TUB_OK;
    }
    out->is_cpu = strcmp(text, "cpu") == 0;
    if (out->is_cpu || strcmp(text, "cuda") == 0)
        return TUB_OK;
    if (strncmp(text, "cuda:", 5) != 0)
        return unknown(text, err);
    for (const char *at = text + 5;;) {
        char *end = NULL;
        const long index = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : -1;
        TUB_TRY(add(out, index, text, err));
        if (*end == 0)
            return TUB_OK;
        if (*end != ',')
            return unknown(text, err);
        at = end + 1;
    }
}

// The number of this process on this machine, -1 where it is the only one or nobody tells.
static int local_rank(void)
{
    static const struct {
        const char *rank, *size;
    } names[] = {{"LOCAL_RANK", "LOCAL_WORLD_SIZE"},
                 {"SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"},
                 {"OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i].rank), *size = getenv(names[i].size);
        if (rank && rank[0] >= '0' && rank[0] <= '9' && !(size && strcmp(size, "1") == 0))
            return atoi(rank);
    }
    return -1;
}

tub_status tub_device_list_resolve(tub_device_list *list, int there, tub_error *err)
{
    for (int i = 0; i < list->count; i++)
        if (list->index[i] >= there)
            return tub_fail(err, TUB_ERROR_DEVICE, "device cuda:%d: there are %d, the first is 0", list->index[i],
                            there);
    if (list->count > 0)
        return TUB_OK;
    const int rank = local_rank();
    if (rank >= 0) {
        list->index[list->count++] = rank % there;
        return TUB_OK;
    }
    while (list->count < there && list->count < TUB_DEVICES_MOST) {
        list->index[list->count] = list->count;
        list->count++;
    }
    return TUB_OK;
}
