// Encoders: a checkpoint ready to run on a device. Pixels in, rows of features out.
//
// An encoder takes items. For a clip model (VideoMAE, OneVision) an item is a clip of `frames` frames; for a frame
// model (DINO) it is one frame. A row depends on its item alone: not on its neighbours, the batch or the threads.
#ifndef TUBELET_ENCODER_H
#define TUBELET_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/status.h>
#include <tubelet/transform.h>

#ifdef __cplusplus
extern "C" {
#endif

// Thread-safety: one thread at a time per object.
typedef struct tub_encoder tub_encoder;

typedef enum tub_dtype {
    TUB_DTYPE_AUTO = 0,     // processor: bf16 where it has instructions for it, else f32; GPU: f16 from 7.0 on, else f32
    TUB_F32 = 1,
    TUB_BF16 = 2,
    TUB_F16 = 3,
    TUB_I64 = 4,            // in checkpoints only
    TUB_U8 = 5,             // in arrays only
    TUB_TF32 = 8,           // float32 whose products round their factors to TF32: GPUs from compute capability 8.0
    TUB_INT8 = 9,           // linear layers as products of 8-bit integers, all else as with AUTO: processors with AVX512_VNNI
                            // or AMX. A scale for each row of activations and each output channel of weights. Less exact
                            // than the others; how much is logged with the first rows
    TUB_FP8 = 10,           // linear layers as products of 8-bit floating-point numbers (e4m3) with sums in float32, all else as
                            // with BF16: GPUs of compute capability 9.0 (H100, H200). Scales and what it costs as with INT8
} tub_dtype;

// What one row is (default by family; see `feature` in the info).
typedef enum tub_pool {
    TUB_POOL_DEFAULT = 0,
    TUB_POOL_POOLER = 1,        // the checkpoint's own head
    TUB_POOL_CLS = 2,           // the class token of the last hidden state
    TUB_POOL_MEAN = 3,          // mean over all tokens of the last hidden state
    TUB_POOL_PATCH_MEAN = 4,    // mean over its patch tokens
    TUB_POOL_PROJECTION = 5,    // CLIP's image embedding: the pooler through visual_projection
} tub_pool;

// Where a clip's frames stand in time, for models that turn by it (OneVision-Encoder).
typedef enum tub_positions {
    TUB_POSITIONS_INDEX = 0,    // 0, 1, 2, ...: the original script's
    TUB_POSITIONS_SPREAD = 1,   // floor(linspace(0, 63, frames)): the model card's
    TUB_POSITIONS_VIDEO = 2,    // the frame's place in its video, 0 .. 63: the later scripts'
} tub_positions;
enum { TUB_POSITIONS_COUNT = 64 };

// What a GPU can do without, so that what each gives can be measured, or where a driver has trouble with it. Rows keep their
// bytes, but for cuDNN: our own attention adds up in another order.
typedef enum tub_gpu_without {
    TUB_GPU_WITHOUT_GRAPHS = 1,     // a batch's steps are launched one by one instead of as one CUDA graph
    TUB_GPU_WITHOUT_TUNING = 2,     // products by cuBLASLt's advice; nothing is measured or remembered, no file is read or written
    TUB_GPU_WITHOUT_OVERLAP = 4,    // frames are copied before a batch is computed, not while the one before it is
    TUB_GPU_WITHOUT_CUDNN = 8,      // attention by our own kernel
} tub_gpu_without;

// All zero (but `model`) = defaults. Strings are copied.
typedef struct tub_encoder_params {
    size_t size;                        // sizeof(tub_encoder_params)
    const char *model;                  // checkpoint: a folder, a file of weights, "org/name" in the Hugging Face cache; or
                                        // a custom model: .onnx, .xml (OpenVINO IR), its folder
    const char *backend;                // "auto" (NULL), "cuda", "native", "onednn", "reference"; custom models: "openvino"
    const char *device;                 // "auto" (NULL), "cpu", "cuda" (all GPUs), "cuda:0,2" (these)
    tub_dtype dtype;
    tub_pool pool;
    tub_transform_options transform;
    int clip_length;                    // frames a clip (0 = the checkpoint's own); frame models ignore it
    int threads;                        // compute threads (0 = the processors this process may use)
    int batch;                          // most items of one run (0 = chosen). On GPUs fewer take as long as all: where few
                                        // come at a time, say how many
    tub_log log;
    // Custom models (.onnx, .xml) only:
    const char *input_layout;           // "NCTHW", "NTCHW" or "NCHW" (NULL = recognised from the input's sizes)
    const char *output;                 // name of the output tensor (NULL = pooler_output and the like, else the first)
    // Checkpoints only:
    tub_positions positions;
    int heads;                          // attention heads, where the checkpoint doesn't tell (0 = the usual)
    int layer;                          // rows and tokens of the hidden state after this block, the first is 1, no
                                        // norm after it (0 = of the last hidden state)
    // Any model:
    bool l2_normalize;                  // rows of length 1; frame models: the means over the frames
    size_t device_memory;               // most bytes of each GPU's memory (0 = what is free)
    unsigned gpu_without;               // TUB_GPU_WITHOUT_... (0 = nothing is done without)
    // info.model_stamp and info.model_hash of an earlier time: where the stamp is still the same the weights aren't
    // read for the hash (NULL = not known)
    const char *known_stamp, *known_hash;
    // What the native backend packs of the weights is kept in $XDG_CACHE_HOME (or ~/.cache) /tubelet/weights and mapped the
    // next time. Rows keep their bytes. Whatever hinders it is logged, and no error
    bool cache_weights;
} tub_encoder_params;

typedef struct tub_encoder_info {
    const char *family;                 // "videomae", "dinov3", ... static
    const char *backend, *device;       // "native", "cpu", static
    const char *feature;                // the row in words, static
    char isa[24];                       // instruction set in use
    bool per_frame;                     // frame model: items are single frames
    int frames;                         // frames an item
    int clip_length;                    // frames a clip that the checkpoint wants, 0 = any
    int dim;                            // values a row
    int tokens, token_dim;              // shape of an item's last hidden state
    int height, width;                  // pixels that enter the model
    tub_dtype dtype;                    // resolved
    int batch;                          // most items of one run
    bool eager;                         // partial batches cost nothing: run whatever is ready
    bool pixels_are_float;              // type of the pixels that encode() takes, as of tub_video_pixels()
    size_t pixel_bytes;                 // bytes of one frame's pixels
    tub_transform transform;            // resolved
    char model_hash[40];                // XXH3-128 over the checkpoint's config and weights, hex
    char model_stamp[40];               // over its files' sizes, inodes and times, hex; "" where that is no use
    double flops;                       // of one item
    tub_positions positions;            // these four as asked for
    int heads, layer;
    bool l2_normalize;
    int lanes;                          // devices that compute side by side, each a batch of its own
    int gpus[16];                       // of GPUs: each lane's number as CUDA counts
} tub_encoder_info;

// Opens a checkpoint and compiles it for the device.
// Ownership: *out is the caller's, to be closed. Errors: TUB_ERROR_MODEL (naming file, tensor or key; also a clip
// length that the model can't take), TUB_ERROR_DEVICE (a backend, device or precision that is not there, naming the
// alternative), TUB_ERROR_ARGUMENT.
TUB_API tub_status tub_encoder_open(const tub_encoder_params *params, tub_encoder **out, tub_error *err);

TUB_API const tub_encoder_info *tub_encoder_get_info(const tub_encoder *encoder);

// Encodes `items` items (at most info.batch). `frames`: items * info.frames pointers to pixels of one frame each, in
// the type and size that the info tells. `rows`: float32 [items, dim] (of length 1 where l2_normalize is set, but a
// frame model's). `tokens`: float32 [items, tokens, token_dim] or NULL.
TUB_API tub_status tub_encoder_run(tub_encoder *encoder, const void *const *frames, int items, float *rows,
                                   float *tokens, tub_error *err);
// Likewise, with the frames' positions [items * info.frames], 0 .. TUB_POSITIONS_COUNT - 1: see tub_position_in_video().
// Only with TUB_POSITIONS_VIDEO; tub_encoder_run() takes each item for a video of its own there.
TUB_API tub_status tub_encoder_run_at(tub_encoder *encoder, const void *const *frames, const int *positions, int items,
                                      float *rows, float *tokens, tub_error *err);
// The place of frame number `frame` of a video of `frames` frames: frame / (frames - 1) * 63, rounded half to even.
TUB_API int tub_position_in_video(int64_t frame, int64_t frames);

// Memory that the frames of many runs will lie in, until unpin(): a GPU copies from there beside its work, and faster. Pinning
// takes time by itself. TUB_END: it makes no difference (the processor computes). Errors: TUB_ERROR_MEMORY, TUB_ERROR_DEVICE:
// it can't be had, and runs are as right without. Ownership: the caller's, who unpins it before freeing it.
TUB_API tub_status tub_encoder_pin(tub_encoder *encoder, void *memory, size_t bytes, tub_error *err);
TUB_API void tub_encoder_unpin(tub_encoder *encoder, void *memory); // what pin() took; accepts NULL

// While `interrupt` is true, runs answer TUB_ERROR_CANCELLED, and one that is under way ends as soon as it can (on the CPU
// after the operation at hand). Thread-safety: from any thread, not from a signal handler.
TUB_API void tub_encoder_interrupt(tub_encoder *encoder, bool interrupt);

// Accepts NULL and a pointer to NULL.
TUB_API void tub_encoder_close(tub_encoder **encoder);

// Frames in memory -> features, through the encoder's transform.
// `frames`: uint8 RGB [clips, frames_per_clip, height, width, 3]. Outputs, each NULL or float32:
//   feature  [clips, dim]                                  frame models: mean over the clip's frames
//   tokens   [clips, (frames_per_clip,) tokens, token_dim] the frames axis with frame models only
//   pixels   [clips, frames_per_clip, 3, info.height, info.width], what enters the patch embedding
// Errors: TUB_ERROR_MODEL where frames_per_clip isn't what a clip model takes.
TUB_API tub_status tub_encoder_embed(tub_encoder *encoder, const uint8_t *frames, int64_t clips, int frames_per_clip,
                                     int height, int width, float *feature, float *tokens, float *pixels,
                                     tub_error *err);

// The processor's limit for a type, measured now: operations a second (a multiply-add counts as two) of `threads` threads
// (0 = the processors this process may use) that do nothing but multiply what is in their registers, the best of several
// turns that take `seconds` together (0 = 0.1). What a forward pass reaches is to be seen against this, as machines and
// their load differ. Not to be called while an encoder runs. Thread-safety: safe.
// Errors: TUB_ERROR_ARGUMENT, TUB_ERROR_DEVICE where the processor doesn't compute in this type, TUB_ERROR_MEMORY.
TUB_API tub_status tub_roof_measure(tub_dtype dtype, int threads, double seconds, double *flops_per_second,
                                    tub_error *err);

// Settings for known machines with NVIDIA GPUs. The first three are the original script's; the others start from what
// such a card's memory and engines suggest and were not measured yet. A batch that doesn't fit is halved.
typedef struct tub_device_preset {
    const char *name;           // "8xa100-40"
    const char *what;           // in words
    int batch;                  // items of one run
    int decode_threads;         // of the process
    int prefetch;               // clips that may be ready beyond the batch
} tub_device_preset;
TUB_API const tub_device_preset *tub_device_preset_at(size_t i);            // NULL past the last
TUB_API const tub_device_preset *tub_device_preset_find(const char *name);  // NULL: there is none

// "f32", "tf32", "bf16", "f16", "int8", "fp8", "auto" and back.
TUB_API tub_status tub_dtype_parse(const char *name, tub_dtype *out, tub_error *err);
TUB_API const char *tub_dtype_name(tub_dtype dtype);
// "default", "pooler", "cls", "mean", "patch-mean", "projection" and back.
TUB_API tub_status tub_pool_parse(const char *name, tub_pool *out, tub_error *err);
TUB_API const char *tub_pool_name(tub_pool pool);
// "index", "spread", "video" and back.
TUB_API tub_status tub_positions_parse(const char *name, tub_positions *out, tub_error *err);
TUB_API const char *tub_positions_name(tub_positions positions);

#ifdef __cplusplus
}
#endif
#endif
