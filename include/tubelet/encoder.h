// Encoders: a checkpoint ready to run on a device. It takes pixels and returns rows of features.
//
// An encoder takes items. For a clip model (VideoMAE, OneVision) an item is a clip of `frames` frames; for a frame
// model (DINO) it is one frame. A row depends only on its item: not on its neighbors, the batch or the threads.
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
    TUB_DTYPE_AUTO = 0,     // processor: bf16 if it has instructions for it, else f32; GPU: f16 from compute capability
                            // 7.0 on, else f32
    TUB_F32 = 1,
    TUB_BF16 = 2,
    TUB_F16 = 3,
    TUB_I64 = 4,            // in checkpoints only
    TUB_U8 = 5,             // in arrays only
    TUB_TF32 = 8,           // float32, but products round their factors to TF32: GPUs from compute capability 8.0 on
    TUB_INT8 = 9,           // linear layers multiply 8-bit integers, with a scale for each row of activations and each
                            // output channel of weights; all else as with AUTO. Processors with AVX512_VNNI or AMX.
                            // Less exact than the others; how much less is logged with the first rows
    TUB_FP8 = 10,           // linear layers multiply 8-bit floating-point numbers (e4m3) and add up in float32; all
                            // else as with BF16. GPUs of compute capability 9.0 (H100, H200). Scales, loss as with INT8
} tub_dtype;

// What a row is made of. The default depends on the family; see `feature` in the info.
typedef enum tub_pool {
    TUB_POOL_DEFAULT = 0,
    TUB_POOL_POOLER = 1,        // the checkpoint's own head
    TUB_POOL_CLS = 2,           // the class token of the last hidden state
    TUB_POOL_MEAN = 3,          // mean over all tokens of the last hidden state
    TUB_POOL_PATCH_MEAN = 4,    // mean over the patch tokens of the last hidden state
    TUB_POOL_PROJECTION = 5,    // CLIP's image embedding: the pooler's output through visual_projection
} tub_pool;

// The temporal positions of a clip's frames, for models with rotary embeddings over time (OneVision-Encoder).
typedef enum tub_positions {
    TUB_POSITIONS_INDEX = 0,    // 0, 1, 2, ..., as in the original script
    TUB_POSITIONS_SPREAD = 1,   // floor(linspace(0, 63, frames)), as in the model card
    TUB_POSITIONS_VIDEO = 2,    // the frame's place in its video, 0 .. 63, as in the later scripts
} tub_positions;
enum { TUB_POSITIONS_COUNT = 64 };

// Optimizations on GPUs that can be switched off, to measure what each of them gains or where a driver has trouble with
// one. Rows keep their bytes, except without cuDNN: our own attention adds up in another order.
typedef enum tub_gpu_without {
    TUB_GPU_WITHOUT_GRAPHS = 1,     // launch a batch's steps one by one instead of as one CUDA graph
    TUB_GPU_WITHOUT_TUNING = 2,     // take cuBLASLt's advice for products: measure and remember nothing, and neither
                                    // read nor write a file
    TUB_GPU_WITHOUT_OVERLAP = 4,    // copy frames before their batch is computed, not during the batch before it
    TUB_GPU_WITHOUT_CUDNN = 8,      // compute attention with our own kernel
} tub_gpu_without;

