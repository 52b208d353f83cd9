// Extractors: many videos through one encoder, decoding and encoding at the same time.
//
// You submit videos and receive their rows, in one loop and from one thread:
//
//   for (;;) {
//       while (more && (s = tub_extractor_submit(x, &job, &err)) == TUB_OK)
//           next(&job);                                  // TUB_AGAIN: it has enough to do
//       if (!more) tub_extractor_finish(x);
//       tub_result r;
//       s = tub_extractor_receive(x, &r, &err);          // blocks; TUB_END: all is done
//       if (s != TUB_OK) break;
//       ... r.kind == TUB_RESULT_ROWS: append r.rows;  TUB_RESULT_DONE: publish or record the failure
//       tub_result_release(x, &r);
//   }
//
// Inside: decode workers -> frame slots -> a device thread a device -> results. Everything is bounded; memory is fixed at
// open. The rows of one video arrive in order, videos in any order. Rows don't depend on the other videos, on the
// number of threads or on the batch.
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
    TUB_DECODER_NVDEC = 2,          // the decoders of the encoder's GPUs, in turn; the processor where they can't (said once a
                                    // reason). See tub_video_params.gpu
    TUB_DECODER_BOTH = 3,           // likewise, of as many videos at once as keep these busy, 8 a GPU; of all others the
                                    // processor
} tub_decoder;

// "auto", "cpu", "nvdec", "both" and back.
TUB_API tub_status tub_decoder_parse(const char *name, tub_decoder *out, tub_error *err);
TUB_API const char *tub_decoder_name(tub_decoder decoder);

// What makes a model's pixels of decoded frames: conversion to RGB, resize, normalisation. Pixels don't depend on it.
typedef enum tub_resizer {
    TUB_RESIZER_AUTO = 0, // what has the frame: the GPU that decoded it, if the encoder computes there, else the processor
    TUB_RESIZER_CPU = 1,  // the processor; frames are brought back from a GPU that decoded them
    TUB_RESIZER_GPU = 2,  // the encoder's GPUs, to which decoded frames are brought; TUB_ERROR_DEVICE where there are none
} tub_resizer;

// "auto", "cpu", "gpu" and back.
TUB_API tub_status tub_resizer_parse(const char *name, tub_resizer *out, tub_error *err);
TUB_API const char *tub_resizer_name(tub_resizer resizer);

// Savings that an extractor can do without, so that what each gives can be measured. Rows don't depend on them.
// The first three need TUB_ALIGN_VALID and native fps (TUB_ERROR_ARGUMENT otherwise).
typedef enum tub_without {
    TUB_WITHOUT_DECODE_ONCE = 1,    // each window decodes its frames anew, from the key frame before them
    TUB_WITHOUT_CONVERT_ONCE = 2,   // each window converts its frames anew
    TUB_WITHOUT_ENCODE_ONCE = 4,    // frame models: each window encodes its frames anew
    TUB_WITHOUT_OVERLAP = 8,        // nothing is decoded while a batch is being encoded
    TUB_WITHOUT_MIXING = 16,        // one video after another, and a batch ends with its video
    TUB_WITHOUT_LEAVING_OUT = 32,   // frames are decoded that no window holds and no other frame refers to
} tub_without;

// All zero = defaults.
typedef struct tub_extractor_params {
    size_t size;                // sizeof(tub_extractor_params)
    tub_sampling sampling;      // resolved or not
    int decode_threads;         // decoding threads of the whole process (0 = chosen)
    int prefetch;               // clips that may be ready beyond the batch being filled (0 = a batch)
    int video_stream;           // as in tub_video_params
    size_t slot_memory;         // most bytes of decoded pixels (0 = 1/8 of the machine's memory, at most 512 MiB a device)
    tub_trace *trace;           // its threads get a lane each (NULL = none); borrowed, must outlive the extractor
    tub_log log;
    unsigned without;           // TUB_WITHOUT_... (0 = all savings are made)
    tub_decoder decoder;
    tub_resizer resizer;
    int64_t videos;             // how many jobs will come (0 = not known). Where fewer are left than decoding threads, the
                                // processor decodes each with several: see tub_video_params.threads
} tub_extractor_params;

typedef struct tub_job {
    const char *path;           // copied
    void *tag;                  // comes back with the results
} tub_job;

typedef enum tub_result_kind { TUB_RESULT_ROWS = 0, TUB_RESULT_DONE = 1 } tub_result_kind;

