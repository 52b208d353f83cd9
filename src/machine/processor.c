// Processor and memory: what the kernel tells about them.
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cgroup.h"
#include "cpu.h"
#include "machine_impl.h"
#include "team.h"

static const char MEMBERSHIP[] = "/proc/self/cgroup", MOUNT[] = "/sys/fs/cgroup", CPUINFO[] = "/proc/cpuinfo";

// Features that decide which kernels run, ours or the libraries'.
static const char *const wanted[] = {"avx2",     "fma",      "f16c",        "avx_vnni",    "avx512f",     "avx512bw",
                                     "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile",
                                     "amx_int8", "amx_bf16", "amx_fp16",    "asimd",       "asimdhp",     "asimddp",
                                     "sve",      "sve2",     "bf16",        "i8mm"};

static void keep_features(const char *flags, char *out, size_t size)
{
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        size_t length = strlen(wanted[i]), used = strlen(out);
        const char *at = flags;
        while ((at = strstr(at, wanted[i])) && (at[-1] != ' ' || (at[length] != ' ' && at[length] != '\n')))
            at++;
        if (at)
            snprintf(out + used, size - used, "%s%s", used ? " " : "", wanted[i]);
    }
}

static void read_features(tub_machine_info *info)
{
    FILE *f = fopen(CPUINFO, "re");
    char *line = NULL;
    size_t size = 0;
    while (f && getline(&line, &size, f) > 0) {
        const char *colon = strchr(line, ':');
        if (colon && !info->features[0] && (!strncmp(line, "flags", 5) || !strncmp(line, "Features", 8)))
            keep_features(colon + 1, info->features, sizeof info->features);
    }
    free(line);
    if (f)
        fclose(f);
}

static int allowed_by_mask(int otherwise)
{
    for (int most = 1024; most <= 1 << 20; most *= 4) {
        cpu_set_t *set = CPU_ALLOC(most);
        size_t bytes = CPU_ALLOC_SIZE(most);
        int count = set && sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return count;
    }
    return otherwise;
}

static uint64_t memory_available(void)
{
    FILE *f = fopen("/proc/meminfo", "re");
    char line[128];
    unsigned long long kibibytes = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %llu kB", &kibibytes) == 1)
            break;
    if (f)
        fclose(f);
    return (uint64_t)kibibytes << 10;
}

void tub_find_processor(tub_machine_info *info)
{
    struct utsname system;
    long online = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    snprintf(info->architecture, sizeof info->architecture, "%.15s", uname(&system) == 0 ? system.machine : "unknown");
    tub_cpu_name(CPUINFO, info->cpu, sizeof info->cpu);
    read_features(info);
    info->online = online > 0 ? (int)online : 1;
    info->allowed = allowed_by_mask(info->online);
    info->quota = tub_cgroup_processors(MEMBERSHIP, MOUNT);
    info->processors = tub_usable_processors();
    info->memory = tub_usable_memory();
    info->memory_installed = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : info->memory;
    info->memory_available = memory_available();
    const char *limit = getenv("TUBELET_ISA"), *isa = tub_isa_name(tub_cpu_isa());
    snprintf(info->isa, sizeof info->isa, "%s", isa);
    snprintf(info->isa_reason, sizeof info->isa_reason, "%s",
             limit && !strcmp(limit, isa) ? "TUBELET_ISA says so" : "the highest level that the processor has");
}
