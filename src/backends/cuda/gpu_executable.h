// A program on a GPU: constants uploaded once, a list of steps over one block of memory, run in waves.
//
// A run's items are computed in waves of always `wave` items. A wave that isn't full computes on old contents, and
// those results are ignored. So every kernel sees one shape, the steps of a wave are recorded as one graph the first
// time and replayed afterwards, and a row's bytes depend only on its item. The wave is chosen when compiling, from the
// rows that keep the card busy and the free memory. If memory runs out, then or in a run, the wave is halved, the steps
// are made again for the new shape, and the same work is repeated; later runs keep the smaller wave (gpu_fits.h).
// Products give the same bits for any wave (gpu_algorithms.h); the kernels do so by construction.
//
// A run is split into parts of as many waves as the frames' memory has space for. Every frame of a part is uploaded
// once, however many clips contain it, wave by wave on the copy stream, while earlier waves compute. Two runs overlap
// (gpu_overlap.c): the next run's frames are copied while this one is computed.
//
// The log is told once about each fallback: a graph that can't be recorded (its steps are launched one by one), a shape
// of attention that cuDNN doesn't support (our own kernel computes it).
//
// In float16 a row may overflow. Rows that come out non-finite are computed again, item by item, by a second executable
// in bfloat16 (float32 on cards before 8.0). It is compiled when the first such row appears, which is why the program
// must stay. If there is no memory for it, fewer items are computed at once, too.
#ifndef TUB_GPU_EXECUTABLE_H
#define TUB_GPU_EXECUTABLE_H

#include <stdatomic.h>

#include "backend.h"
#include "gpu.h"
#include "memory.h"

struct tub_backend {
    const tub_gpu_ops *ops;
    tub_gpu *gpu;
    tub_gpu_facts info;
    unsigned without;               // TUB_GPU_WITHOUT_..., asked for or found out
    int number;                     // of the GPU
    size_t limit;                   // bytes; 0: none
    _Atomic size_t used;
    size_t free_at_open;            // bytes of the GPU's memory
    tub_log log;
    uint64_t group;                 // as in tub_open_params
    struct tub_gpu_choices *choices;    // of algorithms
    bool said_joined;               // logged that a trial can't be launched
    struct tub_gpu_frames *frames;      // frames on the device (gpu_frames.h), or NULL
    void (*unload)(void *library);  // called after closing; NULL: nothing to unload
    void *library;
};

// Device memory that counts towards the limit. Thread-safety: from any thread, each with its own block.
typedef struct tub_gpu_block {
    void *data;
    size_t bytes;
} tub_gpu_block;

// Errors: TUB_ERROR_MEMORY, also if the limit is exceeded. `what` is for the message.
tub_status tub_gpu_reserve(tub_backend *b, size_t bytes, const char *what, tub_gpu_block *out, tub_error *err);
void tub_gpu_give_back(tub_backend *b, tub_gpu_block *block);   // accepts an empty one

typedef enum tub_gpu_step_kind {
    TUB_GPU_STEP_TASK,
    TUB_GPU_STEP_PRODUCT,
    TUB_GPU_STEP_ATTENTION
} tub_gpu_step_kind;

typedef struct tub_gpu_step {
    tub_gpu_step_kind kind;
    const char *label;              // from the program, for messages
    union {
        tub_gpu_task task;
        struct {
            tub_gpu_gemm gemm;
            tub_gpu_algorithm algorithm;
        } product;
        struct {
            tub_gpu_attention shape;
            tub_gpu_plan *plan;     // borrowed from the shape's shelf
        } attention;
    };
} tub_gpu_step;

// An operation's constants on the device.
typedef struct tub_gpu_constants {
    void *weight;                   // narrow; NORM: float32; ROTATE: cosine; GATHER: indices; PATCHES: levels
    void *bias;                     // LINEAR: in the result's type (e4m3: BF16); NORM: float32; ROTATE: sine
    float *scales;                  // LINEAR: of an e4m3 weight's rows; NULL: the weight isn't e4m3
} tub_gpu_constants;

