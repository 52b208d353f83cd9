// A folder of features as it is: what features.json and the manifest say, and which files exist.
#ifndef TUB_FEATURE_FOLDER_H
#define TUB_FEATURE_FOLDER_H

#include <tubelet/features.h>

#include "feature_file.h"
#include "feature_listing.h"
#include "settings.h"

// A line of the manifest or of failures. The folder owns the texts. What a line lacks is "", or -1 for numbers.
typedef struct tub_told {
    const char *file;           // relative, with its extension; for failures without
    const char *video, *reason, *settings, *model, *checksum, *time, *align;
    int64_t rows, dim, bytes, mtime, video_bytes, frames, frames_used, clip_length, stride, interval;
    const char *line;           // the whole line, if lines were asked for; else NULL
    double fps;                 // frame rate of the grid, 0 = unknown
    bool partial, is_short;
    const struct tub_told *others;  // lines about the same file that don't count (records.h), while opening
} tub_told;

typedef struct tub_told_list {
    tub_told *items;            // for each file the line that counts, by file
    size_t count, capacity;
    tub_stem_map map;           // by file
} tub_told_list;

typedef struct tub_feature_folder {
    tub_arena arena;
    tub_feature_place place;
    tub_settings settings;      // root NULL: there is no features.json
    tub_sampling sampling;      // from `settings`; clip_length 0: unknown
    int64_t dim;                // likewise; 0: unknown
    int video_stream;           // likewise: 1 + the number of the stream that was read, 0: libav's best
    int64_t step;               // resampling has kept every step-th row (1 = all)
    int64_t fixed_rows;         // resampling has interpolated to this many rows, 0 = it hasn't
    tub_told_list told, failed;
    tub_feature_listing listing;
} tub_feature_folder;

// `lines`: also keep the manifest's lines, which are half of the memory for a million videos. Finish `out` in every
// case. Errors: TUB_ERROR_ARGUMENT (no such folder; features.json can't be read), TUB_ERROR_MEMORY.
tub_status tub_feature_folder_open(const char *path, bool lines, tub_feature_folder *out, tub_error *err);
void tub_feature_folder_finish(tub_feature_folder *folder);

// NULL: there is no line about this file. For a failure, `file` has no extension.
const tub_told *tub_told_find(const tub_told_list *list, const char *file);

// T of a video with this many frames (after resampling of frames), according to features.json.
int64_t tub_feature_folder_rows(const tub_feature_folder *folder, int64_t frames);

// Where the rows lie, in frames at the grid's rate; false: unknown.
bool tub_feature_folder_grid(const tub_feature_folder *folder, tub_grid *out);

#endif
