// What int8 or fp8 costs: the first item that is encoded is encoded once more in the type that AUTO means, and how far the
// rows are apart is logged.
#ifndef TUB_PRECISION_CHECK_H
#define TUB_PRECISION_CHECK_H

#include "backend.h"

typedef struct tub_precision_check tub_precision_check;

// What is checked, and where: on `backend`, which is borrowed, or, where it is NULL, on one of its own with `team`.
typedef struct tub_precision_check_params {
    const tub_backend_ops *ops;
    tub_backend *backend;
    tub_team *team;
    const tub_program *program;
    const tub_weight_store *weights;    // as tub_compile_params has it
    tub_dtype dtype;        // that is checked
    tub_log log;
} tub_precision_check_params;

// The program isn't needed after, unless the backend keeps it.
tub_status tub_precision_check_open(const tub_precision_check_params *params, tub_precision_check **out, tub_error *err);
// `batch` was run in that type, `dim` numbers a row. Ends the check, whatever comes of it. Accepts a pointer to NULL.
void tub_precision_check_run(tub_precision_check **check, const tub_batch *batch, int dim);
void tub_precision_check_close(tub_precision_check **check); // accepts a pointer to NULL

#endif