// All zero (but `model`) = defaults. Strings are copied.
typedef struct tub_encoder_params {
    size_t size;                        // sizeof(tub_encoder_params)
    const char *model;                  // a checkpoint: a folder, a file of weights, "org/name" in the Hugging Face
                                        // cache; or a custom model: .onnx, .xml (OpenVINO IR), or its folder
    const char *backend;                // "auto" (NULL), "cuda", "native", "onednn", "reference"; custom models: "openvino"
    const char *device;                 // "auto" (NULL), "cpu", "cuda" (all GPUs), "cuda:0,2" (these)
    tub_dtype dtype;
    tub_pool pool;
    tub_transform_options transform;
    int clip_length;                    // frames per clip (0 = the checkpoint's own); frame models ignore it
    int threads;                        // compute threads, 1..1024 (0 = the processors this process may use)
    int batch;                          // most items per run, 1..4096 (0 = chosen). On GPUs a partial batch takes as
                                        // long as a full one: if only few items come at a time, say how many
    tub_log log;
    // Custom models (.onnx, .xml) only:
    const char *input_layout;           // "NCTHW", "NTCHW" or "NCHW" (NULL = recognized from the input's sizes)
    const char *output;                 // name of the output tensor (NULL = pooler_output or similar, else the first)
    // Checkpoints only:
    tub_positions positions;
    int heads;                          // attention heads, if the checkpoint doesn't say (0 = the usual number)
    int layer;                          // take rows and tokens from the hidden state after this block (the first is 1),
                                        // without a norm (0 = from the last hidden state)
    // Any model:
    bool l2_normalize;                  // scale rows to length 1; frame models: the means over a clip's frames
    size_t device_memory;               // most bytes of each GPU's memory (0 = what is free)
    unsigned gpu_without;               // TUB_GPU_WITHOUT_... (0 = all optimizations are on)
    // info.model_stamp and info.model_hash from an earlier opening. If the stamp still matches, the weights aren't read
    // again to compute the hash (NULL = not known).
    const char *known_stamp, *known_hash;
    // Keep the native backend's packed weights in tubelet/weights under $XDG_CACHE_HOME (or ~/.cache), and map them
    // next time. Rows keep their bytes. If this fails, it is logged and no error.
    bool cache_weights;
} tub_encoder_params;

typedef struct tub_encoder_info {
    const char *family;                 // "videomae", "dinov3", ... static
    const char *backend, *device;       // "native", "cpu", static
    const char *feature;                // what a row is, in words; static
    char isa[24];                       // instruction set in use
    bool per_frame;                     // frame model: items are single frames
    int frames;                         // frames per item
    int clip_length;                    // frames per clip that the checkpoint wants, 0 = any
    int dim;                            // values per row
    int tokens, token_dim;              // shape of an item's last hidden state
    int height, width;                  // size of the model's input, pixels
    tub_dtype dtype;                    // resolved
    int batch;                          // most items per run
    bool eager;                         // partial batches cost nothing extra: run whatever is ready
    bool pixels_are_float;              // type of the pixels that run() takes, as in tub_video_pixels()
    size_t pixel_bytes;                 // bytes of one frame's pixels
    tub_transform transform;            // resolved
    char model_hash[40];                // XXH3-128 of the checkpoint's config and weights, hex
    char model_stamp[40];               // hash of its files' sizes, inodes and times, hex; "" where it would be useless
    double flops;                       // per item
    tub_positions positions;            // these four as in the params
    int heads, layer;
    bool l2_normalize;
    int lanes;                          // devices that compute side by side, each a batch of its own
    int gpus[16];                       // each lane's GPU, as CUDA numbers it
} tub_encoder_info;

// Opens a checkpoint and compiles it for the device.
// Ownership: the caller closes *out. Errors: TUB_ERROR_MODEL (naming the file, tensor or key; also a clip length that
// the model can't take), TUB_ERROR_DEVICE (a backend, device or precision that isn't available, naming the
// alternative), TUB_ERROR_ARGUMENT.
TUB_API tub_status tub_encoder_open(const tub_encoder_params *params, tub_encoder **out, tub_error *err);

// Borrowed from the encoder.
TUB_API const tub_encoder_info *tub_encoder_get_info(const tub_encoder *encoder);

// Encodes `items` items (at most info.batch). `frames`: items * info.frames pointers to the pixels of one frame each,
// in the info's type and size. `rows`: float32 [items, dim], scaled to length 1 if l2_normalize is set, except with
// frame models. `tokens`: float32 [items, tokens, token_dim] or NULL.
TUB_API tub_status tub_encoder_run(tub_encoder *encoder, const void *const *frames, int items, float *rows,
                                   float *tokens, tub_error *err);
// The same with the frames' positions [items * info.frames], 0 .. TUB_POSITIONS_COUNT - 1: see tub_position_in_video().
// Only with TUB_POSITIONS_VIDEO, with which tub_encoder_run() treats each item as a video of its own.
TUB_API tub_status tub_encoder_run_at(tub_encoder *encoder, const void *const *frames, const int *positions, int items,
                                      float *rows, float *tokens, tub_error *err);
