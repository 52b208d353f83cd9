// What annotations say about each video, besides its segments.
#ifndef TUB_VIDEO_FACTS_H
#define TUB_VIDEO_FACTS_H

#include <stdint.h>
#include <tubelet/status.h>

#include "memory.h"
#include "stem_map.h"

typedef struct tub_fact {
    const char *id, *split;     // "subset", NULL if there is none
    double duration, fps;       // seconds, frames per second; 0 = unknown
    double frames;              // 0 = unknown
    double last_end;            // end of the last segment, seconds, 0 = no segment
} tub_fact;

typedef struct tub_video_facts {
    tub_arena arena;
    tub_fact *items;            // in the file's order
    size_t count, capacity;
    tub_stem_map map;           // by id
} tub_video_facts;

// Reads OpenTAD's or ActionFormer's JSON: `database`, an object by id. Numbers may be given as text. Finish the facts
// in every case. Errors: TUB_ERROR_ARGUMENT naming the file and what is wrong with it.
tub_status tub_video_facts_read(const char *path, tub_video_facts *out, tub_error *err);
void tub_video_facts_finish(tub_video_facts *facts);

// The text of such a file, up to a gigabyte; freed with tub_free(). Errors: TUB_ERROR_ARGUMENT.
tub_status tub_annotations_text(const char *path, char **out, size_t *bytes, tub_error *err);

// The facts of a video by its stem, with or without a leading "v_"; NULL: none.
const tub_fact *tub_video_facts_find(const tub_video_facts *facts, const char *stem);

#endif
