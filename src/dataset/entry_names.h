// What each video's file of features is called.
#ifndef TUB_ENTRY_NAMES_H
#define TUB_ENTRY_NAMES_H

#include "inputs.h"
#include "video_facts.h"

// Fills in each entry's name, and its key from that. `facts`: the annotations, needed where the template has a split.
// Errors: TUB_ERROR_ARGUMENT naming the video.
tub_status tub_entries_name(tub_arena *arena, tub_entries *list, const tub_layout *layout,
                            const tub_video_facts *facts, tub_error *err);

#endif
