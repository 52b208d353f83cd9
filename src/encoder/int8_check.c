#include "int8_check.h"

#include <math.h>

#include "fail.h"
#include "memory.h"

struct tub_int8_check {
    const tub_backend_ops *ops;
    tub_log log;
    tub_dtype dtype;
    tub_backend *backend;
    tub_executable *executable;
};

tub_status tub_int8_check_open(const tub_backend_ops *ops, tub_team *team, const tub_program *program,
                               const tub_weight_store *weights, const tub_log *log, tub_int8_check **out,
                               tub_error *err)
{
    tub_int8_check *c = *out = tub_calloc(1, sizeof *c);
    if (!c)
        return tub_fail_memory(err, "a check of int8");
    *c = (tub_int8_check){.ops = ops, .log = *log, .dtype = ops->best_dtype()};
    const tub_open_params opened = {.team = team, .log = *log};
    const tub_compile_params compiled = {.dtype = c->dtype, .max_items = 1, .weights = weights};
    tub_status status = ops->open(&opened, &c->backend, err);
    if (status == TUB_OK)
        status = ops->compile(c->backend, program, &compiled, &c->executable, err);
    if (status != TUB_OK)
        tub_int8_check_close(out);
    return status;
}

static void tell(const tub_int8_check *c, const float *row, const float *exact, int dim)
{
    double product = 0, here = 0, there = 0, apart = 0;
    for (int i = 0; i < dim; i++) {
        const double x = (double)row[i], y = (double)exact[i];
        product += x * y;
        here += x * x;
        there += y * y;
        apart += (x - y) * (x - y);
    }
    tub_warn(&c->log, "int8: the first row's cosine with that in %s is %.5f, their distance %.2f %% of its length",
             tub_dtype_name(c->dtype), product / sqrt(here * there), 100 * sqrt(apart / there));
}

void tub_int8_check_run(tub_int8_check **check, const tub_batch *batch, int dim)
{
    tub_int8_check *c = *check;
    if (!c)
        return;
    tub_error ignored = {0};
    float *row = tub_calloc((size_t)dim, sizeof *row);
    const tub_batch one = {
        .items = 1, .frames = batch->frames, .positions = batch->positions, .rows = row, .stop = batch->stop};
    if (row && c->ops->run(c->executable, &one, &ignored) == TUB_OK)
        tell(c, batch->rows, row, dim);
    tub_free(row);
    tub_int8_check_close(check);
}

void tub_int8_check_close(tub_int8_check **check)
{
    tub_int8_check *c = *check;
    *check = NULL;
    if (!c)
        return;
    if (c->executable)
        c->ops->release(&c->executable);
    if (c->backend)
        c->ops->close(&c->backend);
    tub_free(c);
}
