// How much of the machine this process may use.
#include <math.h>
#include <sched.h>
#include <stdint.h>
#include <unistd.h>

#include "cgroup.h"
#include "team.h"

static const char MEMBERSHIP[] = "/proc/self/cgroup", MOUNT[] = "/sys/fs/cgroup";

// The kernel refuses a mask smaller than its own: try larger ones.
static int processors_of_mask(void)
{
    for (int most = 1024; most <= 1 << 20; most *= 4) {
        cpu_set_t *set = CPU_ALLOC(most);
        if (!set)
            break;
        size_t bytes = CPU_ALLOC_SIZE(most);
        int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

int tub_usable_processors(void)
{
    int count = processors_of_mask();
    double quota = ceil(tub_cgroup_processors(MEMBERSHIP, MOUNT));
    if (quota >= 1 && quota < count)
        count = (int)quota;
    return count;
}

size_t tub_usable_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    uint64_t limit = tub_cgroup_memory(MEMBERSHIP, MOUNT);
    if (limit < bytes)
        bytes = limit;
    return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}
