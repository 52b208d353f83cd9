// The places of values in an executable's workspace.
//
// As tub_program_place(), but if the last reader of an operand can overwrite it, the result takes its place: the
// residual stream, rotated queries and keys, a norm of the same width. A range of rows is a view.
#ifndef TUB_PLACEMENT_H
#define TUB_PLACEMENT_H

#include "memory.h"
#include "program.h"

typedef struct tub_placement {
    bool *need;                 // [op_count]: computed
    size_t *offsets;            // [value_count], bytes within one item's block; SIZE_MAX: not computed
    size_t bytes;               // one item's block, a multiple of 64
} tub_placement;

// Arrays live in the arena. Errors: TUB_ERROR_MEMORY.
tub_status tub_placement_make(const tub_program *program, bool tokens, size_t narrow_bytes, tub_arena *arena,
                              tub_placement *out, tub_error *err);

#endif
