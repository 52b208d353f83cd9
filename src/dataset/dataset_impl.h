// A data set from inside: the videos of this shard, and what the output folder knows about them.
#ifndef TUB_DATASET_IMPL_H
#define TUB_DATASET_IMPL_H

#include <tubelet/dataset.h>

#include "annotations.h"
#include "feature_file.h"
#include "found.h"
#include "inputs.h"
#include "memory.h"
#include "settings.h"
#include "source.h"
#include "stem_map.h"

struct tub_dataset {
    tub_arena arena;
    tub_entries list;               // this shard's, in the order of their paths
    const char *out;
    tub_feature_place place;        // the same folder, with the layout of its files
    char *manifest, *failures;      // the files that this shard writes
    int rank, world;
    bool dry_run, annotated;
    tub_annotations annotations;
    tub_video_facts facts;          // read if names have a split
    tub_settings there;             // features.json as it was at open
    tub_found found;                // what was in the output folder at open
    bool untidy;                    // some lines in failures*.jsonl don't count any more
    size_t replaced;                // videos whose size isn't that of the one their features were made from
    const tub_entry *taken;         // a video whose features would take another's place, NULL: none
    tub_dtype dtype;                // pinned
    const char *backend;
    tub_log log;
};

// Reads what the folder's features.json says now; nothing if there is none.
tub_status tub_dataset_read_pins(tub_dataset *d, tub_error *err);

// tub_dataset_run() with another source of frames than libav, for tests.
tub_status tub_dataset_run_source(tub_dataset *d, tub_encoder *encoder, const tub_run_params *params,
                                  const tub_source_ops *source, tub_run_totals *totals, tub_error *err);

#endif
