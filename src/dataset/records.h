// What earlier runs wrote down: manifest*.jsonl and failures*.jsonl, by stem.
//
// Of several lines about one video the latest counts: within a file the last one, between files the one with the later
// time. Clocks of several machines differ, so the others are kept, too: the one that was written with the file of
// features that is there counts before the latest. Lines that lack what is needed here (torn, or of another version)
// don't count.
#ifndef TUB_RECORDS_H
#define TUB_RECORDS_H

#include <tubelet/status.h>

#include "json_lines.h"
#include "memory.h"
#include "out_listing.h"
#include "stem_map.h"

typedef struct tub_record {
    const char *time, *reason, *video;  // "" where the line has none
    const char *settings, *model;       // hashes
    int64_t rows, dim, bytes;           // of the features
    int64_t video_bytes;                // of the video's file, -1: not known
    int64_t mtime;                      // of the features' file, in nanoseconds since 1970, -1: not known
    size_t file;                        // which of the files it was in
    bool partial;
    const struct tub_record *others;    // lines about the same video, NULL: none
} tub_record;

typedef struct tub_records {
    tub_arena arena;
    tub_record *items;
    size_t count, capacity;
    tub_stem_map map;                   // by stem, as JSON text
    size_t file;                        // the one being read
    bool replaced;                      // of some video there is more than one line
} tub_records;

// To be finished in every case. Errors: TUB_ERROR_OUTPUT (a file can't be read), TUB_ERROR_MEMORY.
tub_status tub_records_read_manifests(const tub_paths *files, tub_records *out, tub_error *err);
tub_status tub_records_read_failures(const tub_paths *files, tub_records *out, tub_error *err);
const tub_record *tub_records_find(const tub_records *records, const char *key);    // NULL: none
void tub_records_finish(tub_records *records);

#endif
