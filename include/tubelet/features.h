// Folders of features after extraction: verifying, trainers' configurations, resampling, comparing.
//
// A folder is what dataset.h made, or any folder of .npy and .npz files with float32 or float16 arrays [T, C]. Without
// a features.json and a manifest, less is known and checked. A folder that can't be listed, or that contains one that
// can't, is TUB_ERROR_OUTPUT.
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
    TUB_FINDING_EXTRA,          // a file without a line in the manifest: from another run, or from another model
    TUB_FINDING_BROKEN,         // not a whole array: truncated, torn
    TUB_FINDING_DTYPE,          // float16 where float32 is expected, or the reverse
    TUB_FINDING_DIM,            // an unexpected C
    TUB_FINDING_ROWS,           // a T that doesn't follow from its frames, or isn't the manifest's
    TUB_FINDING_NOT_FINITE,     // NaN or infinity
    TUB_FINDING_CHECKSUM,       // not the bytes that were written
    TUB_FINDING_SETTINGS,       // made with other settings than the folder's
    TUB_FINDING_MODEL,          // made with another model
    TUB_FINDING_DURATION,       // the annotations give the video another length
    TUB_FINDING_STALE,          // the video has changed since extraction
    TUB_FINDING_UNREADABLE,     // the system can't read it, so nothing is known about its contents
    TUB_FINDING_COUNT,
} tub_finding_kind;

// "missing", "failed", ... Static. Thread-safety: safe.
TUB_API const char *tub_finding_name(tub_finding_kind kind);

typedef struct tub_finding {
    tub_finding_kind kind;
    const char *file;           // relative to the folder; NULL if there is none
    const char *id;             // the annotations' id, or the video's stem; NULL = unknown
    const char *text;           // one line: what was found and what was expected
} tub_finding;

typedef struct tub_verify_totals {
    size_t files;               // feature files in the folder
    size_t good;                // files without a finding
    size_t videos;              // videos named by the annotations, or without them by the manifest
    size_t missing;             // lines of missing_files.txt
    size_t without_length;      // ids to which the annotations give no length
    size_t findings[TUB_FINDING_COUNT];
    int64_t rows, bytes;
} tub_verify_totals;

// All zero (but `folder`) = defaults.
typedef struct tub_verify_params {
    size_t size;                // sizeof(tub_verify_params)
    const char *folder;
    const char *annotations;    // OpenTAD's or ActionFormer's JSON (NULL: the manifest says which videos there are)
    bool quick;                 // headers only: values and checksums aren't read
    bool deep;                  // also decode each video again to count its frames
    bool read_only;             // don't write missing_files.txt
    void (*on_finding)(void *user, const tub_finding *finding); // in the order of files; may be NULL
    void (*on_file)(void *user, size_t done, size_t files);     // for progress; may be NULL
    void *user;
    const volatile int *stop;   // when it becomes non-zero: return TUB_ERROR_CANCELLED (may be NULL)
} tub_verify_params;

// Checks a folder file by file, and writes its missing_files.txt: ids whose features are missing or unusable, one per
// line (OpenTAD's block_list). Without annotations, the ids of the existing list stay in it until they have features.
// Findings are no error of the call.
// Errors: TUB_ERROR_ARGUMENT (no such folder; an empty one without annotations; a features.json or annotation file that
// isn't one), TUB_ERROR_OUTPUT (missing_files.txt can't be written), TUB_ERROR_CANCELLED.
TUB_API tub_status tub_features_verify(const tub_verify_params *params, tub_verify_totals *totals, tub_error *err);

// ---- What trainers need to know

enum { TUB_AFFIX = 256 };

// What precedes and follows an id in the names of a split's feature files.
typedef struct tub_affix {
    char split[64];                     // "" if the names have no split
    char prefix[TUB_AFFIX], suffix[TUB_AFFIX];
} tub_affix;

typedef struct tub_features_info {
    double stride, offset, num_frames;  // in frames: row i is centered at frame i * stride + offset; 0 with fixed_rows
    double fps;                         // rate of these frames: as resampled, or that of all videos; 0 = videos differ
    bool native;                        // the rate is the videos' own
    int64_t dim, files, most_rows;
    int64_t fixed_rows;                 // rows that every video has, 0 = the number differs
    tub_container container;
    char key[72];                       // of a .npz, else ""
    tub_affix affixes[8];
    int affix_count;                    // 1, or one per split
} tub_features_info;

// What a trainer must know about a folder. `annotations` (or NULL) tell what ids look like and which splits there are.
// Without them an id is a video's stem, or with "{bare}" the bare one. Errors: TUB_ERROR_ARGUMENT (no such folder, no
// features.json, names with splits but no annotations, annotations none of whose ids has features).
TUB_API tub_status tub_features_describe(const char *folder, const char *annotations, tub_features_info *out,
                                         tub_error *err);

typedef enum tub_consumer { TUB_CONSUMER_OPENTAD = 0, TUB_CONSUMER_ACTIONFORMER = 1 } tub_consumer;

