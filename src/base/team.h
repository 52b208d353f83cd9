// A team of threads that share loops: the only thread pool for compute.
//
// The caller's thread is member 0 and works, too. Units are handed out dynamically. What a unit computes must depend
// only on its number, so that results don't depend on the number of threads.
#ifndef TUB_TEAM_H
#define TUB_TEAM_H

#include <stddef.h>
#include <tubelet/status.h>

typedef struct tub_team tub_team;

// `member`: 0 .. threads-1, for scratch memory.
typedef void (*tub_team_unit)(void *context, int unit, int member);

// `threads` >= 1. Errors: TUB_ERROR_MEMORY (also: a thread can't be started).
tub_status tub_team_open(int threads, tub_team **out, tub_error *err);
void tub_team_close(tub_team **team);       // accepts NULL
int tub_team_size(const tub_team *team);
// Processor time of its own threads so far, without member 0, in seconds. Thread-safety: from any thread.
double tub_team_cpu(const tub_team *team);

// Runs units 0 .. units-1 and returns when all are done. One caller at a time; units must not call it again.
void tub_team_run(tub_team *team, int units, tub_team_unit unit, void *context);

// Processors that this process may use: the affinity mask, and the cgroup's cpu quota rounded up. At least 1.
int tub_usable_processors(void);
// Bytes of memory that this process may use: the machine's, or its cgroup's limit.
size_t tub_usable_memory(void);

#endif
