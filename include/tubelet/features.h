// Folders of features, after the fact: described, configured for, verified, compared, resampled.
//
// A folder is what dataset.h made, or any folder of .npy and .npz files of float32 or float16 [T, C]; without a
// features.json and a manifest there is less to know and to check. One that can't be listed, or has a folder
// that can't, is TUB_ERROR_OUTPUT.
#ifndef TUBELET_FEATURES_H
#define TUBELET_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/layout.h>
#include <tubelet/sampling.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- Verifying

typedef enum tub_finding_kind {
    TUB_FINDING_MISSING = 0,    // a video of the annotations or of the manifest has no file
    TUB_FINDING_FAILED,         // likewise, and it is recorded as failed: the text says why
    TUB_FINDING_EXTRA,          // a file that no line of the manifest tells of: of another run, or of another model
    TUB_FINDING_BROKEN,         // not a whole array: truncated, torn
    TUB_FINDING_DTYPE,          // float16 where float32 belongs, or the other way round
    TUB_FINDING_DIM,            // another C
    TUB_FINDING_ROWS,           // another T than its frames give, or than the manifest tells
    TUB_FINDING_NOT_FINITE,     // NaN or infinity
    TUB_FINDING_CHECKSUM,       // not the bytes that were written
    TUB_FINDING_SETTINGS,       // made with other settings than the folder's
    TUB_FINDING_MODEL,          // made with another model
    TUB_FINDING_DURATION,       // the annotations give the video another length
    TUB_FINDING_STALE,          // the video has changed since
    TUB_FINDING_UNREADABLE,     // the system doesn't let it be read: of what is in it nothing is known
    TUB_FINDING_COUNT,
} tub_finding_kind;

// "missing", "failed", ... Static. Thread-safety: safe.
TUB_API const char *tub_finding_name(tub_finding_kind kind);

typedef struct tub_finding {
    tub_finding_kind kind;
    const char *file;           // relative to the folder; NULL where there is none
    const char *id;             // of the annotations, or the video's stem; NULL = not known
    const char *text;           // one line: what is there and what was expected
} tub_finding;

typedef struct tub_verify_totals {
    size_t files;               // of features in the folder
    size_t good;                // without a finding
    size_t videos;              // that the annotations name, or without them the manifest
    size_t missing;             // lines of missing_files.txt
    size_t without_length;      // ids whose length the annotations don't tell
    size_t findings[TUB_FINDING_COUNT];
    int64_t rows, bytes;
} tub_verify_totals;

// All zero (but `folder`) = defaults.
typedef struct tub_verify_params {
    size_t size;                // sizeof(tub_verify_params)
    const char *folder;
    const char *annotations;    // OpenTAD's or ActionFormer's JSON (NULL: the manifest says which videos there are)
    bool quick;                 // headers only: values and checksums aren't read
    bool deep;                  // also decode each video again and count its frames
    bool read_only;             // don't write missing_files.txt
    void (*on_finding)(void *user, const tub_finding *finding); // in the order of files; may be NULL
    void (*on_file)(void *user, size_t done, size_t files);     // for progress; may be NULL
    void *user;
    const volatile int *stop;   // when it becomes non-zero: return TUB_ERROR_CANCELLED (may be NULL)
} tub_verify_params;

// Checks a folder file by file, and writes its missing_files.txt: ids whose features aren't there or can't be used, one
// a line (OpenTAD's block_list). Without annotations the ids of the list that is there stay until they have features.
// What is found is no error of the call.
// Errors: TUB_ERROR_ARGUMENT (no such folder, or without annotations nothing in it; a features.json or annotation file
// that isn't one), TUB_ERROR_OUTPUT (missing_files.txt can't be written), TUB_ERROR_CANCELLED.
TUB_API tub_status tub_features_verify(const tub_verify_params *params, tub_verify_totals *totals, tub_error *err);

// ---- What trainers need to know

enum { TUB_AFFIX = 256 };

// Around an id: where the features of a split's videos are.
typedef struct tub_affix {
    char split[64];                     // "" where the names have none
    char prefix[TUB_AFFIX], suffix[TUB_AFFIX];
} tub_affix;

typedef struct tub_features_info {
    double stride, offset, num_frames;  // frames: row i stands at frame i * stride + offset; 0 with fixed_rows
    double fps;                         // that these frames have: asked for, or all videos'; 0 = videos differ
    bool native;                        // the videos' own rate
    int64_t dim, files, most_rows;
    int64_t fixed_rows;                 // every video has so many, 0 = not
    tub_container container;
    char key[72];                       // of a .npz, else ""
    tub_affix affixes[8];
    int affix_count;                    // 1, or one a split
} tub_features_info;

// `annotations` (or NULL) tell what ids look like and which splits there are; without them an id is a video's stem,
// and of "{bare}" the bare one. Errors: TUB_ERROR_ARGUMENT (no such folder, no features.json, names with splits and no
// annotations, annotations none of whose ids has features).
TUB_API tub_status tub_features_describe(const char *folder, const char *annotations, tub_features_info *out,
                                         tub_error *err);