// "opentad", "actionformer" (also for what reads its configurations: TriDet, TemporalMaxer, video-mamba-suite).
// Errors: TUB_ERROR_ARGUMENT for another name.
TUB_API tub_status tub_consumer_parse(const char *name, tub_consumer *out, tub_error *err);

// Writes the block for the trainer's configuration, line by line: Python for OpenTAD, YAML for ActionFormer.
// Errors: as tub_features_describe().
TUB_API tub_status tub_consumer_config(const char *folder, const char *annotations, tub_consumer consumer,
                                       void (*write)(void *user, const char *line), void *user, tub_error *err);

// ---- Resampling

// All zero (but the folders) = defaults.
typedef struct tub_resample_params {
    size_t size;                // sizeof(tub_resample_params)
    const char *in, *out;       // folders; `out` is made if needed, and continued if it was begun
    int stride;                 // new frames between rows, a multiple of the present stride (0 = keep it)
    int length;                 // resize every video to this many rows, as F.interpolate(mode="linear") (0 = don't)
    tub_layout layout;          // of the new files; what is left open is as in the old ones
    void (*on_file)(void *user, const char *file, int64_t rows_in, int64_t rows_out, const char *error);  // or NULL
    void *user;
    const volatile int *stop;   // when it becomes non-zero: return TUB_ERROR_CANCELLED (may be NULL)
} tub_resample_params;

typedef struct tub_resample_totals {
    size_t files, written, done_before, failed;
    int64_t rows_in, rows_out;  // of the written files
} tub_resample_totals;

// Resamples the features of a folder into another folder, which gets its own features.json and manifest.
//
// With a stride, rows are selected and nothing is computed: the bytes are those of an extraction with that stride. The
// offset stays (with centered windows it is that of the old stride, which features.json then says). With a length, rows
// are interpolated linearly, as ActionFormer does.
//
// A file that can't be used is reported to `on_file` and counted. Errors: TUB_ERROR_ARGUMENT (no such folder, no
// features.json, a stride that isn't a multiple, names that collide, an output folder with something else in it),
// TUB_ERROR_OUTPUT, TUB_ERROR_CANCELLED.
TUB_API tub_status tub_features_resample(const tub_resample_params *params, tub_resample_totals *totals, tub_error *err);

// ---- Comparing

enum { TUB_LAG_MOST = 128 };

// A video in both folders, or in one of them.
typedef struct tub_comparison {
    const char *file_a, *file_b;        // relative; NULL if there is none
    const char *problem;                // why they can't be compared, or NULL
    int64_t rows_a, rows_b;
    int64_t rows;                       // rows of both at the same frame; the figures below are theirs
    bool equal;                         // these rows are equal to the bit, and every row has its counterpart
    double cosine, least_cosine;        // mean and least over rows
    double max_abs, relative;           // largest difference of two values; ||b - a|| / ||a||
    double lag, lag_cosine, cosine_at_0;  // the best lag, in frames of A; see tub_compare_totals
} tub_comparison;

typedef struct tub_compare_totals {
    size_t videos;                      // in both folders and compared
    size_t equal, only_a, only_b, failed;
    int64_t rows;
    double cosine, least_cosine, max_abs;
    // How similar B is to A if B's rows are assumed to lie `lag` frames later: cosines of interpolated rows, after
    // subtracting each video's mean. Lag 0 is what the two features.json say.
    int lag_most;                       // lags are -lag_most .. lag_most
    double lag_cosine[2 * TUB_LAG_MOST + 1];
    double lag;                         // the best one
    bool shifted;                       // it isn't 0, and is clearly better
    double stride_a, stride_b, offset_a, offset_b;  // frames
    double fps;                         // of the first video, 0 = unknown
    bool grid_known;                    // both folders say where their rows lie; else the same grid is assumed for both
    bool lag_in_rows;                   // neither folder says: lags are rows, not frames
} tub_compare_totals;

// All zero (but the folders) = defaults.
typedef struct tub_compare_params {
    size_t size;                        // sizeof(tub_compare_params)
    const char *a, *b;                  // folders; `a` is the reference
    int lag_most;                       // largest shift to look for, frames (0 = 32), at most TUB_LAG_MOST
    void (*on_video)(void *user, const tub_comparison *video);  // in the order of A's files, then B's; may be NULL
    void *user;
    const volatile int *stop;           // when it becomes non-zero: return TUB_ERROR_CANCELLED (may be NULL)
} tub_compare_params;

// Compares two folders row by row. Videos are matched by their stems, with or without a leading "v_". Differences are
// no error. Errors: TUB_ERROR_ARGUMENT (no such folder; no video is in both; resampled to other lengths),
// TUB_ERROR_CANCELLED.
TUB_API tub_status tub_features_compare(const tub_compare_params *params, tub_compare_totals *totals, tub_error *err);

#ifdef __cplusplus
}
#endif
#endif
