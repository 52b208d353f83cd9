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

// The number in the variable `name`; -1: there is none, or the variable `size_name` says that there is one process.
static int told(const char *name, const char *size_name)
{
    const char *rank = getenv(name), *size = size_name ? getenv(size_name) : NULL;
    return rank && rank[0] >= '0' && rank[0] <= '9' && !(size && strcmp(size, "1") == 0) ? atoi(rank) : -1;
}

// How many tasks of this srun step run on this node, taken from "5,4(x3)" by the node's number. 0: not in a step. (A
// batch script isn't, but has a SLURM_LOCALID too.)
static long slurm_tasks_here(void)
{
    const char *at = getenv("SLURM_STEP_TASKS_PER_NODE");
    int node = told("SLURM_NODEID", NULL);
    while (at && *at >= '0' && *at <= '9') {
        char *end;
        const long tasks = strtol(at, &end, 10), nodes = strncmp(end, "(x", 2) == 0 ? strtol(end + 2, &end, 10) : 1;
        if (node < nodes)
            return tasks;
        node -= (int)nodes;
        at = strchr(end, ',');
        at = at ? at + 1 : NULL;
    }
    return 0;
}

// The number of this process on this machine; -1: it is the only one, or nothing tells.
static int local_rank(void)
{
    int rank = told("LOCAL_RANK", "LOCAL_WORLD_SIZE");
    if (rank < 0 && slurm_tasks_here() > 1)
        rank = told("SLURM_LOCALID", NULL);
    return rank >= 0 ? rank : told("OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE");
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
