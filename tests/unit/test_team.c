// The team of threads: each unit runs once, by a member that exists; what the machine allows.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cgroup.h"
#include "cpu.h"
#include "team.h"
#include "temp_folder.h"

enum { UNITS = 3000 };

typedef struct job {
    atomic_int runs[UNITS];
    int busy[16]; // each is used by one member only
    int members;
    atomic_int mistakes;
} job;

static void count_unit(void *context, int unit, int member)
{
    job *j = context;
    if (member < 0 || member >= j->members || j->busy[member]) {
        atomic_fetch_add(&j->mistakes, 1);
        return;
    }
    j->busy[member] = 1;
    atomic_fetch_add(&j->runs[unit], 1);
    j->busy[member] = 0;
}

static void test_each_unit_once(void **state)
{
    (void)state;
    static job j;
    static const int counts[] = {0, 1, 2, 3, 5, 64, UNITS};
    for (int threads = 1; threads <= 9; threads += threads < 4 ? 1 : 5) {
        tub_team *team = NULL;
        assert_int_equal(tub_team_open(threads, &team, NULL), TUB_OK);
        assert_int_equal(tub_team_size(team), threads);
        for (int round = 0; round < 20; round++)
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                memset(&j, 0, sizeof j);
                j.members = threads;
                tub_team_run(team, counts[c], count_unit, &j);
                assert_int_equal(atomic_load(&j.mistakes), 0);
                for (int i = 0; i < UNITS; i++)
                    assert_int_equal(atomic_load(&j.runs[i]), i < counts[c]);
            }
        tub_team_close(&team);
        assert_null(team);
    }
}

// Loops that follow at once: a member that is late for one must not take part in the next with the old loop's data.
static void add_unit(void *context, int unit, int member)
{
    (void)member;
    long *values = context;
    values[unit]++;
}

static void test_loops_in_quick_succession(void **state)
{
    (void)state;
    long values[8] = {0};
    tub_team *team = NULL;
    assert_int_equal(tub_team_open(4, &team, NULL), TUB_OK);
    for (int i = 0; i < 5000; i++)
        tub_team_run(team, 2 + i % 7, add_unit, values);
    long sum = 0, wanted = 0;
    for (int i = 0; i < 8; i++)
        sum += values[i];
    for (int i = 0; i < 5000; i++)
        wanted += 2 + i % 7;
    assert_int_equal(sum, wanted);
    tub_team_close(&team);
}

static void test_refusals(void **state)
{
    (void)state;
    tub_team *team = NULL;
    tub_error err = {0};
    assert_int_equal(tub_team_open(0, &team, &err), TUB_ERROR_ARGUMENT);
    assert_null(team);
    tub_team_close(&team);
    tub_team_close(NULL);
}

static void test_this_machine(void **state)
{
    (void)state;
    assert_true(tub_usable_processors() >= 1);
    assert_true(tub_usable_memory() >= 64u << 20);
}

static void put(const char *folder, const char *name, const char *text)
{
    test_write_file(test_path(folder, name), text, strlen(text));
}

static void make(const char *folder, const char *name)
{
    assert_int_equal(mkdir(test_path(folder, name), 0700), 0);
}

static double processors(const char *folder)
{
    return tub_cgroup_processors(test_path(folder, "membership"), folder);
}

static uint64_t memory(const char *folder)
{
    return tub_cgroup_memory(test_path(folder, "membership"), folder);
}

static void test_cgroup_version_2(void **state)
{
    (void)state;
    char *f = test_folder_make();
    put(f, "membership", "0::/a/b\n");
    assert_true(processors(f) == 0);
    assert_true(memory(f) == UINT64_MAX);
    make(f, "a");
    make(f, "a/b");
    put(f, "a/b/cpu.max", "max 100000\n");
    put(f, "a/b/memory.max", "max\n");
    assert_true(processors(f) == 0);
    assert_true(memory(f) == UINT64_MAX);
    // The tightest limit on the way up counts.
    put(f, "a/cpu.max", "250000 100000\n");
    put(f, "cpu.max", "400000 100000\n");
    put(f, "a/b/memory.max", "3000000000\n");
    put(f, "memory.max", "2000000000\n");
    assert_true(processors(f) == 2.5);
    assert_true(memory(f) == 2000000000u);
    test_folder_remove(f);
}

static void test_cgroup_version_1(void **state)
{
    (void)state;
    char *f = test_folder_make();
    put(f, "membership", "5:memory:/job\n4:cpu,cpuacct:/job\n1:name=systemd:/\n");
    make(f, "cpu,cpuacct");
    make(f, "memory");
    make(f, "memory/job");
    // In a container the group's own folder may be missing: then the mount's root is the group.
    put(f, "cpu,cpuacct/cpu.cfs_quota_us", "150000\n");
    put(f, "cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    put(f, "memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_true(processors(f) == 1.5);
    assert_true(memory(f) == UINT64_MAX);
    put(f, "memory/job/memory.limit_in_bytes", "1073741824\n");
    put(f, "cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    assert_true(processors(f) == 0);
    assert_true(memory(f) == 1073741824u);
    test_folder_remove(f);
}

static const char *name_of(const char *folder, const char *cpuinfo)
{
    static char name[96];
    put(folder, "cpuinfo", cpuinfo);
    tub_cpu_name(test_path(folder, "cpuinfo"), name, sizeof name);
    return name;
}

// ARM kernels report no CPU name: measurements of one machine must not be used on another.
static void test_processor_names(void **state)
{
    (void)state;
    char *f = test_folder_make();
    assert_string_equal(name_of(f, "processor\t: 0\nmodel name\t: AMD EPYC 9654\nflags\t\t: avx2\n"), "AMD EPYC 9654");
    assert_string_equal(name_of(f, "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"
                                   "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd4f\n"),
                        "ARM Neoverse V2");
    assert_string_equal(name_of(f, "CPU implementer\t: 0x48\nCPU part\t: 0xd01\n"),
                        "ARM processor (implementer 0x48, part 0xd01)");
    assert_string_equal(name_of(f, "processor\t: 0\n"), "unnamed processor");
    test_folder_remove(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_unit_once),   cmocka_unit_test(test_loops_in_quick_succession),
        cmocka_unit_test(test_refusals),         cmocka_unit_test(test_this_machine),
        cmocka_unit_test(test_cgroup_version_2), cmocka_unit_test(test_cgroup_version_1),
        cmocka_unit_test(test_processor_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
