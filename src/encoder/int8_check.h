// What int8 costs: the first item that is encoded is encoded once more in the type that AUTO means, and how far the
// rows are apart is logged.
#ifndef TUB_INT8_CHECK_H
#define TUB_INT8_CHECK_H

#include "backend.h"

typedef struct tub_int8_check tub_int8_check;

// The program isn't needed after. `team` is borrowed; so is what `log` points at.
tub_status tub_int8_check_open(const tub_backend_ops *ops, tub_team *team, const tub_program *program,
                               const tub_weight_store *weights, const tub_log *log, tub_int8_check **out, tub_error *err);
// `batch` was run in int8, `dim` numbers a row. Ends the check, whatever comes of it. Accepts a pointer to NULL.
void tub_int8_check_run(tub_int8_check **check, const tub_batch *batch, int dim);
void tub_int8_check_close(tub_int8_check **check); // accepts a pointer to NULL

#endif