typedef struct tub_result {
    tub_result_kind kind;
    void *tag;
    // ROWS: float32 [count, dim], rows first_row .. first_row + count - 1; valid until released
    const float *rows;
    int64_t first_row, count;
    int dim;
    // DONE: exactly one a job, after its rows
    tub_status status;          // TUB_OK, or why the video failed (its rows so far are to be dropped)
    char text[TUB_ERROR_TEXT];  // of a failure; of TUB_OK with info.partial, the damage
    tub_video_info info;
    int64_t frames, total_rows; // frames after resampling, T
    double fps;                 // frames a second that the rows' grid stands on, 0 = unknown
    bool is_short;              // fewer frames than one clip spans
    double init_seconds, decode_seconds, convert_seconds, forward_seconds, wall_seconds;
} tub_result;

// `encoder` is borrowed and must outlive the extractor; nobody else may run it meanwhile.
TUB_API tub_status tub_extractor_open(tub_encoder *encoder, const tub_extractor_params *params, tub_extractor **out,
                                      tub_error *err);

// TUB_AGAIN when enough jobs are waiting. Errors: TUB_ERROR_CANCELLED after cancel, TUB_ERROR_ARGUMENT after finish.
TUB_API tub_status tub_extractor_submit(tub_extractor *x, const tub_job *job, tub_error *err);

// No further jobs will come.
TUB_API void tub_extractor_finish(tub_extractor *x);

// The next result, blocking. TUB_END when finished and all is delivered; TUB_AGAIN when nothing is under way and
// more may be submitted; TUB_ERROR_CANCELLED after cancel; other errors (the device failed) end the extractor.
TUB_API tub_status tub_extractor_receive(tub_extractor *x, tub_result *out, tub_error *err);
// Ownership: a result that was received is the caller's, to be released once its rows aren't needed, whether the extractor
// is still open or not (`x` may be NULL then). Releasing it twice is no error. close() releases what was not received.
TUB_API void tub_result_release(tub_extractor *x, tub_result *result);

// Stops as soon as the batch in flight allows. Thread-safety: from any thread; not from a signal handler.
TUB_API void tub_extractor_cancel(tub_extractor *x);

// A snapshot for progress displays. Seconds are summed over threads.
typedef struct tub_progress {
    int64_t frames_decoded, rows_done;
    int64_t frames_left_out;            // of the frames decoded: not in fact, as no window holds them; of finished videos
    double decode_seconds, convert_seconds, forward_seconds;
    double decode_wait_seconds;         // workers waiting for slots: the device is the bottleneck
    double device_wait_seconds;         // the device waiting for clips: decoding is
    int decode_threads, slots, slots_free;
    int decode_active;                  // of the decode threads, how many may work at once now: the rest is the encoder's
    // Why the device waited; the five add up to device_wait_seconds. Shared out by what the workers did meanwhile.
    double idle_open_seconds, idle_decode_seconds, idle_convert_seconds;
    double idle_input_seconds;          // no worker had a video: none was submitted, or the last ones are running out
    double idle_start_seconds;          // before the first batch
    double output_wait_seconds;         // the device waiting for the caller to receive: writing is the bottleneck
    double open_seconds;                // opening videos, beside decode and convert
    // Processor time: of the decode workers, where opening counts as decode, and of the encoder's threads (of OpenVINO's
    // not known). Not in it: threads that decoders start themselves, for a video that is decoded with several.
    double decode_cpu_seconds, convert_cpu_seconds, forward_cpu_seconds;
    int64_t batches, items;             // run by the encoder so far
    int batch;                          // most items of one
    int jobs_waiting, ready, ready_most, results_waiting;   // depths: jobs, items before the device, results
    int64_t videos_by_gpu;              // that GPUs decode or have decoded; not those that they leave to the processor
} tub_progress;
TUB_API void tub_extractor_progress(tub_extractor *x, tub_progress *out);

// Cancels what is under way; no other thread may be in a call with it. Accepts NULL and a pointer to NULL.
TUB_API void tub_extractor_close(tub_extractor **x);

// Decodes one video into clips of pixels, delivered one by one: what the decoding half does, without a model.
// `transform` must fix the size (EXACT, or a crop). `deliver` gets clip_length pointers to one frame's pixels each,
// valid during the call; it returns false to stop. *out_rows: how many were delivered.
typedef bool (*tub_deliver_clip)(void *user, const void *const *frames, int64_t row);
TUB_API tub_status tub_windows_read(const char *path, const tub_sampling *sampling, const tub_transform *transform,
                                    int video_stream, tub_deliver_clip deliver, void *user, int64_t *out_rows,
                                    tub_error *err);

#ifdef __cplusplus
}
#endif
#endif
