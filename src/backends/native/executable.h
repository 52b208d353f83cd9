// What a program is compiled into on the processor: steps over a workspace.
//
// A step splits its work for one item into units; a unit's results depend on neither the batch nor the threads. Items
// run in waves that share one workspace. Row-wise steps, and attention over few keys, are common to all engines.
// Products and other attention are made by an engine: our own kernels (native) or oneDNN's.
#ifndef TUB_EXECUTABLE_H
#define TUB_EXECUTABLE_H

#include "backend.h"
#include "kernels.h"
#include "memory.h"
#include "placement.h"
#include "product.h"

typedef struct tub_step tub_step;
typedef struct tub_run tub_run;

typedef tub_status (*tub_step_unit)(const tub_run *run, const tub_step *step, int item, int unit, int member,
                                    tub_error *err);

struct tub_step {
    tub_op op;                  // its constants are replaced by what is below; label NULL
    int units;                  // per item; 0: nothing to do, the value is a view
    int units_whole;            // fewest units, for steps whose units repeat some work of others; 0: as `units`. Used
                                // if the wave's items alone keep the threads busy: see tub_step_units()
    int unit_rows;              // rows of a unit in row-wise steps
    tub_step_unit unit;
    union {
        void *made;             // made by the engine, in the executable's arena
        tub_norm_params norm;
        const int *index;       // GATHER
        const float *table;     // ADD_TABLE, PREPEND
        struct {
            const float *cosine, *sine;
        } angles;
        void *levels;           // PATCHES: narrow [3][256]
    };
};

// How products and attention are computed. make_*: `step->op` and the executable's values exist; sets units, unit and
// made.
typedef struct tub_engine {
    tub_status (*open)(tub_executable *e, tub_error *err);      // NULL: nothing to open
    tub_status (*make_linear)(tub_executable *e, tub_step *step, tub_error *err);
    tub_status (*make_attention)(tub_executable *e, tub_step *step, tub_error *err);
    tub_status (*made)(tub_executable *e, tub_error *err);      // called after all steps; NULL: nothing left to do
    void (*close)(tub_executable *e);                           // NULL: nothing to close
    // Called before and after everything that a thread does for a run or for compiling. leave() gets enter()'s result.
    int (*enter)(void);
    void (*leave)(int before);
} tub_engine;

struct tub_executable {
    tub_team *team;
    const tub_engine *engine;
    void *engine_state;
    const tub_kernels *kernels;
    tub_dtype dtype;            // of everything that isn't int8
    bool int8;                  // linear layers as products of integers, in engines that support it
    const tub_weight_store *weights;    // while compiling; NULL: none
    tub_arena arena;
    const tub_program *program; // while compiling
    tub_input input;
    tub_value feature, tokens;
    tub_value_info *values;
    tub_step *steps;
    int step_count;
    tub_placement plans[2];     // without and with the last hidden state
    int max_items, wave;        // most items of a run, items at once
    char *workspace;
    char *scratch;              // member_bytes for each member
    size_t member_bytes;        // scratch of a member: the steps' own, then the engine's
    size_t tile_bytes, engine_bytes;
};

struct tub_run {
    tub_executable *executable;
    const tub_placement *plan;
    const void *const *frames;  // of the wave's first item
    const int *positions;       // likewise, if the program wants them
    int items;                  // of the wave
};

struct tub_backend {
    tub_team *team;
    const tub_engine *engine;
};

static inline size_t tub_element_bytes(const tub_executable *e, tub_value v)
{
    return e->values[v].width == TUB_WIDE ? sizeof(float) : e->kernels->narrow_bytes;
}

// A row of a value of one of the wave's items.
static inline void *tub_row(const tub_run *run, tub_value v, int item, int row)
{
    const tub_executable *e = run->executable;
    return e->workspace + (size_t)item * run->plan->bytes + run->plan->offsets[v] +
           (size_t)row * (size_t)e->values[v].cols * tub_element_bytes(e, v);
}

// Units of an item in this wave.
static inline int tub_step_units(const tub_run *run, const tub_step *step)
{
    const bool whole = step->units_whole && run->items * step->units_whole >= 2 * tub_team_size(run->executable->team);
    return whole ? step->units_whole : step->units;
}

static inline char *tub_scratch(const tub_executable *e, int member)
{
    return e->scratch + (size_t)member * e->member_bytes;
}

// Makes sure that a step can have this much scratch. tub_scratch_engine(): the part behind the steps' own.
void tub_need_scratch(tub_executable *e, size_t bytes);
// Copy constants into the executable's arena. NULL: out of memory.
float *tub_own_floats(tub_executable *e, const tub_tensor *t);
void *tub_own_narrow(tub_executable *e, const tub_tensor *t);
tub_status tub_rows_make(tub_executable *e, tub_step *step, tub_error *err);    // row_steps.c
tub_status tub_patches_make(tub_executable *e, tub_step *step, tub_error *err); // patch_step.c
// Attention over few keys, without packing; a unit is a run of groups with all heads. TUB_END: there are too many keys.
tub_status tub_attention_few_make(tub_executable *e, tub_step *step, tub_error *err);   // few_step.c

// Where a group's queries, keys and values begin. `query`: constant queries, or NULL.
typedef struct tub_operands {
    const char *q, *k, *v;
    char *out;
    size_t q_stride, k_stride, v_stride, out_stride;    // bytes
} tub_operands;
tub_operands tub_operands_of(const tub_run *run, const tub_step *step, const void *query, int item, int group);

// The functions of the backend's table, for backends that have an engine.
tub_status tub_processor_open(tub_team *team, const tub_engine *engine, tub_backend **out, tub_error *err);
tub_status tub_processor_compile(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                                 tub_executable **out, tub_error *err);
tub_status tub_processor_run(tub_executable *executable, const tub_batch *batch, tub_error *err);
void tub_processor_release(tub_executable **executable);
void tub_processor_close(tub_backend **backend);
tub_status tub_processor_supports(const char *backend, tub_dtype dtype, tub_error *err);
tub_dtype tub_processor_best_dtype(void);
int tub_processor_items_at_once(const tub_program *program, int threads, int max_items);
const char *tub_processor_isa(void);

#endif
