// Which videos belong to this shard. Starting with the largest file, each goes to the shard with the fewest bytes so
// far. The answer depends only on the whole list, so the shards are disjoint and complete.
#ifndef TUB_SHARD_PICK_H
#define TUB_SHARD_PICK_H

#include "inputs.h"

// Keeps the entries of shard `rank` of `world`, in their order. Errors: TUB_ERROR_ARGUMENT (rank out of range).
tub_status tub_shard_pick(tub_entries *list, int rank, int world, tub_error *err);
// The range check alone.
tub_status tub_shard_check(int64_t rank, int64_t world, const char *source, tub_error *err);

enum { TUB_SHARDS = 1000000 };

#endif
