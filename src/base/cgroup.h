// What a Linux control group (version 1 or 2) lets this process use.
#ifndef TUB_CGROUP_H
#define TUB_CGROUP_H

#include <stdint.h>

// `membership`: "/proc/self/cgroup"; `mount`: "/sys/fs/cgroup" (tests give others). Return the tightest limit from the
// process's group up to the root; if the mount shows the group as its root (containers), the root's.
double tub_cgroup_processors(const char *membership, const char *mount);   // 0: no limit
uint64_t tub_cgroup_memory(const char *membership, const char *mount);     // bytes; UINT64_MAX: no limit

#endif