// The position of frame `frame` in a video of `frames` frames: frame / (frames - 1) * 63, rounded half to even.
TUB_API int tub_position_in_video(int64_t frame, int64_t frames);

// Pins memory that will hold the frames of many runs, until unpin(): a GPU copies from pinned memory faster, and while
// it computes. Pinning itself takes time. TUB_END: pinning would make no difference (the processor computes). Errors:
// TUB_ERROR_MEMORY, TUB_ERROR_DEVICE: the memory can't be pinned; runs are just as correct without. Ownership: the
// memory stays the caller's, who unpins it before freeing it.
TUB_API tub_status tub_encoder_pin(tub_encoder *encoder, void *memory, size_t bytes, tub_error *err);
TUB_API void tub_encoder_unpin(tub_encoder *encoder, void *memory); // `memory` as given to pin(); accepts NULL

// While `interrupt` is true, runs return TUB_ERROR_CANCELLED, and a run in progress ends as soon as it can (on the CPU
// after the current operation). Thread-safety: from any thread, not from a signal handler.
TUB_API void tub_encoder_interrupt(tub_encoder *encoder, bool interrupt);

// Accepts NULL and a pointer to NULL.
TUB_API void tub_encoder_close(tub_encoder **encoder);

// Encodes frames in memory, through the encoder's transform.
// `frames`: uint8 RGB [clips, frames_per_clip, height, width, 3]. Outputs, each NULL or float32:
//   feature  [clips, dim]                                  frame models: mean over the clip's frames
//   tokens   [clips, (frames_per_clip,) tokens, token_dim] the frames axis with frame models only
//   pixels   [clips, frames_per_clip, 3, info.height, info.width], the input of the patch embedding
// Errors: TUB_ERROR_MODEL where frames_per_clip isn't what a clip model takes.
TUB_API tub_status tub_encoder_embed(tub_encoder *encoder, const uint8_t *frames, int64_t clips, int frames_per_clip,
                                     int height, int width, float *feature, float *tokens, float *pixels,
                                     tub_error *err);

// Measures the processor's peak for a type, in operations per second (a multiply-add counts as two). `threads` threads
// (0 = the processors this process may use) do nothing but multiply what is in their registers; the best of several
// rounds counts, which take `seconds` together (0 = 0.1). Compare a forward pass with this, since machines and their
// load differ. Don't call it while an encoder runs. Thread-safety: safe.
// Errors: TUB_ERROR_ARGUMENT, TUB_ERROR_DEVICE (the processor doesn't compute in this type), TUB_ERROR_MEMORY.
TUB_API tub_status tub_roof_measure(tub_dtype dtype, int threads, double seconds, double *flops_per_second,
                                    tub_error *err);

// Settings for known machines with NVIDIA GPUs. The first three are the original script's. The others are starting
// points that follow from the cards' memory and engines; they haven't been measured yet. A batch that doesn't fit is
// halved.
typedef struct tub_device_preset {
    const char *name;           // "8xa100-40"
    const char *what;           // in words
    int batch;                  // items per run
    int decode_threads;         // of the whole process
    int prefetch;               // clips that may be ready beyond the batch being filled
} tub_device_preset;
TUB_API const tub_device_preset *tub_device_preset_at(size_t i);            // NULL past the last
TUB_API const tub_device_preset *tub_device_preset_find(const char *name);  // NULL: there is none

// Names to values and back. Errors: TUB_ERROR_ARGUMENT for another name. Thread-safety: safe.

// "f32", "tf32", "bf16", "f16", "int8", "fp8", "auto".
TUB_API tub_status tub_dtype_parse(const char *name, tub_dtype *out, tub_error *err);
TUB_API const char *tub_dtype_name(tub_dtype dtype);
// "default", "pooler", "cls", "mean", "patch-mean", "projection".
TUB_API tub_status tub_pool_parse(const char *name, tub_pool *out, tub_error *err);
TUB_API const char *tub_pool_name(tub_pool pool);
// "index", "spread", "video".
TUB_API tub_status tub_positions_parse(const char *name, tub_positions *out, tub_error *err);
TUB_API const char *tub_positions_name(tub_positions positions);

#ifdef __cplusplus
}
#endif
#endif
