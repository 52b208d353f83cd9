// A program on a GPU: constants uploaded once, a list of steps over one block of memory, run in waves.
//
// A run's items are computed `wave` at a time, always that many: a wave that isn't full computes on what was there
// before and nobody looks at it. So every kernel sees one shape, the steps of a wave are recorded as one graph the first
// time and replayed after, and a row's bytes depend on its item alone. The wave is chosen at compiling, from the rows
// that keep the card busy and the memory that is free. Where memory runs out, then or in a run, it is halved, the steps
// are made again for the new shape, and the same work is done again; it stays so, also in later runs (gpu_fits.h). Products give the same bits for any
// wave (gpu_algorithms.h), the kernels do by construction.
//
// A run goes in parts of as many waves as the frames' memory holds. Of a part every frame is uploaded once, however many
// clips hold it, wave by wave on the copy stream, while the waves before compute. Two runs overlap (gpu_overlap.c): the next
// one's frames travel while this one is computed.
//
// What is given up is said once, to the log: a graph that can't be recorded (its steps are launched one by one), a shape
// of attention that cuDNN can't serve (our own kernel does it).
//
// In float16 a row may overflow. Rows that come out non-finite are computed again, item by item, by a second executable
// in bfloat16 (float32 on cards before 8.0), which is compiled when the first such row appears; that is why the program
// must stay. Where it has no room, fewer items are computed at once, too.
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
    uint64_t group;                 // as tub_open_params
    struct tub_gpu_choices *choices;    // algorithms
    bool said_joined;               // what can't be launched on trial
    struct tub_gpu_frames *frames;      // that are held on the device (gpu_frames.h), or NULL
    void (*unload)(void *library);  // after closing; NULL: nothing to unload
    void *library;
};

// Device memory that counts towards the limit. Thread-safety: from any thread, each with its own block.
typedef struct tub_gpu_block {
    void *data;
    size_t bytes;
} tub_gpu_block;

// Errors: TUB_ERROR_MEMORY, also for the limit. `what` is for the message.
tub_status tub_gpu_reserve(tub_backend *b, size_t bytes, const char *what, tub_gpu_block *out, tub_error *err);
void tub_gpu_give_back(tub_backend *b, tub_gpu_block *block);   // accepts an empty one

typedef enum tub_gpu_step_kind {
    TUB_GPU_STEP_TASK,
    TUB_GPU_STEP_PRODUCT,
    TUB_GPU_STEP_ATTENTION
} tub_gpu_step_kind;

