// Extractors: run many videos through one encoder, decoding and encoding at the same time.
//
// You submit videos and receive their rows, in one loop and from one thread:
//
//   for (;;) {
//       while (more && (s = tub_extractor_submit(x, &job, &err)) == TUB_OK)
//           next(&job);                                  // TUB_AGAIN: enough jobs are waiting
//       if (!more) tub_extractor_finish(x);
//       tub_result r;
//       s = tub_extractor_receive(x, &r, &err);          // blocks; TUB_END: all is done
//       if (s != TUB_OK) break;
//       ... r.kind == TUB_RESULT_ROWS: append r.rows;  TUB_RESULT_DONE: publish or record the failure
//       tub_result_release(x, &r);
//   }
//
// Inside: decode workers -> frame slots -> one thread per device -> results. Everything is bounded, and the use of
// memory is fixed at open. The rows of one video arrive in order, videos in any order. Rows don't depend on the other
// videos, the number of threads or the batch.
#ifndef TUBELET_EXTRACTOR_H
#define TUBELET_EXTRACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/encoder.h>
#include <tubelet/sampling.h>
#include <tubelet/status.h>
#include <tubelet/trace.h>
#include <tubelet/video.h>

#ifdef __cplusplus
extern "C" {
#endif

// Thread-safety: submit, finish, receive and release from one thread at a time; cancel and progress from any.
typedef struct tub_extractor tub_extractor;

// What decodes videos.
typedef enum tub_decoder {
    TUB_DECODER_AUTO = 0,           // the processor
    TUB_DECODER_CPU = 1,
    TUB_DECODER_NVDEC = 2,          // the decoders of the encoder's GPUs, in turn; the processor for what they can't
                                    // decode (each reason is logged once). See tub_video_params.gpu
    TUB_DECODER_BOTH = 3,           // likewise, but a GPU gets only as many videos at once as keep it busy, 8; the
                                    // processor decodes all others
} tub_decoder;

// "auto", "cpu", "nvdec", "both" and back. Errors: TUB_ERROR_ARGUMENT for another name.
TUB_API tub_status tub_decoder_parse(const char *name, tub_decoder *out, tub_error *err);
TUB_API const char *tub_decoder_name(tub_decoder decoder);

// What turns decoded frames into a model's pixels: conversion to RGB, resize, normalization. Pixels don't depend on it.
typedef enum tub_resizer {
    TUB_RESIZER_AUTO = 0, // where the frame is: the GPU that decoded it, if the encoder computes there, else the CPU
    TUB_RESIZER_CPU = 1,  // the processor; frames that a GPU decoded are copied back
    TUB_RESIZER_GPU = 2,  // the encoder's GPUs, to which decoded frames are copied; TUB_ERROR_DEVICE if there are none
} tub_resizer;

// "auto", "cpu", "gpu" and back. Errors: TUB_ERROR_ARGUMENT for another name.
TUB_API tub_status tub_resizer_parse(const char *name, tub_resizer *out, tub_error *err);
TUB_API const char *tub_resizer_name(tub_resizer resizer);

// Optimizations of an extractor that can be switched off, to measure what each of them gains. Rows don't depend on
// them. The first three need TUB_ALIGN_VALID and native fps (TUB_ERROR_ARGUMENT otherwise).
typedef enum tub_without {
    TUB_WITHOUT_DECODE_ONCE = 1,    // each window decodes its frames again, from the key frame before them
    TUB_WITHOUT_CONVERT_ONCE = 2,   // each window converts its frames again
    TUB_WITHOUT_ENCODE_ONCE = 4,    // frame models: each window encodes its frames again
    TUB_WITHOUT_OVERLAP = 8,        // nothing is decoded while a batch is being encoded
    TUB_WITHOUT_MIXING = 16,        // videos are processed one after another, and a batch ends with its video
    TUB_WITHOUT_LEAVING_OUT = 32,   // frames that no window contains and no other frame refers to are decoded, too
} tub_without;

// All zero = defaults.
typedef struct tub_extractor_params {
    size_t size;                // sizeof(tub_extractor_params)
    tub_sampling sampling;      // resolved or not
    int decode_threads;         // decoding threads of the whole process (0 = chosen)
    int prefetch;               // clips that may be ready beyond the batch being filled (0 = one batch)
    int video_stream;           // as `stream` in tub_video_params
    size_t slot_memory;         // most bytes of decoded pixels (0 = 1/8 of the machine's memory, at most 512 MiB per
                                // device)
    tub_trace *trace;           // each of the extractor's threads gets a lane (NULL = none); borrowed, must outlive the
                                // extractor
    tub_log log;
    unsigned without;           // TUB_WITHOUT_... (0 = all optimizations are on)
    tub_decoder decoder;
    tub_resizer resizer;
    int64_t videos;             // how many jobs will come (0 = unknown). When fewer are left than there are decoding
                                // threads, the processor decodes each with several: see tub_video_params.threads
} tub_extractor_params;

typedef struct tub_job {
    const char *path;           // copied
    void *tag;                  // returned with the results
} tub_job;

typedef enum tub_result_kind { TUB_RESULT_ROWS = 0, TUB_RESULT_DONE = 1 } tub_result_kind;

typedef struct tub_result {
    tub_result_kind kind;
    void *tag;
    // ROWS: float32 [count, dim], rows first_row .. first_row + count - 1; valid until released
    const float *rows;
    int64_t first_row, count;
    int dim;
    // DONE: exactly one per job, after its rows
    tub_status status;          // TUB_OK, or why the video failed (drop its rows then)
    char text[TUB_ERROR_TEXT];  // the error; with TUB_OK and info.partial, the damage
    tub_video_info info;
    int64_t frames, total_rows; // frames after resampling, T
    double fps;                 // frame rate of the rows' grid (tub_grid), 0 = unknown
    bool is_short;              // fewer frames than one clip spans
    double init_seconds, decode_seconds, convert_seconds, forward_seconds, wall_seconds;
} tub_result;

// `encoder` is borrowed and must outlive the extractor; nothing else may run it meanwhile. Ownership: the caller closes
// *out. Errors: TUB_ERROR_ARGUMENT, TUB_ERROR_MODEL (a clip length that isn't the encoder's), TUB_ERROR_DEVICE,
// TUB_ERROR_MEMORY (the windows of one video don't fit into the slot memory).
TUB_API tub_status tub_extractor_open(tub_encoder *encoder, const tub_extractor_params *params, tub_extractor **out,
                                      tub_error *err);

// TUB_AGAIN: enough jobs are waiting. Errors: TUB_ERROR_CANCELLED after cancel, TUB_ERROR_ARGUMENT after finish.
TUB_API tub_status tub_extractor_submit(tub_extractor *x, const tub_job *job, tub_error *err);

// Says that no further jobs will come.
TUB_API void tub_extractor_finish(tub_extractor *x);

// Waits for the next result. TUB_END: finish() was called and everything is delivered. TUB_AGAIN: nothing is in
// progress and more may be submitted. TUB_ERROR_CANCELLED: after cancel. Other errors (the device failed) end the
// extractor.
TUB_API tub_status tub_extractor_receive(tub_extractor *x, tub_result *out, tub_error *err);
// Ownership: the caller releases a received result when its rows are no longer needed, whether the extractor is still
// open or not (then `x` may be NULL). Releasing it twice is no error. close() releases the results that weren't
// received.
TUB_API void tub_result_release(tub_extractor *x, tub_result *result);

// Stops as soon as the batch in flight allows. Thread-safety: from any thread; not from a signal handler.
TUB_API void tub_extractor_cancel(tub_extractor *x);

// A snapshot for progress displays. Seconds are summed over threads.
typedef struct tub_progress {
    int64_t frames_decoded, rows_done;
    int64_t frames_left_out;            // those of frames_decoded that were skipped, as no window contains them (of
                                        // finished videos)
    double decode_seconds, convert_seconds, forward_seconds;
    double decode_wait_seconds;         // workers waited for slots: the device is the bottleneck
    double device_wait_seconds;         // the device waited for clips: decoding is the bottleneck
    int decode_threads, slots, slots_free;
    int decode_active;                  // decode threads that may work at once now; the encoder has the rest
    // Why the device waited, by what the workers did meanwhile. The five add up to device_wait_seconds.
    double idle_open_seconds, idle_decode_seconds, idle_convert_seconds;
    double idle_input_seconds;          // no worker had a video: none was submitted, or the last ones are ending
    double idle_start_seconds;          // before the first batch
    double output_wait_seconds;         // the device waited for the caller to receive: writing is the bottleneck
    double open_seconds;                // opening videos; not part of decode and convert
    // Processor time of the decode workers (opening counts as decode) and of the encoder's threads (unknown with
    // OpenVINO). Threads that decoders start themselves, to decode one video with several, aren't included.
    double decode_cpu_seconds, convert_cpu_seconds, forward_cpu_seconds;
    int64_t batches, items;             // run by the encoder so far
    int batch;                          // most items of a batch
    int jobs_waiting, ready, ready_most, results_waiting;   // queue depths: jobs, items before the device, results
    int64_t videos_by_gpu;              // videos that GPUs decode or have decoded, without those left to the processor
} tub_progress;
TUB_API void tub_extractor_progress(tub_extractor *x, tub_progress *out);

// Cancels what is in progress. No other thread may be in a call with the extractor. Accepts NULL and a pointer to NULL.
TUB_API void tub_extractor_close(tub_extractor **x);

// Decodes one video and delivers its clips of pixels one by one: the extractor's decoding half, without a model.
// `transform` must fix the size (EXACT, or a crop). `deliver` gets clip_length pointers, each to one frame's pixels,
// valid during the call. It returns false to stop. *out_rows: how many clips were delivered. Errors: as
// tub_video_open().
typedef bool (*tub_deliver_clip)(void *user, const void *const *frames, int64_t row);
TUB_API tub_status tub_windows_read(const char *path, const tub_sampling *sampling, const tub_transform *transform,
                                    int video_stream, tub_deliver_clip deliver, void *user, int64_t *out_rows,
                                    tub_error *err);

#ifdef __cplusplus
}
#endif
#endif
