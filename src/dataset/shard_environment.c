#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/dataset.h>

#include "fail.h"
#include "shard_pick.h"

// A whole decimal number, and nothing else.
static bool number(const char *text, int64_t *out)
{
    if (!text || !strchr("-0123456789", text[0]) || !text[0])
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end || end == text || errno)
        return false;
    *out = value;
    return true;
}

tub_status tub_shard_parse(const char *text, int *rank, int *world, tub_error *err)
{
    const char *slash = text ? strchr(text, '/') : NULL;
    char first[24] = "";
    int64_t r, w;
    if (slash && slash - text < (ptrdiff_t)sizeof first)
        memcpy(first, text, (size_t)(slash - text));
    if (!number(first, &r) || !number(slash + 1, &w))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "shard %s: expected RANK/WORLD, 0/4 say", text ? text : "");
    char source[64];
    snprintf(source, sizeof source, "shard %.40s", text);
    TUB_TRY(tub_shard_check(r, w, source, err));
    *rank = (int)r;
    *world = (int)w;
    return TUB_OK;
}

typedef struct tub_share_of {
    int64_t rank, world; // world 0: not there
} tub_share_of;

// A pair of variables; one without the other says nothing.
static tub_status read_pair(const char *rank_name, const char *world_name, tub_share_of *out, tub_error *err)
{
    const char *rank = getenv(rank_name), *world = getenv(world_name);
    *out = (tub_share_of){0};
    if (!rank || !world || !*rank || !*world)
        return TUB_OK;
    tub_share_of read;
    if (!number(rank, &read.rank) || !number(world, &read.world))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s=%s, %s=%s: not two numbers; name the shard yourself (RANK/WORLD)",
                        rank_name, rank, world_name, world);
    char source[160];
    snprintf(source, sizeof source, "%s=%.40s, %s=%.40s", rank_name, rank, world_name, world);
    TUB_TRY(tub_shard_check(read.rank, read.world, source, err));
    *out = read;
    return TUB_OK;
}

// Inside an srun step only: a batch script sees SLURM_NTASKS too, and runs once.
static tub_status read_step(tub_share_of *out, tub_error *err)
{
    *out = (tub_share_of){0};
    if (!getenv("SLURM_STEP_NUM_TASKS"))
        return TUB_OK;
    return read_pair("SLURM_PROCID", "SLURM_NTASKS", out, err);
}

// Array ids begin anywhere and may have a step: --array=10-40:10.
static tub_status read_array(tub_share_of *out, tub_error *err)
{
    static const char wrong[] = "SLURM_ARRAY_TASK_ID=%s, _COUNT=%s, _MIN=%s, _STEP=%s: not evenly spaced ids; name the "
                                "shard yourself (RANK/WORLD)";
    const char *id = getenv("SLURM_ARRAY_TASK_ID"), *count = getenv("SLURM_ARRAY_TASK_COUNT");
    const char *least = getenv("SLURM_ARRAY_TASK_MIN"), *step = getenv("SLURM_ARRAY_TASK_STEP");
    *out = (tub_share_of){0};
    if (!id || !count)
        return TUB_OK;
    int64_t i, n, low = 0, by = 1;
    bool right = number(id, &i) && number(count, &n) && (!least || number(least, &low)) && (!step || number(step, &by));
    right = right && i >= low && low >= 0 && by >= 1 && (i - low) % by == 0 && n >= 1 && n <= TUB_SHARDS;
    if (!right || (i - low) / by >= n)
        return tub_fail(err, TUB_ERROR_ARGUMENT, wrong, id, count, least ? least : "0", step ? step : "1");
    *out = (tub_share_of){.rank = (i - low) / by, .world = n};
    return TUB_OK;
}

tub_status tub_shard_from_environment(int *rank, int *world, const char **source, tub_error *err)
{
    enum { STEP, ARRAY, TORCH, MPI, WAYS };
    static const char *const names[WAYS] = {"SLURM_PROCID", "SLURM_ARRAY_TASK_ID", "RANK", "OMPI_COMM_WORLD_RANK"};
    tub_share_of ways[WAYS], found = {.rank = 0, .world = 1};
    *source = "none";
    TUB_TRY(read_step(&ways[STEP], err));
    TUB_TRY(read_array(&ways[ARRAY], err));
    TUB_TRY(read_pair("RANK", "WORLD_SIZE", &ways[TORCH], err));
    TUB_TRY(read_pair("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", &ways[MPI], err));
    // The first that divides the work; one that says "1 of 1" (srun in each job of an array) gives way to the next.
    for (int i = WAYS - 1; i >= 0; i--)
        if (ways[i].world > 1 || (ways[i].world == 1 && found.world == 1)) {
            found = ways[i];
            *source = names[i];
        }
    if (ways[STEP].world > 1 && ways[ARRAY].world > 1) {
        *source = "SLURM_ARRAY_TASK_ID and SLURM_PROCID";
        found.rank = ways[ARRAY].rank * ways[STEP].world + ways[STEP].rank;
        found.world = ways[ARRAY].world * ways[STEP].world;
        TUB_TRY(tub_shard_check(found.rank, found.world, *source, err));
    }
    *rank = (int)found.rank;
    *world = (int)found.world;
    return TUB_OK;
}
