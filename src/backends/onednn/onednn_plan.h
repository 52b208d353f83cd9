// The oneDNN backend's executable: steps over a workspace.
//
// A step splits its work for one item into units whose shapes come from the program alone, so that a row's bytes depend
// on neither the batch nor the threads. Items are run in waves that share one workspace.
#ifndef TUB_ONEDNN_PLAN_H
#define TUB_ONEDNN_PLAN_H

#include <stdatomic.h>

#include "backend.h"
#include "dnnl_compat.h"
#include "kernels.h"
#include "memory.h"
#include "placement.h"

// A matrix product by (block of rows) x (panel of columns). Rows and columns that are left over have shapes of their
// own.
typedef struct tub_linear_step {
    int block_rows, blocks;
    int panel_cols, panels;
    tub_matmul *matmuls[2][2];  // [last block][last panel]; borrowed from the executable
    void **packed;              // [panels]
    tub_epilogue epilogue;      // residual filled in at run time
} tub_linear_step;

// Attention by (group of rows) x (head) x (span of query blocks). Keys and values are packed once a unit. Where the
// groups have few keys, by (run of groups), all heads, without packing.
typedef struct tub_attention_step {
    int dim, keys, heads, groups;   // keys: of a group
    int queries;                    // of a group
    int block_rows, blocks;         // of queries
    int span_blocks, spans;
    int run_groups;                 // with few keys: groups of a unit
    tub_matmul *scores[2], *mixes[2];   // [last block]
    tub_packer *pack_keys, *pack_values;
    size_t score_bytes, mixed_bytes, key_bytes;
    const void *query;          // constant queries, narrow; NULL: of the program's value
} tub_attention_step;

typedef struct tub_step tub_step;
typedef struct tub_run tub_run;

typedef tub_status (*tub_step_unit)(const tub_run *run, const tub_step *step, int item, int unit, int member,
                                    tub_error *err);

struct tub_step {
    tub_op op;                  // constants replaced by what is below; label NULL
    int units;                  // of an item; 0: nothing to do, the value is a view
    int unit_rows;              // of row-wise steps
    tub_step_unit unit;
    union {
        tub_linear_step linear;
        tub_attention_step attention;
        tub_norm_params norm;
        const int *index;       // of GATHER
        const float *table;     // of ADD_TABLE, PREPEND
        struct {
            const float *cosine, *sine;
        } angles;
        void *levels;           // of PATCHES: narrow [3][256]
    };
};

// Primitives are shared by all steps of the same shape.
typedef struct tub_shelf {
    tub_matmul *matmul;
    tub_packer *packer;
    int64_t row_stride, column_stride;  // of a packer
} tub_shelf;

struct tub_executable {
    tub_team *team;
    tub_dnnl *dnnl;
    const tub_kernels *kernels;
    bool bf16;
    tub_arena arena;
    tub_input input;
    tub_value feature, tokens;
    tub_value_info *values;
    tub_step *steps;
    int step_count;
    tub_placement plans[2];     // without and with the last hidden state
    tub_shelf *shelf;
    size_t shelf_count, shelf_capacity;
    int max_items, wave;        // items of a run, items at once
    char *workspace;
    char *scratch;              // [members] of:
    size_t member_bytes;        // scratch of one member: our tiles, then oneDNN's
    size_t tile_bytes, dnnl_bytes;
};

struct tub_run {
    tub_executable *executable;
    const tub_placement *plan;
    const void *const *frames;  // of the wave's first item
    const int *positions;       // likewise, where the program wants them
    atomic_int failed;          // a unit failed; `error` is of the first
    tub_error error;
};

struct tub_backend {
    tub_team *team;
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

static inline char *tub_scratch(const tub_executable *e, int member)
{
    return e->scratch + (size_t)member * e->member_bytes;
}

// onednn_compile.c: constants copied into the executable's arena. NULL: out of memory.
float *tub_own_floats(tub_executable *e, const tub_tensor *t);
tub_status tub_shelf_matmul(tub_executable *e, const tub_matmul_shape *shape, const tub_matmul *like, tub_matmul **out,
                            tub_error *err);
tub_status tub_shelf_packer(tub_executable *e, tub_matmul *matmul, int64_t row_stride, int64_t column_stride,
                            tub_packer **out, tub_error *err);
// Each makes the step of its kind; `step->op` and the executable's values are there.
tub_status tub_linear_make(tub_executable *e, tub_step *step, tub_error *err);      // linear_step.c
tub_status tub_attention_make(tub_executable *e, tub_step *step, tub_error *err);   // attention_step.c
tub_status tub_rows_make(tub_executable *e, tub_step *step, tub_error *err);        // row_steps.c: all others

tub_status tub_onednn_compile(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                              tub_executable **out, tub_error *err);
void tub_onednn_release(tub_executable **executable);

#endif
