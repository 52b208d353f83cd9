// What annotations say of each video beside its segments.
#ifndef TUB_VIDEO_FACTS_H
#define TUB_VIDEO_FACTS_H

#include <stdint.h>
#include <tubelet/status.h>

#include "memory.h"
#include "stem_map.h"

typedef struct tub_fact {
    const char *id, *split;     // "subset", NULL where there is none
    double duration, fps;       // seconds, frames a second; 0 = not said
    double frames;              // 0 = not said
    double last_end;            // seconds: where the last segment ends, 0 = no segment
} tub_fact;

typedef struct tub_video_facts {
    tub_arena arena;
    tub_fact *items;            // in the file's order
    size_t count, capacity;
    tub_stem_map map;           // by id
} tub_video_facts;

// OpenTAD's and ActionFormer's JSON alike: `database`, an object by id. Numbers may stand as text.
// Errors: TUB_ERROR_ARGUMENT naming the file and what is wrong with it. To be finished in every case.
tub_status tub_video_facts_read(const char *path, tub_video_facts *out, tub_error *err);
void tub_video_facts_finish(tub_video_facts *facts);

// The text of such a file, which may have a gigabyte; freed with tub_free(). Errors: TUB_ERROR_ARGUMENT.
tub_status tub_annotations_text(const char *path, char **out, size_t *bytes, tub_error *err);

// Of a video by its stem, with "v_" more or less; NULL: none.
const tub_fact *tub_video_facts_find(const tub_video_facts *facts, const char *stem);

#endif
