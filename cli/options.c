#include "options.h"

#include <string.h>

#include "cli.h"

enum {
    X = VERB_EXTRACT | VERB_PLAN,
    T = VERB_TUNE,
    E = X | T, // what both need: the model, its windows and pixels, speed
    M = VERB_EMBED,
    F = VERB_FRAMES,
    P = VERB_PROBE,
    I = VERB_INIT,
    L = VERB_MODELS,
    B = VERB_BENCH,
    C = VERB_CONVERT,
    N = VERB_INFO,
    R = VERB_PRESETS,
    D = VERB_DOCTOR,
    G = VERB_CONSUMER_CONFIG,
    V = VERB_VERIFY,
    S = VERB_RESAMPLE,
    K = VERB_COMPARE
};

enum { SIDE = 16384, ITEMS = 4096, THREADS = 1024, WORKERS = 256 };

// Values after "||" are recognized but not available here; the help leaves them out.
#define DTYPES "auto|f32|tf32|bf16|f16|int8|fp8"
#define BACKENDS "auto|cuda|native|onednn|reference|openvino"

#define CASES "roof|forward|decode|preprocess|windows|end-to-end|resume|ablation"

// Rows with the same name serve different verbs. The help lists them in this order.
static const option_row rows[] = {
    {OPTION_CASE, B, "", "case", KIND_CHOICE, CASES, 0, 0, "what to time"},
    {OPTION_MODEL, E | M, "", "model", KIND_TEXT, "DIR", 0, 0,
     "checkpoint: folder, file, org/name; .onnx or .xml file"},
    {OPTION_MODEL, F, "", "model", KIND_TEXT, "DIR", 0, 0, "checkpoint whose transform --transform model is"},
    {OPTION_OUT, X, "", "out", KIND_TEXT, "DIR", 0, 0, "folder of the features; made if needed"},
    {OPTION_OUT, VERB_REPORT, "", "out", KIND_TEXT, "FILE.html", 0, 0, "the page"},
    {OPTION_FRAMES, M, "", "frames", KIND_TEXT, "IN.npy", 0, 0, "uint8 RGB [N, T, H, W, 3]; frame models [N, H, W, 3]"},
    {OPTION_OUT, M, "", "out", KIND_TEXT, "FILE.npy", 0, 0, "features, float32 [N, C]; frame models: mean over T"},
    {OPTION_TOKENS, M, "", "tokens", KIND_TEXT, "FILE.npy", 0, 0, "also the last hidden state [N, (T,) tokens, D]"},
    {OPTION_PIXELS, M, "", "pixels", KIND_TEXT, "FILE.npy", 0, 0, "also what enters the model [N, T, 3, h, w]"},
    {OPTION_OUT, F, "", "out", KIND_TEXT, "FILE.npy", 0, 0, "uint8 RGB [n,H,W,3]; values scaled: float32 [n,3,H,W]"},
    {OPTION_OUT, D, "", "out", KIND_TEXT, "DIR", 0, 0, "folder of features whose room and speed are measured"},
    {OPTION_PRESET, E, "", "preset", KIND_TEXT, "NAME", 0, 0, "a data set's settings; tubelet presets lists them"},
    {OPTION_PROGRAM, N, "", "program", KIND_FLAG, NULL, 0, 0,
     "also the operations of the forward pass with their cost"},
    {OPTION_MARKDOWN, L, "", "markdown", KIND_FLAG, NULL, 0, 0, "print docs/models.md"},
    {OPTION_MARKDOWN, R, "", "markdown", KIND_FLAG, NULL, 0, 0, "print docs/presets.md"},
    {OPTION_LIST, T, "", "list", KIND_FLAG, NULL, 0, 0, "print the guide's presets and the profiles that are there"},
    {OPTION_WIDE, T, "", "wide", KIND_FLAG, NULL, 0, 0, "the guide's whole ranges: batches, decode threads up to 128"},
    {OPTION_BUDGET, T, "", "budget", KIND_NUMBER, "SECONDS", 1, 86400, "time to spend (60)"},
    {OPTION_SEED, I, "", "seed", KIND_NUMBER, "N", 0, INT64_MAX, "the same seed gives the same bytes (0)"},

    {OPTION_MODEL, B, "", "model", KIND_TEXT, "DIR", 0, 0, "forward, end-to-end, ablation: checkpoint folder"},
    {OPTION_VIDEO, B, "", "video", KIND_TEXT, "FILE", 0, 0, "a video; end-to-end, ablation: also a folder, @list"},
    {OPTION_CLIPS, B, "", "clips", KIND_NUMBER, "N", 1, 4096, "forward: clips at once, frames of frame models (1)"},
    {OPTION_OUTPUTS, B, "", "outputs", KIND_NUMBER, "N", 1, 9999999, "resume: outputs that are there (100000)"},
    {OPTION_REPEAT, B, "", "repeat", KIND_NUMBER, "N", 1, 1000,
     "runs; the median counts (5; end-to-end 1, ablation 3)"},

    {OPTION_CLIP_LENGTH, E | B | N, "windows", "clip-length", KIND_NUMBER, "N", 1, 4096,
     "frames a clip (the checkpoint's; 16 where any works)"},
    {OPTION_STRIDE, E | B, "windows", "stride", KIND_NUMBER, "N", 1, 65536,
     "frames between the starts of two windows (4)"},
    {OPTION_INTERVAL, E | B, "windows", "interval", KIND_NUMBER, "N", 1, 1024,
     "sampling interval: a clip takes every N-th frame (1)"},
    {OPTION_ALIGN, E, "windows", "align", KIND_CHOICE, "valid|center|backpad", 0, 0, "where windows lie (valid)"},
    {OPTION_FPS, E, "windows", "fps", KIND_RATE, "native|N", 0, 1000,
     "resample by timestamps to N frames a second (native)"},
    {OPTION_VIDEO_STREAM, E | F | P, "windows", "video-stream", KIND_NUMBER, "N", 0, 4095,
     "the file's N-th video stream, from 0 (libav's best)"},

    {OPTION_TRANSFORM, E | M | N | B, "pixels", "transform", KIND_CHOICE, "model|opentad", 0, 0,
     "the checkpoint's own, or the original script's (model)"},
    {OPTION_TRANSFORM, F, "pixels", "transform", KIND_CHOICE, "model|opentad", 0, 0,
     "transform the frames (default: don't)"},
    {OPTION_SIZE, E | M | F | B | N, "pixels", "size", KIND_SIZE, "HxW", 1, SIDE, "resize to exactly this"},
    {OPTION_CROP, E | M | F | N | B, "pixels", "crop", KIND_SIZE, "HxW", 1, SIDE, "center crop"},
    {OPTION_INTERPOLATION, E | M | F | N | B, "pixels", "interpolation", KIND_CHOICE, "nearest|bilinear|bicubic", 0, 0,
     "how to resize"},
    {OPTION_MEAN, E | M | F | N | B, "pixels", "mean", KIND_TRIPLE, "R,G,B", 0, 0,
     "subtracted, on the scale of 0 to 1"},
    {OPTION_STD, E | M | F | N | B, "pixels", "std", KIND_POSITIVES, "R,G,B", 0, 0, "divided by"},

    {OPTION_POOL, E | M | N, "feature", "pool", KIND_CHOICE, "default|pooler|cls|mean|patch-mean|projection", 0, 0,
     "what a row is (the family's default)"},
    {OPTION_LAYER, E | M | N, "feature", "layer", KIND_NUMBER, "N", 1, 1024,
     "pool the hidden state after block N, without a norm"},
    {OPTION_NORMALIZE, E | M | N, "feature", "normalize", KIND_FLAG, NULL, 0, 0, "rows of length 1"},
    {OPTION_FRAME_POSITIONS, E | M | N, "feature", "frame-positions", KIND_CHOICE, "index|spread|video", 0, 0,
     "where frames stand in time (index; OneVision only)"},
    {OPTION_HEADS, E | M | N, "feature", "heads", KIND_NUMBER, "N", 1, 1024,
     "attention heads, where a .pt or .pth doesn't tell them"},
    {OPTION_INPUT_LAYOUT, E | M | N, "feature", "input-layout", KIND_CHOICE, "NCTHW|NTCHW|NCHW", 0, 0,
     "of a .onnx or .xml model (by its sizes)"},
    {OPTION_OUTPUT, E | M | N, "feature", "output", KIND_TEXT, "NAME", 0, 0,
     "of a .onnx or .xml model (pooler_output, ..., first)"},

    {OPTION_DTYPE, E | M | B | N, "speed", "dtype", KIND_CHOICE, DTYPES, 0, 0,
     "precision (auto: f16 on GPUs, else bf16 or f32)"},
    {OPTION_BATCH, E | M | B | N, "speed", "batch", KIND_AUTO, "N|auto", 1, ITEMS,
     "clips (frame models: frames) of one forward"},
    {OPTION_THREADS, E | M | B | N, "speed", "threads", KIND_AUTO, "N|auto", 1, THREADS, "compute threads"},
    {OPTION_DECODE_THREADS, E | F | B, "speed", "decode-threads", KIND_AUTO, "N|auto", 1, WORKERS,
     "decoding threads of the whole process"},
    {OPTION_DECODER, E | F | B, "speed", "decoder", KIND_CHOICE, "auto|cpu|nvdec|both", 0, 0,
     "the processor, GPUs' decoders, or both (the processor)"},
    {OPTION_RESIZE, E | B, "speed", "resize", KIND_CHOICE, "auto|cpu|gpu", 0, 0,
     "where frames become pixels (auto: what decoded them)"},
    {OPTION_PREFETCH, E | B, "speed", "prefetch", KIND_AUTO, "N|auto", 1, ITEMS,
     "clips kept ready beyond the batch being filled"},
    {OPTION_DEVICE, E | M | B | N, "speed", "device", KIND_TEXT, "auto|cpu|cuda|cuda:0,2", 0, 0,
     "where to compute (all GPUs, else the processor)"},
    {OPTION_DEVICE_PRESET, E, "speed", "device-preset", KIND_TEXT, "NAME", 0, 0,
     "batch, prefetch, decode threads of 8xa100-40, l4, ..."},
    {OPTION_GPU_MEMORY, E | M | B, "speed", "gpu-memory", KIND_NUMBER, "MIB", 16, 1 << 24,
     "most memory to take of each GPU (what is free)"},
    {OPTION_NO_GRAPH, E | M | B, "speed", "no-graph", KIND_FLAG, NULL, 0, 0, "GPU: launch steps one by one"},
    {OPTION_NO_AUTOTUNE, E | M | B, "speed", "no-autotune", KIND_FLAG, NULL, 0, 0,
     "GPU: take cuBLASLt's advice, measure no products"},
    {OPTION_NO_CUDNN, E | M | B, "speed", "no-cudnn", KIND_FLAG, NULL, 0, 0, "GPU: attention by our own kernel"},
    {OPTION_BLOCKING_COPIES, E | M | B, "speed", "blocking-copies", KIND_FLAG, NULL, 0, 0,
     "GPU: copy frames before computing, not meanwhile"},
    {OPTION_BACKEND, E | M | B | N, "speed", "backend", KIND_CHOICE, BACKENDS, 0, 0, "what computes (auto)"},
    {OPTION_CACHE_WEIGHTS, E | M | B, "speed", "cache-weights", KIND_FLAG, NULL, 0, 0,
     "keep packed weights in ~/.cache for the next start"},
    {OPTION_PROFILE, X, "speed", "profile", KIND_TEXT, "auto|none|FILE", 0, 0,
     "settings of tubelet tune for what isn't given (auto)"},

    {OPTION_FILE_NAME, X, "files", "file-name", KIND_TEXT, "TEMPLATE", 0, 0,
     "of {stem}, {bare} (without v_), {split}, as v_{bare}"},
    {OPTION_FILE_TYPE, X, "files", "file-type", KIND_CHOICE, "npy|npz", 0, 0, "what features are written to (npy)"},
    {OPTION_FILE_KEY, X, "files", "file-key", KIND_TEXT, "NAME", 0, 0, "the array's name in a .npz (feats)"},
    {OPTION_FILE_DTYPE, X, "files", "file-dtype", KIND_CHOICE, "f32|f16", 0, 0, "type of the values in it (f32)"},

    {OPTION_SHARD, X, "run", "shard", KIND_TEXT, "RANK/WORLD", 0, 0,
     "this run's part, from 0 (from SLURM, torchrun, MPI)"},
    {OPTION_RECURSIVE, E, "run", "recursive", KIND_FLAG, NULL, 0, 0, "descend into sub-folders"},
    {OPTION_ANNOTATIONS, X, "run", "annotations", KIND_TEXT, "FILE", 0, 0,
     "OpenTAD's or ActionFormer's JSON: its videos only"},
    {OPTION_RETRY_FAILED, X, "run", "retry-failed", KIND_FLAG, NULL, 0, 0, "try recorded failures again"},
    {OPTION_JSON, E | P | L | B | N | R | D, "run", "json", KIND_FLAG, NULL, 0, 0,
     "results as JSON on stdout, one object a line"},
    {OPTION_MARKDOWN, B, "run", "markdown", KIND_FLAG, NULL, 0, 0, "the result as a table"},
    {OPTION_DRY_RUN, VERB_EXTRACT, "run", "dry-run", KIND_FLAG, NULL, 0, 0, "what tubelet plan says; write nothing"},
    {OPTION_BUDGET, VERB_PLAN, "run", "budget", KIND_NUMBER, "SECONDS", 0, 3600, "time to measure (3; 0: none)"},
    {OPTION_VERBOSE, E | M | B | N, "run", "verbose", KIND_FLAG, NULL, 0, 0, "also messages that are only informative"},
    {OPTION_LOG_FORMAT, VERB_EXTRACT, "watch", "log-format", KIND_CHOICE, "text|json", 0, 0,
     "lines for people, or each of them as JSON (text)"},
    {OPTION_REPORT, VERB_EXTRACT, "watch", "report", KIND_TEXT, "FILE.html", 0, 0,
     "a page about the run; .json: for tubelet report"},
    {OPTION_METRICS_FILE, VERB_EXTRACT, "watch", "metrics-file", KIND_TEXT, "FILE.prom", 0, 0,
     "numbers for Prometheus, replaced every 5 s"},
    {OPTION_METRICS_PORT, VERB_EXTRACT, "watch", "metrics-port", KIND_TEXT, "[HOST:]PORT", 0, 0,
     "the same over HTTP (HOST: loopback)"},
    {OPTION_TRACE, VERB_EXTRACT, "watch", "trace", KIND_TEXT, "FILE.json", 0, 0,
     "what each thread did when, for ui.perfetto.dev"},

    {OPTION_CONFIG, EVERY_VERB, "all", "config", KIND_TEXT, "FILE", 0, 0,
     "settings file instead of ./tubelet.conf; none: no file"},
    {OPTION_PRINT_CONFIG, EVERY_VERB, "all", "print-config", KIND_FLAG, NULL, 0, 0,
     "say each setting and where it comes from"},
    {OPTION_HELP, EVERY_VERB, "all", "help", KIND_FLAG, NULL, 0, 0, "this text"},

    {OPTION_ANNOTATIONS, V, "", "annotations", KIND_TEXT, "FILE", 0, 0,
     "OpenTAD's or ActionFormer's JSON: videos, lengths"},
    {OPTION_ANNOTATIONS, G, "", "annotations", KIND_TEXT, "FILE", 0, 0,
     "OpenTAD's or ActionFormer's JSON: how ids look"},
    {OPTION_QUICK, V, "", "quick", KIND_FLAG, NULL, 0, 0, "headers only: neither values nor checksums"},
    {OPTION_DEEP, V, "", "deep", KIND_FLAG, NULL, 0, 0, "also decode the videos again and count their frames"},
    {OPTION_READ_ONLY, V, "", "read-only", KIND_FLAG, NULL, 0, 0, "don't write missing_files.txt"},
    {OPTION_STRIDE, S, "", "stride", KIND_NUMBER, "N", 1, 65536,
     "frames between rows: a multiple of the present stride"},
    {OPTION_LENGTH, S, "", "length", KIND_NUMBER, "N", 1, 65536, "every video to so many rows, as F.interpolate does"},
    {OPTION_LAG, K, "", "lag", KIND_NUMBER, "N", 1, 128, "frames to look for a shift in (32)"},
    {OPTION_PLOT, K, "", "plot", KIND_TEXT, "FILE.svg", 0, 0, "also a picture: cosine over lags"},
    {OPTION_JSON, G | V | S | K, "", "json", KIND_FLAG, NULL, 0, 0, "results as JSON on stdout, one object a line"},
    {OPTION_FILE_NAME, S, "files", "file-name", KIND_TEXT, "TEMPLATE", 0, 0,
     "of {stem}, {bare} (without v_), {split}, as v_{bare}"},
    {OPTION_FILE_TYPE, S, "files", "file-type", KIND_CHOICE, "npy|npz", 0, 0, "what features are written to (npy)"},
    {OPTION_FILE_KEY, S, "files", "file-key", KIND_TEXT, "NAME", 0, 0, "the array's name in a .npz (feats)"},
    {OPTION_FILE_DTYPE, S, "files", "file-dtype", KIND_CHOICE, "f32|f16", 0, 0, "type of the values in it (f32)"},
};

const option_row *cli_option_at(size_t i)
{
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

const option_row *cli_option_find(const char *name, size_t length, unsigned verb)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if ((rows[i].verbs & verb) && strlen(rows[i].name) == length && !memcmp(rows[i].name, name, length))
            return &rows[i];
    return NULL;
}

const char *cli_option_nearest(const char *name, unsigned verbs)
{
    const char *names[sizeof rows / sizeof *rows];
    size_t count = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].verbs & verbs)
            names[count++] = rows[i].name;
    return cli_nearest(name, names, count);
}