typedef enum tub_consumer { TUB_CONSUMER_OPENTAD = 0, TUB_CONSUMER_ACTIONFORMER = 1 } tub_consumer;

// "opentad", "actionformer" (and what reads its configurations: TriDet, TemporalMaxer, video-mamba-suite).
TUB_API tub_status tub_consumer_parse(const char *name, tub_consumer *out, tub_error *err);

// The block of the trainer's configuration, line by line: Python for OpenTAD, YAML for ActionFormer.
// Errors: those of tub_features_describe().
TUB_API tub_status tub_consumer_config(const char *folder, const char *annotations, tub_consumer consumer,
                                       void (*write)(void *user, const char *line), void *user, tub_error *err);

// ---- Resampling

// All zero (but the folders) = defaults.
typedef struct tub_resample_params {
    size_t size;                // sizeof(tub_resample_params)
    const char *in, *out;       // folders; `out` is made if needed, and gone on with where it was begun
    int stride;                 // frames between rows: a multiple of what they are now (0 = as they are)
    int length;                 // every video to so many rows, as F.interpolate(mode="linear") does (0 = not)
    tub_layout layout;          // of the new files; left open: as the old ones
    void (*on_file)(void *user, const char *file, int64_t rows_in, int64_t rows_out, const char *error);  // or NULL
    void *user;
    const volatile int *stop;   // when it becomes non-zero: return TUB_ERROR_CANCELLED (may be NULL)
} tub_resample_params;

typedef struct tub_resample_totals {
    size_t files, written, done_before, failed;
    int64_t rows_in, rows_out;  // of those written
} tub_resample_totals;

// Features of a folder into another folder with a features.json and a manifest of its own.
//
// With a stride, rows are taken out and nothing is computed: the bytes are those that an extraction with that stride
// gives, and the offset stays (with centred windows it is the old stride's, which features.json then says). With a
// length, rows are interpolated linearly as ActionFormer does it.
//
// A file that can't be used is reported to `on_file` and counted. Errors: TUB_ERROR_ARGUMENT (no such folder, no
// features.json, a stride that isn't a multiple, names that collide, an output that holds something else),
// TUB_ERROR_OUTPUT, TUB_ERROR_CANCELLED.
TUB_API tub_status tub_features_resample(const tub_resample_params *params, tub_resample_totals *totals, tub_error *err);

// ---- Comparing

enum { TUB_LAG_MOST = 128 };

// A video in both folders, or in one of them.
typedef struct tub_comparison {
    const char *file_a, *file_b;        // relative; NULL where there is none
    const char *problem;                // why they can't be compared, NULL
    int64_t rows_a, rows_b;
    int64_t rows;                       // of both that stand at the same frame; the figures are theirs
    bool equal;                         // these rows, to the bit, and no row is without its like
    double cosine, least_cosine;        // mean and least over rows
    double max_abs, relative;           // largest difference of two values; ||b - a|| / ||a||
    double lag, lag_cosine, cosine_at_0;  // of the best lag: frames of A; see tub_compare_totals
} tub_comparison;

typedef struct tub_compare_totals {
    size_t videos;                      // in both and compared
    size_t equal, only_a, only_b, failed;
    int64_t rows;
    double cosine, least_cosine, max_abs;
    // How much B is like A when its rows are taken for frames `lag` later: cosines from the videos' means on, between
    // rows interpolated. At 0 they stand where the two features.json say.
    int lag_most;                       // lags are -lag_most .. lag_most
    double lag_cosine[2 * TUB_LAG_MOST + 1];
    double lag;                         // of the best one
    bool shifted;                       // it isn't 0, and clearly better
    double stride_a, stride_b, offset_a, offset_b;  // frames
    double fps;                         // of the first video, 0 = unknown
    bool grid_known;                    // both folders say where their rows stand; else they are taken for the same
    bool lag_in_rows;                   // neither says: lags are rows, and not frames
} tub_compare_totals;

// All zero (but the folders) = defaults.
typedef struct tub_compare_params {
    size_t size;                        // sizeof(tub_compare_params)
    const char *a, *b;                  // folders; `a` is what `b` is held against
    int lag_most;                       // frames to look for a shift in (0 = 32), at most TUB_LAG_MOST
    void (*on_video)(void *user, const tub_comparison *video);  // in the order of A's files, then B's; may be NULL
    void *user;
    const volatile int *stop;           // when it becomes non-zero: return TUB_ERROR_CANCELLED (may be NULL)
} tub_compare_params;

// Compares two folders row by row. Videos are matched by their stems, with "v_" more or less. What differs is no error.
// Errors: TUB_ERROR_ARGUMENT (no such folder; no video is in both; resampled to other lengths), TUB_ERROR_CANCELLED.
TUB_API tub_status tub_features_compare(const tub_compare_params *params, tub_compare_totals *totals, tub_error *err);

#ifdef __cplusplus
}
#endif
#endif
