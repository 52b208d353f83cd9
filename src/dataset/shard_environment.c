#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/dataset.h>

#include "fail.h"
#include "params.h"
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
    TUB_TRY(tub_check_given("rank", rank, err));
    TUB_TRY(tub_check_given("world", world, err));
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
    int64_t rank, world;        // world 0: not there
    const char *lone, *missing; // the set and the unset variable of half a pair; else NULL
} tub_share_of;

// NULL: empty, or not there.
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

// Reads a pair of variables.
static tub_status read_pair(const char *rank_name, const char *world_name, tub_share_of *out, tub_error *err)
{
    const char *rank = variable(rank_name), *world = variable(world_name);
    *out = (tub_share_of){0};
    if (rank && !world)
        *out = (tub_share_of){.lone = rank_name, .missing = world_name};
    if (!rank && world && strcmp(world, "1") != 0)
        *out = (tub_share_of){.lone = world_name, .missing = rank_name};
    if (!rank || !world)
        return TUB_OK;
    tub_share_of read = {0};
    if (!number(rank, &read.rank) || !number(world, &read.world))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s=%s, %s=%s: not two numbers; name the shard yourself (RANK/WORLD)",
                        rank_name, rank, world_name, world);
    char source[160];
    snprintf(source, sizeof source, "%s=%.40s, %s=%.40s", rank_name, rank, world_name, world);
    TUB_TRY(tub_shard_check(read.rank, read.world, source, err));
    *out = read;
    return TUB_OK;
}

// Inside an srun step only: a batch script sees SLURM_PROCID too, and runs once. SLURM_NTASKS may be the whole job's.
static tub_status read_step(tub_share_of *out, tub_error *err)
{
    *out = (tub_share_of){0};
    return variable("SLURM_STEP_NUM_TASKS") ? read_pair("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", out, err) : TUB_OK;
}

// Array ids begin anywhere and may have a step: --array=10-40:10.
static tub_status read_array(tub_share_of *out, tub_error *err)
{
    static const char wrong[] = "SLURM_ARRAY_TASK_ID=%s, _COUNT=%s, _MIN=%s, _STEP=%s: not evenly spaced ids; name the "
                                "shard yourself (RANK/WORLD)";
    const char *id = variable("SLURM_ARRAY_TASK_ID"), *count = variable("SLURM_ARRAY_TASK_COUNT");
    const char *least = variable("SLURM_ARRAY_TASK_MIN"), *step = variable("SLURM_ARRAY_TASK_STEP");
    const char *most = variable("SLURM_ARRAY_TASK_MAX");
    *out = (tub_share_of){0};
    if (id && !count)
        *out = (tub_share_of){.lone = "SLURM_ARRAY_TASK_ID", .missing = "SLURM_ARRAY_TASK_COUNT"};
    if (!id || !count)
        return TUB_OK;
    int64_t i, n, high, low = 0, by = 1;
    bool right = number(id, &i) && number(count, &n) && (!least || number(least, &low)) && (!step || number(step, &by));
    right = right && i >= low && low >= 0 && by >= 1 && (i - low) % by == 0 && n >= 1 && n <= TUB_SHARDS;
    // --array=3,17,42 may rerun some tasks of another array, so its tasks must not pass for a third of the work each.
    right = right && (!most || (number(most, &high) && high >= i && (high - low) / by == n - 1));
    if (!right || (i - low) / by >= n)
        return tub_fail(err, TUB_ERROR_ARGUMENT, wrong, id, count, least ? least : "0", step ? step : "1");
    *out = (tub_share_of){.rank = (i - low) / by, .world = n};
    return TUB_OK;
}

enum { STEP, ARRAY, TORCH, MPI, PMI, WAYS };
static const char *const names[WAYS] = {"SLURM_PROCID", "SLURM_ARRAY_TASK_ID", "RANK", "OMPI_COMM_WORLD_RANK",
                                        "PMI_RANK"};

static tub_status read_ways(tub_share_of ways[WAYS], tub_error *err)
{
    TUB_TRY(read_step(&ways[STEP], err));
    TUB_TRY(read_array(&ways[ARRAY], err));
    TUB_TRY(read_pair("RANK", "WORLD_SIZE", &ways[TORCH], err));
    TUB_TRY(read_pair("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", &ways[MPI], err));
    return read_pair("PMI_RANK", "PMI_SIZE", &ways[PMI], err);
}

// Refuses half a pair if nothing else divides the work, because each process would do all of it.
static tub_status refuse_lone(const tub_share_of ways[WAYS], tub_error *err)
{
    for (int i = 0; i < WAYS; i++)
        if (ways[i].lone)
            return tub_fail(err, TUB_ERROR_ARGUMENT,
                            "%s=%s without %s doesn't say which part of the work this is: set both, unset it, or name "
                            "the shard yourself: --shard RANK/WORLD",
                            ways[i].lone, getenv(ways[i].lone), ways[i].missing);
    return TUB_OK;
}

// Refuses nested launchers (such as torchrun in each task of srun): by the outer one alone, several processes would do
// the same part.
static tub_status refuse_others(const tub_share_of ways[WAYS], const tub_share_of *found, const char *source,
                                tub_error *err)
{
    for (int i = TORCH; i < WAYS; i++)
        if (ways[i].world > 1 && (ways[i].world != found->world || ways[i].rank != found->rank))
            return tub_fail(err, TUB_ERROR_ARGUMENT,
                            "this is shard %lld/%lld by %s and %lld/%lld by %s: name it yourself: --shard RANK/WORLD",
                            (long long)found->rank, (long long)found->world, source, (long long)ways[i].rank,
                            (long long)ways[i].world, names[i]);
    return TUB_OK;
}

tub_status tub_shard_from_environment(int *rank, int *world, const char **source, tub_error *err)
{
    TUB_TRY(tub_check_given("rank", rank, err));
    TUB_TRY(tub_check_given("world", world, err));
    TUB_TRY(tub_check_given("source", source, err));
    tub_share_of ways[WAYS], found = {.rank = 0, .world = 1};
    *source = "none";
    TUB_TRY(read_ways(ways, err));
    // Take the first that divides the work. One that says "1 of 1" (srun in each job of an array) gives way to the
    // next.
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
    TUB_TRY(found.world == 1 ? refuse_lone(ways, err) : refuse_others(ways, &found, *source, err));
    *rank = (int)found.rank;
    *world = (int)found.world;
    return TUB_OK;
}
