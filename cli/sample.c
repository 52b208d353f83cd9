#include "sample.h"

#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

double cli_cpu_seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return seconds_of(use.ru_utime) + seconds_of(use.ru_stime);
}

double cli_other_cpu(double cpu_seconds, const tub_progress *p)
{
    double other = cpu_seconds - p->decode_cpu_seconds - p->convert_cpu_seconds - p->forward_cpu_seconds;
    return other > 0 ? other : 0;
}

double cli_peak_bytes(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return 1024.0 * (double)use.ru_maxrss;
}

double cli_resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

int cli_processors(void)
{
    cpu_set_t set;
    int allowed = sched_getaffinity(0, sizeof set, &set) ? 0 : CPU_COUNT(&set);
    return allowed > 0 ? allowed : (int)sysconf(_SC_NPROCESSORS_ONLN);
}
