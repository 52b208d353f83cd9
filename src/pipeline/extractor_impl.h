// The extractor from inside: its threads and objects, who talks to whom, who owns what.
//
//    caller ──submit──► jobs ──► decode workers ──put, end──► batcher ──take──► device threads ─► results ──► caller
//                                     │  ▲                                           │
//                                     └take── slot pool ◄──────────release───────────┘
//
// The caller's thread submits jobs and receives results; it never blocks in submit.
//
// A decode worker (decode_worker.c) takes a job, opens its source and walks over its frames (frame_walk.h). Wanted
// frames go into slots, complete windows (frame models: single frames) go to the batcher as entries, and the end of
// the video as the last one. Waiting for a slot is the back-pressure: when the device is slow, slots run out.
//
// Where GPUs make frames (gpu_slots.h), all frames of a video are made on one of them: on the GPU that decodes the
// video, if one does.
//
// There is one device thread per device (device_thread.c). It takes loads of entries from the batcher, encodes them,
// gives the slots back and puts the rows down for delivery. Where runs overlap, it begins the next load while one is
// being computed, if the next one is full by then. One thread at a time delivers (delivery.h), in the order of the
// line: it appends each row to its video's chunk of rows, and sends the chunk when it is full or the video ends, in
// which case DONE follows. The embeddings of frame models first go through frame_rows.h, which turns them into window
// means. A device that fails while others work gives its loads back to the batcher and stops; the failure of the last
// device is the extractor's.
//
// A reel is a job in progress. submit() makes it and puts it into the list of reels. The worker that decodes it owns it
// until batcher_end(); from then on the delivery owns it, and frees it when DONE is sent. The members that are the
// delivery's from the start are marked below. Reels that were cut short (cancel, a failed device) stay in the list for
// close(). A chunk of rows belongs to the reel, then to the result; tub_result_release() frees it.
//
// Nothing is unbounded: jobs, entries, slots and results have fixed numbers, and a reel has one chunk. There are no
// deadlocks:
//
//   - The caller waits only for results, and the delivering thread only for the caller.
//   - A device thread waits for entries when there is no load to seal (batcher.h says when there is), or, if as many
//     loads are out as allowed, for one of them to be delivered: it holds no slots by then.
//   - A worker waits for room in the line, which is then full and thus sealed, or for a slot, in which case the pool is
//     starved and the load is sealed. If there is no entry either, all slots are held by incomplete windows, and there
//     are enough slots for every open video to complete one (resource_plan.h).
//
// Stopping: `stopping` is set, then pool, batcher and queues are stopped, which wakes everyone. Cancel also stops the
// results; a failed device finishes them, so that what was sent before is still delivered, followed by its error.
//
// How many workers work at once adapts to what the device waits for: core_share.h.
//
// Lock order: slot pool -> batcher; delivery -> batcher; the locks of the list, the share, the queues and the log are
// leaves. None is held while a source, the encoder or the caller's functions are called, with one exception: the log's
// lock is held during the caller's log function, which gets one line at a time.
#ifndef TUB_EXTRACTOR_IMPL_H
#define TUB_EXTRACTOR_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "batcher.h"
#include "core_share.h"
#include "frame_rows.h"
#include "gpu_slots.h"
#include "log_turns.h"
#include "nvdec_hold.h"
#include "queue.h"
#include "resource_plan.h"
#include "slot_pool.h"
#include "source.h"

struct tub_reel {
    tub_reel *before, *after;       // in the list of reels
    char *path;
    void *tag;
    // the worker's until the end entry
    tub_status status;
    tub_error error;
    tub_video_info info;
    int64_t frames;                 // after resampling
    int64_t total;                  // likewise, counted in advance if frames need their place in the video; else 0
    double started, init_seconds, decode_seconds, convert_seconds;
    tub_frame_rows *frame_rows;     // frame models: made by the worker, used by the delivery
    // the delivery's
    float *chunk;                   // rows not sent yet, or NULL
    int chunk_rows;
    int64_t rows;                   // made so far, including those in the chunk
    double forward_seconds;
    tub_status trouble;             // why its rows can't be delivered
    tub_error trouble_error;
};

