// Shards: disjoint, complete, balanced; and how the environment sets them.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/dataset.h>

#include "shard_pick.h"

enum { VIDEOS = 101 };

static void fill(tub_entries *list, char names[VIDEOS][32])
{
    *list = (tub_entries){.items = tub_calloc(VIDEOS, sizeof *list->items), .count = VIDEOS};
    for (int i = 0; i < VIDEOS; i++) {
        snprintf(names[i], sizeof names[i], "v%03d.mp4", i);
        list->items[i] = (tub_entry){.path = names[i], .bytes = (int64_t)(i % 7) * 10000000 + i};
    }
}

static void test_disjoint_and_complete(void **state)
{
    (void)state;
    static char names[VIDEOS][32];
    for (int world = 1; world <= 9; world += 2) {
        int seen[VIDEOS] = {0};
        int64_t least = INT64_MAX, most = 0;
        for (int rank = 0; rank < world; rank++) {
            tub_entries list;
            fill(&list, names);
            assert_int_equal(tub_shard_pick(&list, rank, world, NULL), TUB_OK);
            int64_t bytes = 0;
            for (size_t i = 0; i < list.count; i++) {
                seen[atoi(list.items[i].path + 1)]++;
                bytes += list.items[i].bytes;
                assert_true(i == 0 || strcmp(list.items[i - 1].path, list.items[i].path) < 0);
            }
            least = bytes < least ? bytes : least;
            most = bytes > most ? bytes : most;
            tub_free(list.items);
        }
        for (int i = 0; i < VIDEOS; i++)
            assert_int_equal(seen[i], 1);
        assert_true(most - least <= 61000000);
    }
}

static void test_parse(void **state)
{
    (void)state;
    int rank = 7, world = 7;
    tub_error err;
    assert_int_equal(tub_shard_parse("0/1", &rank, &world, &err), TUB_OK);
    assert_int_equal(tub_shard_parse("3/4", &rank, &world, &err), TUB_OK);
    assert_int_equal(rank, 3);
    assert_int_equal(world, 4);
    static const char *const wrong[] = {"5/4", "4/4", "-1/4", "1", "/", "1/", "/4", "1/0", "a/4", "1/4x", " 1/4", "1/2/3",
                                        "0/99999999999999999999", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(tub_shard_parse(wrong[i], &rank, &world, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_shard_parse("5/4", &rank, &world, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "0 to 3"));
}

static const char *const variables[] = {
    "SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_NUM_TASKS", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT",
    "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP", "RANK", "WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE",
};

// `setting`: "NAME=value NAME=value …"; everything else is unset. Returns "RANK/WORLD source", or "error".
static const char *answer(const char *setting)
{
    static char text[128];
    char copy[512], *rest;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    snprintf(copy, sizeof copy, "%s", setting);
    for (char *pair = strtok_r(copy, " ", &rest); pair; pair = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(pair, '=');
        *value++ = '\0';
        setenv(pair, value, 1);
    }
    int rank, world;
    const char *source;
    if (tub_shard_from_environment(&rank, &world, &source, NULL) != TUB_OK)
        return "error";
    snprintf(text, sizeof text, "%d/%d %s", rank, world, source);
    return text;
}

static void test_environment(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "0/1 none"},
        {"SLURM_PROCID=2 SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4", "2/4 SLURM_PROCID"},
        {"SLURM_PROCID=0 SLURM_NTASKS=4", "0/1 none"},
        {"SLURM_PROCID=4 SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4", "error"},
        {"SLURM_PROCID=x SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4", "error"},
        {"SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=1", "2/4 SLURM_ARRAY_TASK_ID"},
        {"SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_COUNT=4", "3/4 SLURM_ARRAY_TASK_ID"},
        {"SLURM_ARRAY_TASK_ID=30 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_STEP=10",
         "2/4 SLURM_ARRAY_TASK_ID"},
        {"SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1", "error"},
        {"SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=42", "error"},
        {"SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=6", "error"},
        {"SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=5",
         "1/3 SLURM_ARRAY_TASK_ID"},
        {"SLURM_ARRAY_TASK_ID=8 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=12 "
         "SLURM_ARRAY_TASK_STEP=4",
         "2/4 SLURM_ARRAY_TASK_ID"},
        {"SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=2 SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_STEP_NUM_TASKS=1",
         "1/2 SLURM_ARRAY_TASK_ID"},
        {"SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=2 SLURM_PROCID=1 SLURM_NTASKS=3 SLURM_STEP_NUM_TASKS=3",
         "4/6 SLURM_ARRAY_TASK_ID and SLURM_PROCID"},
        {"RANK=1 WORLD_SIZE=8", "1/8 RANK"},
        {"RANK=8 WORLD_SIZE=8", "error"},
        {"PMI_RANK=2 PMI_SIZE=3", "2/3 PMI_RANK"},
        // srun --preserve-env keeps the job's number of tasks in this variable.
        {"SLURM_PROCID=2 SLURM_NTASKS=16 SLURM_STEP_NUM_TASKS=4", "2/4 SLURM_PROCID"},
        // Half a pair: every process would do everything, or another's work.
        {"RANK=1", "error"},
        {"WORLD_SIZE=4", "error"},
        {"WORLD_SIZE=1", "0/1 none"},
        {"OMPI_COMM_WORLD_RANK=0", "error"},
        {"SLURM_STEP_NUM_TASKS=4", "error"},
        {"SLURM_ARRAY_TASK_ID=3", "error"},
        {"RANK=1 SLURM_PROCID=2 SLURM_STEP_NUM_TASKS=4", "2/4 SLURM_PROCID"},
        // One launcher inside another.
        {"SLURM_PROCID=2 SLURM_STEP_NUM_TASKS=4 RANK=2 WORLD_SIZE=4 PMI_RANK=2 PMI_SIZE=4", "2/4 SLURM_PROCID"},
        {"SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=2 RANK=1 WORLD_SIZE=8", "error"},
        {"SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 RANK=1 WORLD_SIZE=8", "1/8 RANK"},
        {"OMPI_COMM_WORLD_RANK=5 OMPI_COMM_WORLD_SIZE=6", "5/6 OMPI_COMM_WORLD_RANK"},
        {"SLURM_PROCID=2 SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4 RANK=1 WORLD_SIZE=8", "error"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(answer(cases[i][0]), cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_disjoint_and_complete), cmocka_unit_test(test_parse),
                                       cmocka_unit_test(test_environment)};
    return cmocka_run_group_tests_name("shard", tests, NULL, NULL);
}
