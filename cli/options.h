// The option table. Parsing and help use it; nothing else knows an option's name or range.
#ifndef TUB_CLI_OPTIONS_H
#define TUB_CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum {
    VERB_EXTRACT = 1,
    VERB_EMBED = 2,
    VERB_FRAMES = 4,
    VERB_PROBE = 8,
    VERB_INIT = 16,
    VERB_MODELS = 32,
    VERB_BENCH = 64,
    VERB_CONVERT = 128,
    VERB_INFO = 256,
    VERB_PLAN = 1 << 17,
    VERB_TUNE = 1 << 18,
    VERB_DOCTOR = 1 << 19,
    VERB_REPORT = 1 << 24,
    VERB_COMPLETION = 1 << 20,
    VERB_MAN = 1 << 21,
    VERB_PRESETS = 1 << 12,
    VERB_CONSUMER_CONFIG = 1 << 13,
    VERB_VERIFY = 1 << 14,
    VERB_RESAMPLE = 1 << 15,
    VERB_COMPARE = 1 << 16,

};

// For options that every verb takes.
#define EVERY_VERB (~0u)

typedef enum option_id {
    OPTION_MODEL,
    OPTION_OUT,
    OPTION_PRESET,
    OPTION_FRAMES,
    OPTION_TOKENS,
    OPTION_PIXELS,
    OPTION_CASE,
    OPTION_VIDEO,
    OPTION_CLIPS,
    OPTION_REPEAT,
    OPTION_OUTPUTS,
    OPTION_SEED,
    OPTION_PROGRAM,
    OPTION_MARKDOWN,
    OPTION_CLIP_LENGTH,
    OPTION_STRIDE,
    OPTION_INTERVAL,
    OPTION_ALIGN,
    OPTION_FPS,
    OPTION_VIDEO_STREAM,
    OPTION_TRANSFORM,
    OPTION_SIZE,
    OPTION_CROP,
    OPTION_INTERPOLATION,
    OPTION_MEAN,
    OPTION_STD,
    OPTION_POOL,
    OPTION_LAYER,
    OPTION_NORMALIZE,
    OPTION_FRAME_POSITIONS,
    OPTION_HEADS,
    OPTION_INPUT_LAYOUT,
    OPTION_OUTPUT,
    OPTION_DTYPE,
    OPTION_BATCH,
    OPTION_THREADS,
    OPTION_DECODE_THREADS,
    OPTION_DECODER,
    OPTION_RESIZE,
    OPTION_PREFETCH,
    OPTION_DEVICE,
    OPTION_DEVICE_PRESET,
    OPTION_GPU_MEMORY,
    OPTION_NO_GRAPH,
    OPTION_NO_AUTOTUNE,
    OPTION_NO_CUDNN,
    OPTION_BLOCKING_COPIES,
    OPTION_BACKEND,
    OPTION_CACHE_WEIGHTS,
    OPTION_FILE_NAME,
    OPTION_FILE_TYPE,
    OPTION_FILE_KEY,
    OPTION_FILE_DTYPE,
    OPTION_LENGTH,
    OPTION_LAG,
    OPTION_PLOT,
    OPTION_QUICK,
    OPTION_DEEP,
    OPTION_READ_ONLY,
    OPTION_SHARD,
    OPTION_RECURSIVE,
    OPTION_ANNOTATIONS,
    OPTION_RETRY_FAILED,
    OPTION_JSON,
    OPTION_DRY_RUN,
    OPTION_LOG_FORMAT,
    OPTION_REPORT,
    OPTION_METRICS_FILE,
    OPTION_METRICS_PORT,
    OPTION_TRACE,
    OPTION_VERBOSE,
    OPTION_PROFILE,
    OPTION_BUDGET,
    OPTION_LIST,
    OPTION_WIDE,
    OPTION_CONFIG,
    OPTION_PRINT_CONFIG,
    OPTION_HELP,
    OPTION_COUNT,
} option_id;

typedef enum option_kind {
    KIND_FLAG,      // no argument
    KIND_TEXT,      // any text that isn't empty
    KIND_CHOICE,    // one of the words in `value`, separated by |; the help leaves out those after ||
    KIND_NUMBER,    // whole number from `least` to `most`
    KIND_AUTO,      // the same, or "auto"
    KIND_RATE,      // "native", or a number above 0, at most `most`
    KIND_SIZE,      // HEIGHTxWIDTH, each from `least` to `most`
    KIND_TRIPLE,    // three numbers, separated by commas
    KIND_POSITIVES, // three numbers above 0, separated by commas
} option_kind;

typedef struct option_row {
    option_id id;
    unsigned verbs;    // verbs that take it, as bits
    const char *group; // heading in the help
    const char *name;  // without the dashes
    option_kind kind;
    const char *value; // name of its argument, NULL for flags
    int64_t least, most;
    const char *help;
} option_row;

// The i-th row, NULL past the last.
const option_row *cli_option_at(size_t i);
// The row of an option (name without dashes, `length` characters) for a verb; NULL if the verb has none of that name.
const option_row *cli_option_find(const char *name, size_t length, unsigned verb);
// The name that a mistyped one most likely means among the options of `verbs`; NULL if none is near.
const char *cli_option_nearest(const char *name, unsigned verbs);

#endif
