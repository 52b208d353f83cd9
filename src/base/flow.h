// Chains of stages on a team, for many loops that follow each other.
//
// A chain goes through its stages in order. A stage's units are handed out one by one to whichever thread is free, and
// the next stage begins when all of them are done. Chains don't wait for each other. So if the system takes a thread
// off its processor in the middle of a unit, this holds up one chain while the others go on; with a barrier after each
// loop, all threads would wait until it is back. The chain that is furthest behind comes first, so that the chains stay
// together as long as nothing delays them.
//
// What a unit computes must depend only on its chain, stage and number.
#ifndef TUB_FLOW_H
#define TUB_FLOW_H

#include <stdbool.h>

#include "team.h"

enum { TUB_FLOW_CHAINS = 64 }; // most chains of a flow

typedef struct tub_flow {
    int chains;     // at least 1
    // Units of a stage; 0: nothing to do, the next stage follows at once; negative: the chain has ended. Called from
    // any thread, any number of times.
    int (*units)(void *context, int chain, int stage);
    // Does a unit. False: everything ends after the units in progress.
    bool (*unit)(void *context, int chain, int stage, int unit, int member);
    void *context;
} tub_flow;

// Returns when every chain has ended, or a unit returned false. Uses the team as tub_team_run() does.
void tub_flow_run(tub_team *team, const tub_flow *flow);

#endif
