// The reference backend: plain loops over rows, float32 values, sums in double. It defines the meaning of every
// operation; the other backends are tested against it.
#ifndef TUB_REFERENCE_H
#define TUB_REFERENCE_H

#include "backend.h"
#include "memory.h"

// Which operations run and where their values live, once without and once with the last hidden state.
typedef struct tub_reference_plan {
    bool *need;                 // [op_count]
    size_t *offsets;            // [value_count], bytes
    size_t bytes;               // one item's values
} tub_reference_plan;

struct tub_executable {
    tub_team *team;
    tub_arena arena;            // everything below
    tub_program program;        // a copy with its own constants, all float32
    tub_reference_plan plans[2];
    int max_items;
    char *workspace;            // max_items times one item's values
    double *scratch;            // one row for each member of the team
    size_t scratch_doubles;     // of a member
};

// One operation of one run.
typedef struct tub_reference_step {
    const tub_executable *executable;
    const tub_reference_plan *plan;
    const tub_batch *batch;
    const tub_op *op;
} tub_reference_step;

// Computes one row of the operation's value for one item.
void tub_reference_row(const tub_reference_step *step, int item, int row, double *scratch);

// The first element of a row of a value.
float *tub_reference_at(const tub_reference_step *step, tub_value value, int item, int row);

#endif