// The steps of a run without (0) or with (1) the last hidden state.
typedef struct tub_gpu_list {
    bool *need;                     // [op_count]
    size_t *offsets;                // [value_count], bytes of one item
    size_t item_bytes;
    tub_gpu_step *steps;
    size_t count, capacity;
    tub_value quantised;            // while steps are made: the value whose rows e->quantised has
    tub_gpu_graph *graph;           // NULL: not recorded yet, or not possible
    bool ran;                       // once step by step, when libraries load what they need
} tub_gpu_list;

// A frame of this part that is on the device.
typedef struct tub_gpu_seen {
    const void *host;
    size_t place;                   // in `frames`
} tub_gpu_seen;

typedef struct tub_gpu_plan_place {
    tub_gpu_attention shape;        // pointers NULL
    tub_gpu_plan *plan;
} tub_gpu_plan_place;

// Memory for a run's frames and rows. Each of two overlapping runs has its own.
typedef struct tub_gpu_room {
    tub_gpu_block frames;           // [part_waves * wave * frames] of frame_bytes
    // pinned host memory
    const void **table;             // [part_waves][wave * frames]
    int *positions;                 // likewise
    float *rows;                    // [part_waves][wave * dim]
} tub_gpu_room;

// A run that was begun.
typedef struct tub_gpu_flight {
    tub_batch batch;
    enum { TUB_GPU_WAITS, TUB_GPU_FLIES, TUB_GPU_LANDED } state;    // not started; in progress; rows are there
    tub_status status;              // of an attempt that failed, with this many items at once
    int wave;
} tub_gpu_flight;

struct tub_executable {
    tub_backend *backend;
    const tub_program *program;     // the model's
    tub_dtype dtype;
    tub_gpu_type narrow;
    tub_gpu_type made;              // of made frames that runs may get; in a rescue this isn't its own type
    bool with_tokens, shares;
    int max_items;
    tub_arena arena;                // lists, constants' table
    tub_gpu_constants *constants;   // [op_count]
    tub_gpu_block *blocks;          // memory of the constants
    size_t block_count, block_capacity;
    tub_gpu_list lists[2];
    // depends on the wave's size
    int wave;                       // items at once
    int part_waves;                 // waves of a part
    tub_gpu_block workspace;        // values, products' scratch, tables; the next pointers point into it
    char *values, *scratch;
    uint8_t *quantised;             // factors of one e4m3 product,
    float *row_scales;              // and their rows' scales
    const void **frame_table;       // device [wave * frames]
    int *positions;                 // device [wave * frames]
    size_t frame_bytes;             // of a frame from the host
    tub_gpu_plan_place *plans;      // one per shape of attention
    size_t plan_count, plan_capacity;
    size_t plan_bytes;              // scratch of the largest plan, which is here:
    tub_gpu_block plan_scratch;
    tub_gpu_room rooms[TUB_RUNS_BEGUN]; // the second is made when it is first needed
    bool no_second_room;            // there is no memory for it
    float *host_tokens;             // pinned [wave * tokens], made when first asked for
    tub_gpu_seen *seen;      // [seen_places] the part's frames by address
    size_t seen_places;             // a power of two
    // runs that overlap
    tub_gpu_flight flights[TUB_RUNS_BEGUN];
    int first_flight, flight_count;
    int spoiled_recordings;
    // the rescue of float16
    tub_executable *rescue;
    int64_t rescued;                // rows
    bool said_rescue, said_eager, said_attention, said_fp8;
};

// ---- gpu_constants.c ----

// Uploads the constants of the needed operations. Errors: TUB_ERROR_MEMORY, TUB_ERROR_DEVICE.
tub_status tub_gpu_constants_make(tub_executable *e, tub_error *err);
// Uploads `host` into new memory, which the executable owns.
tub_status tub_gpu_upload(tub_executable *e, const void *host, size_t bytes, void **out, tub_error *err);
// `scale`: one factor for every `group` consecutive values, or NULL. *out is NULL if there is no tensor.
tub_status tub_gpu_upload_tensor(tub_executable *e, const tub_tensor *t, tub_gpu_type type, const float *scale,
                                 size_t group, void **out, tub_error *err);

// ---- gpu_linear.c ----