// Seconds are kept as nanoseconds.
typedef struct tub_counters {
    _Atomic int64_t frames, rows, open, decode, convert, forward, decode_wait, device_wait, output_wait;
    _Atomic int64_t decode_cpu, convert_cpu, forward_cpu, batches, items, left_out, by_gpu;
    // Of device_wait (idle.h)
    _Atomic int64_t idle_start, idle_input, idle_open, idle_decode, idle_convert;
} tub_counters;

enum { TUB_REASONS = 8 };          // reasons that are logged; more would only be noise

struct tub_extractor {
    tub_encoder *encoder;           // borrowed
    const tub_encoder_info *info;
    const tub_source_ops *source;
    tub_sampling sampling;
    tub_log log;                    // called from any thread
    tub_log_turns turns;            // the log's own
    tub_trace *trace;               // borrowed, or NULL
    int video_stream;
    unsigned without;
    tub_decoder decoder;
    tub_resizer resizer;
    atomic_int videos_on_gpus;      // TUB_DECODER_BOTH: videos that GPUs are decoding
    atomic_uint videos_opened[2];   // whose turn it is among the lanes: for the processor's videos, and for the GPUs'
    tub_resource_plan plan;
    int chunk_rows;                 // most rows of one result
    tub_counters counters;
    double encoder_cpu;             // processor time of the encoder's threads before this extractor

    tub_queue *jobs;                // of tub_reel *
    tub_queue *results;             // of tub_result
    tub_slot_pool *pool;
    bool pinned;                    // the encoder has pinned the pool's memory
    tub_gpu_slots *gpu_slots;       // NULL: frames are made only on the host
    tub_nvdec_hold *decoders;       // keeps decoding GPUs open between videos; or NULL
    tub_batcher *batcher;
    tub_core_share *share;

    pthread_t *workers;
    int started_workers;
    struct tub_delivery *delivery;
    int devices;                    // the encoder's
    int runs_ahead;                 // runs that a device may have at once: 1, or more if they overlap
    pthread_t *device_threads;
    struct tub_device_start *device_starts;
    int started_devices;
    atomic_int devices_running;     // device threads; the last one finishes the results
    atomic_int devices_working;     // devices that haven't failed
    atomic_bool stopping, cancelled;
    int64_t videos;                 // jobs that will come, 0: unknown
    _Atomic int64_t videos_read;    // those of them that workers are done with

    pthread_mutex_t lock;           // protects the seven below
    tub_reel *reels;
    tub_error failure;              // of the device
    bool failed;
    char not_on_gpu[TUB_REASONS][160]; // the reasons logged so far why videos weren't decoded on a GPU
    int reasons;
    int encoding;                   // devices that are encoding; TUB_WITHOUT_OVERLAP: workers wait meanwhile
    pthread_cond_t encoded;

    // the caller's thread
    int64_t submitted, delivered;
    bool finished;
};

typedef struct tub_device_start {
    tub_extractor *x;
    int number;
} tub_device_start;

// Thread mains; the argument is the extractor, or a tub_device_start.
void *tub_decode_worker(void *extractor);
void *tub_device_thread(void *start);

// Makes a reel and puts it into the list, where it stays until it is released. NULL: out of memory.
tub_reel *tub_reel_create(tub_extractor *x, const tub_job *job);
void tub_reel_release(tub_extractor *x, tub_reel *reel);

// The device failed: everything stops, and receive() returns `error` after what was sent before.
void tub_extractor_fail(tub_extractor *x, const tub_error *error);

// One of several devices failed; the others go on.
void tub_extractor_lost(tub_extractor *x, int device, const tub_error *error);

// Logs, once per reason, that a video wasn't decoded on a GPU as asked for.
void tub_extractor_decodes_itself(tub_extractor *x, const char *path, const char *why);

// Logs that more or fewer workers work at once now. `waited`: the part of its time that the device waited.
void tub_extractor_shares_anew(tub_extractor *x, double waited);

// TUB_WITHOUT_OVERLAP: encoding() says that the device thread begins or ends a batch; stand() makes a worker wait until
// none is being encoded. Nobody waits for a worker in stand(): the device thread has all that it needs.
void tub_extractor_encoding(tub_extractor *x, bool encoding);
void tub_extractor_stand(tub_extractor *x);

void tub_count_seconds(_Atomic int64_t *counter, double seconds);
double tub_counted_seconds(_Atomic int64_t *counter);
// Seconds of processor time of the encoder's own threads since it was opened.
double tub_extractor_encoder_cpu(const tub_extractor *x);

#endif
