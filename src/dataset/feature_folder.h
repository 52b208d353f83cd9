// A folder of features as it is: what features.json says, what the manifest tells, which files are there.
#ifndef TUB_FEATURE_FOLDER_H
#define TUB_FEATURE_FOLDER_H

#include <tubelet/features.h>

#include "feature_file.h"
#include "feature_listing.h"
#include "settings.h"

// A line of the manifest or of failures. Texts are the folder's; "" where the line has none, numbers -1.
typedef struct tub_told {
    const char *file;           // relative, with its extension; of failures without
    const char *video, *reason, *settings, *model, *checksum, *time, *align;
    int64_t rows, dim, bytes, mtime, video_bytes, frames, frames_used, clip_length, stride, interval;
    const char *line;           // all of it, where lines were asked for; else NULL
    double fps;                 // that the grid stands on, 0 = unknown
    bool partial, is_short;
    const struct tub_told *others;  // lines about the same file that don't count (records.h), while it is being opened
} tub_told;

typedef struct tub_told_list {
    tub_told *items;            // the line that counts of each file, by file
    size_t count, capacity;
    tub_stem_map map;           // by file
} tub_told_list;

typedef struct tub_feature_folder {
    tub_arena arena;
    tub_feature_place place;
    tub_settings settings;      // root NULL: there is no features.json
    tub_sampling sampling;      // of `settings`; clip_length 0: not told
    int64_t dim;                // likewise, 0
    int video_stream;           // likewise: 1 + the number of the stream that was read, 0: libav's best
    int64_t step;               // rows were taken out of: every step-th is left (1 = all are there)
    int64_t fixed_rows;         // rows were interpolated to so many, 0 = not
    tub_told_list told, failed;
    tub_feature_listing listing;
} tub_feature_folder;

// `lines`: the manifest's are wanted as they are, too, which are half of what a million videos take in memory.
// Errors: TUB_ERROR_ARGUMENT (no such folder; features.json can't be read), TUB_ERROR_MEMORY. To be finished in every
// case.
tub_status tub_feature_folder_open(const char *path, bool lines, tub_feature_folder *out, tub_error *err);
void tub_feature_folder_finish(tub_feature_folder *folder);

// NULL: nothing is told of this file; of a video's failure `file` has no extension.
const tub_told *tub_told_find(const tub_told_list *list, const char *file);

// T of a video of so many frames (after resampling of frames), by what features.json says.
int64_t tub_feature_folder_rows(const tub_feature_folder *folder, int64_t frames);

// Where its rows stand, in frames at the rate that they stand on; false: nothing is known of that.
bool tub_feature_folder_grid(const tub_feature_folder *folder, tub_grid *out);

#endif
