// Chains of stages on a team: what runs where many loops follow each other.
//
// A chain goes through its stages in order; a stage's units are handed out one by one, to whichever thread is free, and the
// next stage begins when all of them are done. Chains don't wait for each other, so a thread that the system takes off
// its processor in the middle of a unit holds up one chain while the others go on: with a barrier after each loop all
// threads would stand until it is back. The chain that is furthest behind comes first, so that they stay together as
// long as nothing is in the way.
//
// What a unit computes must depend on its chain, stage and number alone.
#ifndef TUB_FLOW_H
#define TUB_FLOW_H

#include <stdbool.h>

#include "team.h"

enum { TUB_FLOW_CHAINS = 64 }; // most chains of a flow

typedef struct tub_flow {
    int chains;     // at least 1
    // Units of a stage; 0: there is nothing to do, the next one comes at once; negative: the chain has ended. Any thread
    // may ask, any number of times.
    int (*units)(void *context, int chain, int stage);
    // False: everything ends, units at work are finished.
    bool (*unit)(void *context, int chain, int stage, int unit, int member);
    void *context;
} tub_flow;

// Returns when every chain has ended, or when a unit said so. Of the team as tub_team_run().
void tub_flow_run(tub_team *team, const tub_flow *flow);

#endif
