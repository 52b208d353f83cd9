// What int8 or fp8 costs in accuracy: the first item is encoded once more in the type that AUTO means, and the distance
// of the two rows is logged.
#ifndef TUB_PRECISION_CHECK_H
#define TUB_PRECISION_CHECK_H

#include "backend.h"

typedef struct tub_precision_check tub_precision_check;

// What is checked, and where: on `backend`, which is borrowed, or if it is NULL, on a backend of its own with `team`.
typedef struct tub_precision_check_params {
    const tub_backend_ops *ops;
    tub_backend *backend;
    tub_team *team;
    const tub_program *program;
    const tub_weight_store *weights;    // as in tub_compile_params
    tub_dtype dtype;        // the type to check
    tub_log log;
} tub_precision_check_params;

// The program isn't needed afterwards, unless the backend keeps it.
tub_status tub_precision_check_open(const tub_precision_check_params *params, tub_precision_check **out, tub_error *err);
// `batch` was run in that type, with `dim` values per row. Ends the check, whatever the result. Accepts a pointer to
// NULL.
void tub_precision_check_run(tub_precision_check **check, const tub_batch *batch, int dim);
void tub_precision_check_close(tub_precision_check **check); // accepts a pointer to NULL

#endif