typedef struct tub_gpu_step {
    tub_gpu_step_kind kind;
    const char *label;              // of the program, for messages
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

// What one operation computes with, on the device.
typedef struct tub_gpu_constants {
    void *weight;                   // narrow; NORM: float32; ROTATE: cosine; GATHER: indices; PATCHES: levels
    void *bias;                     // LINEAR: in the type of the result (of e4m3: BF16); NORM: float32; ROTATE: sine
    float *scales;                  // LINEAR: of an e4m3 weight's rows; NULL: it isn't
} tub_gpu_constants;

// The steps of a run without (0) or with (1) the last hidden state.
typedef struct tub_gpu_list {
    bool *need;                     // [op_count]
    size_t *offsets;                // [value_count], bytes of one item
    size_t item_bytes;
    tub_gpu_step *steps;
    size_t count, capacity;
    tub_value quantised;            // in the making: whose rows e->quantised holds
    tub_gpu_graph *graph;           // NULL: not recorded yet, or not possible
    bool ran;                       // once step by step, as libraries load what they need then
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

// What a run's frames and rows go through. Of two runs that overlap each has its own.
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
    enum { TUB_GPU_WAITS, TUB_GPU_FLIES, TUB_GPU_LANDED } state;    // nothing is done yet; under way; rows are there
    tub_status status;              // of an attempt that failed, of so many items at once
    int wave;
} tub_gpu_flight;

struct tub_executable {
    tub_backend *backend;
    const tub_program *program;     // the model's
    tub_dtype dtype;
    tub_gpu_type narrow;
    tub_gpu_type made;              // of the frames that runs may be given made: of a rescue not its own
    bool with_tokens, shares;
    int max_items;
    tub_arena arena;                // lists, constants' table
    tub_gpu_constants *constants;   // [op_count]
    tub_gpu_block *blocks;          // that the constants live in
    size_t block_count, block_capacity;
    tub_gpu_list lists[2];
    // of the wave's size
    int wave;                       // items at once
    int part_waves;                 // waves of a part
    tub_gpu_block workspace;        // values, products' scratch, tables: where these point
    char *values, *scratch;
    uint8_t *quantised;             // factors of one e4m3 product, and
    float *row_scales;              // their rows' scales
    const void **frame_table;       // device [wave * frames]
    int *positions;                 // device [wave * frames]
    size_t frame_bytes;             // of one from the host
    tub_gpu_plan_place *plans;      // one a shape of attention
    size_t plan_count, plan_capacity;
    size_t plan_bytes;              // scratch of the largest, which is:
    tub_gpu_block plan_scratch;
    tub_gpu_room rooms[TUB_RUNS_BEGUN]; // the second one is made when it is first wanted
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

// Uploads what the needed operations compute with. Errors: TUB_ERROR_MEMORY, TUB_ERROR_DEVICE.
tub_status tub_gpu_constants_make(tub_executable *e, tub_error *err);
// `host` into memory of its own, which is kept with the executable.
tub_status tub_gpu_upload(tub_executable *e, const void *host, size_t bytes, void **out, tub_error *err);
// `scale`: one factor for each `group` values in turn, or NULL. *out NULL where there is no tensor.
tub_status tub_gpu_upload_tensor(tub_executable *e, const tub_tensor *t, tub_gpu_type type, const float *scale,
                                 size_t group, void **out, tub_error *err);

// ---- gpu_linear.c ----

// A linear layer's product of `rows` rows, without its operands; `fp8`: of e4m3 factors.
tub_gpu_gemm tub_gpu_linear_gemm(const tub_executable *e, const tub_op *op, bool fp8, int rows);
tub_status tub_gpu_linear_constants(tub_executable *e, const tub_op *op, tub_gpu_constants *c, tub_error *err);
// As tub_backend_ops.weight_bytes.
size_t tub_gpu_weight_bytes(const tub_program *program, const tub_op *op, tub_dtype dtype);
// Of all e4m3 layers' factors, for one item: the most columns of all rows, and the most rows.
void tub_gpu_quantised_size(const tub_executable *e, size_t *bytes, size_t *rows);

// ---- gpu_steps.c ----

// Where values live and what is launched, for e->wave items. `workspace` and what follows it must be there.
tub_status tub_gpu_list_place(tub_executable *e, bool tokens, tub_error *err);
tub_status tub_gpu_list_steps(tub_executable *e, bool tokens, tub_error *err);

// ---- gpu_shape.c ----

// Everything that depends on the wave's size; halves it until it fits, and keeps that for later runs. Errors: TUB_ERROR_MEMORY when not even one item
// does.
tub_status tub_gpu_shape_make(tub_executable *e, int wave, tub_error *err);
void tub_gpu_shape_forget(tub_executable *e);
bool tub_gpu_shape_is_made(const tub_executable *e); // false: memory was short for fewer items, too
// The second room. False: it can't be had.
bool tub_gpu_shape_second_room(tub_executable *e);
int tub_gpu_shape_usual(const tub_executable *e);   // the wave that keeps a card busy
// The largest wave up to `most` for whose known needs the device has free memory; at least 1.
int tub_gpu_shape_affordable(const tub_executable *e, int most);
static inline size_t tub_gpu_wave_frames(const tub_executable *e)
{
    return (size_t)e->wave * (size_t)e->program->input.frames;
}

// ---- gpu_run.c: what gpu_overlap.c needs of it ----

// A whole run at once, of a batch that fits: what it is given goes to the device, and its rows to the room, by an event behind
// all of it. After an error nothing of it is under way.
bool tub_gpu_run_fits(const tub_executable *e, const tub_batch *batch);
tub_status tub_gpu_run_queue(tub_executable *e, tub_gpu_room *room, const tub_batch *batch, tub_error *err);
// Rows of the room that the event has brought, to the batch.
void tub_gpu_run_fetch(tub_executable *e, tub_gpu_room *room, const tub_batch *batch);
// Rows that float16 couldn't hold once more.
tub_status tub_gpu_run_rescue(tub_executable *e, const tub_batch *batch, tub_error *err);
// tub_gpu_run() of a batch whose first attempt has ended so: out of memory, half as many items at once are computed.
tub_status tub_gpu_run_after(tub_executable *e, const tub_batch *batch, tub_status before, tub_error *err);

// ---- gpu_overlap.c ----

// Waits for all runs that are under way: nothing of e is in use then.
void tub_gpu_land(tub_executable *e);

// ---- gpu_run.c, gpu_overlap.c, gpu_compile.c: what a backend's table holds ----

tub_status tub_gpu_begin(tub_executable *e, const tub_batch *batch, tub_error *err);
tub_status tub_gpu_end(tub_executable *e, tub_error *err);
tub_status tub_gpu_run(tub_executable *e, const tub_batch *batch, tub_error *err);
tub_status tub_gpu_compile(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                           tub_executable **out, tub_error *err);
// e->rescue: the same program, item by item, in `dtype`.
tub_status tub_gpu_compile_rescue(tub_executable *e, tub_dtype dtype, tub_error *err);
void tub_gpu_release(tub_executable **executable);

// A backend on a device of `ops`. Ownership: `unload` is called with `library` when the backend is closed.
tub_status tub_gpu_backend_open(const tub_gpu_ops *ops, const tub_open_params *params, tub_backend **out,
                                tub_error *err);
void tub_gpu_backend_close(tub_backend **backend);
tub_status tub_gpu_pin(tub_backend *backend, void *memory, size_t bytes, tub_error *err);
void tub_gpu_unpin(tub_backend *backend, void *memory);

#endif
