// The name of each video's feature file.
#ifndef TUB_ENTRY_NAMES_H
#define TUB_ENTRY_NAMES_H

#include "inputs.h"
#include "video_facts.h"

// Fills in each entry's name, and from that its key. `facts`: the annotations', needed if the template has a split.
// Errors: TUB_ERROR_ARGUMENT naming the video.
tub_status tub_entries_name(tub_arena *arena, tub_entries *list, const tub_layout *layout,
                            const tub_video_facts *facts, tub_error *err);

#endif