// A linear layer's product with `rows` rows, without operands. `fp8`: with e4m3 factors.
tub_gpu_gemm tub_gpu_linear_gemm(const tub_executable *e, const tub_op *op, bool fp8, int rows);
tub_status tub_gpu_linear_constants(tub_executable *e, const tub_op *op, tub_gpu_constants *c, tub_error *err);
// As tub_backend_ops.weight_bytes.
size_t tub_gpu_weight_bytes(const tub_program *program, const tub_op *op, tub_dtype dtype);
// The largest size of any e4m3 layer's factors for one item: bytes, and rows.
void tub_gpu_quantised_size(const tub_executable *e, size_t *bytes, size_t *rows);

// ---- gpu_steps.c ----

// Decide where values live and what is launched, for e->wave items. `workspace` and what follows it must exist.
tub_status tub_gpu_list_place(tub_executable *e, bool tokens, tub_error *err);
tub_status tub_gpu_list_steps(tub_executable *e, bool tokens, tub_error *err);

// ---- gpu_shape.c ----

// Makes everything that depends on the wave's size. Halves the wave until it fits, and keeps that for later runs.
// Errors: TUB_ERROR_MEMORY if not even one item fits.
tub_status tub_gpu_shape_make(tub_executable *e, int wave, tub_error *err);
void tub_gpu_shape_forget(tub_executable *e);
bool tub_gpu_shape_is_made(const tub_executable *e); // false: memory was short even for fewer items
// Makes the second room. False: there is no memory.
bool tub_gpu_shape_second_room(tub_executable *e);
int tub_gpu_shape_usual(const tub_executable *e);   // the wave that keeps a card busy
// The largest wave up to `most` whose known needs fit into the device's free memory; at least 1.
int tub_gpu_shape_affordable(const tub_executable *e, int most);
static inline size_t tub_gpu_wave_frames(const tub_executable *e)
{
    return (size_t)e->wave * (size_t)e->program->input.frames;
}

// ---- gpu_run.c: what gpu_overlap.c needs of it ----

// Queues a whole run of a batch that fits: its inputs go to the device, and its rows to the room, followed by an event.
// After an error, nothing of it is in progress.
bool tub_gpu_run_fits(const tub_executable *e, const tub_batch *batch);
tub_status tub_gpu_run_queue(tub_executable *e, tub_gpu_room *room, const tub_batch *batch, tub_error *err);
// After the event: copies rows from the room to the batch.
void tub_gpu_run_fetch(tub_executable *e, tub_gpu_room *room, const tub_batch *batch);
// Computes rows that overflowed in float16 once more.
tub_status tub_gpu_run_rescue(tub_executable *e, const tub_batch *batch, tub_error *err);
// tub_gpu_run() for a batch whose first attempt ended with `before`. If it was out of memory, half as many items are
// computed at once.
tub_status tub_gpu_run_after(tub_executable *e, const tub_batch *batch, tub_status before, tub_error *err);

// ---- gpu_overlap.c ----

// Waits for all runs in progress; after that nothing of `e` is in use.
void tub_gpu_land(tub_executable *e);

// ---- gpu_run.c, gpu_overlap.c, gpu_compile.c: functions of the backend's table ----

tub_status tub_gpu_begin(tub_executable *e, const tub_batch *batch, tub_error *err);
tub_status tub_gpu_end(tub_executable *e, tub_error *err);
tub_status tub_gpu_run(tub_executable *e, const tub_batch *batch, tub_error *err);
tub_status tub_gpu_compile(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                           tub_executable **out, tub_error *err);
// Compiles e->rescue: the same program, item by item, in `dtype`.
tub_status tub_gpu_compile_rescue(tub_executable *e, tub_dtype dtype, tub_error *err);
void tub_gpu_release(tub_executable **executable);

// A backend on a device of `ops`. Ownership: `unload` is called with `library` when the backend is closed.
tub_status tub_gpu_backend_open(const tub_gpu_ops *ops, const tub_open_params *params, tub_backend **out,
                                tub_error *err);
void tub_gpu_backend_close(tub_backend **backend);
tub_status tub_gpu_pin(tub_backend *backend, void *memory, size_t bytes, tub_error *err);
void tub_gpu_unpin(tub_backend *backend, void *memory);

#endif
