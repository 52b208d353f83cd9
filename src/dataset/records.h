// What earlier runs recorded: manifest*.jsonl and failures*.jsonl, by stem.
//
// If there are several lines about a video, the latest counts: within a file the last one, between files the one with
// the later time. Since the clocks of several machines differ, the others are kept, too: the line that was written with
// the existing feature file takes precedence over the latest. Lines that lack what is needed here (torn, or from
// another version) don't count.
#ifndef TUB_RECORDS_H
#define TUB_RECORDS_H

#include <tubelet/status.h>

#include "json_lines.h"
#include "memory.h"
#include "out_listing.h"
#include "stem_map.h"

typedef struct tub_record {
    const char *time, *reason, *video;  // "" if the line has none
    const char *settings, *model;       // hashes
    int64_t rows, dim, bytes;           // of the features
    int64_t video_bytes;                // of the video's file, -1: unknown
    int64_t mtime;                      // of the feature file, nanoseconds since 1970, -1: unknown
    size_t file;                        // number of the file with this line
    bool partial;
    const struct tub_record *others;    // lines about the same video, NULL: none
} tub_record;

typedef struct tub_records {
    tub_arena arena;
    tub_record *items;
    size_t count, capacity;
    tub_stem_map map;                   // by stem, as JSON text
    size_t file;                        // the one being read
    bool replaced;                      // some video has more than one line
} tub_records;

// Finish `out` in every case. Errors: TUB_ERROR_OUTPUT (a file can't be read), TUB_ERROR_MEMORY.
tub_status tub_records_read_manifests(const tub_paths *files, tub_records *out, tub_error *err);
tub_status tub_records_read_failures(const tub_paths *files, tub_records *out, tub_error *err);
const tub_record *tub_records_find(const tub_records *records, const char *key);    // NULL: none
void tub_records_finish(tub_records *records);

#endif
