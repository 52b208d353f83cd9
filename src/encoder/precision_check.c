#include "precision_check.h"

#include <math.h>

#include "fail.h"
#include "memory.h"

struct tub_precision_check {
    const tub_backend_ops *ops;
    tub_log log;
    tub_dtype checked, dtype;
    tub_backend *own, *backend;
    tub_executable *executable;
};

tub_status tub_precision_check_open(const tub_precision_check_params *params, tub_precision_check **out, tub_error *err)
{
    tub_precision_check *c = *out = tub_calloc(1, sizeof *c);
    if (!c)
        return tub_fail_memory(err, "a check of the precision");
    *c = (tub_precision_check){.ops = params->ops,
                               .log = params->log,
                               .checked = params->dtype,
                               .dtype = params->ops->best_dtype(),
                               .backend = params->backend};
    const tub_open_params opened = {.team = params->team, .log = params->log};
    const tub_compile_params compiled = {.dtype = c->dtype, .max_items = 1, .shares = true, .weights = params->weights};
    tub_status status = c->backend ? TUB_OK : c->ops->open(&opened, &c->own, err);
    if (!c->backend)
        c->backend = c->own;
    if (status == TUB_OK)
        status = c->ops->compile(c->backend, params->program, &compiled, &c->executable, err);
    if (status != TUB_OK)
        tub_precision_check_close(out);
    return status;
}

static void tell(const tub_precision_check *c, const float *row, const float *exact, int dim)
{
    double product = 0, here = 0, there = 0, apart = 0;
    for (int i = 0; i < dim; i++) {
        const double x = (double)row[i], y = (double)exact[i];
        product += x * y;
        here += x * x;
        there += y * y;
        apart += (x - y) * (x - y);
    }
    if (here <= 0 || there <= 0) {
        tub_warn(&c->log, "%s: how far rows are from those in %s isn't told: the first one has no length",
                 tub_dtype_name(c->checked), tub_dtype_name(c->dtype));
        return;
    }
    tub_warn(&c->log, "%s: the first row's cosine with that in %s is %.5f, their distance %.2f %% of its length",
             tub_dtype_name(c->checked), tub_dtype_name(c->dtype), product / sqrt(here * there),
             100 * sqrt(apart / there));
}

void tub_precision_check_run(tub_precision_check **check, const tub_batch *batch, int dim)
{
    tub_precision_check *c = *check;
    if (!c)
        return;
    tub_error ignored = {0};
    float *row = tub_calloc((size_t)dim, sizeof *row);
    const tub_batch one = {.items = 1,
                           .frames = batch->frames,
                           .made = batch->made,
                           .positions = batch->positions,
                           .rows = row,
                           .stop = batch->stop};
    if (row && c->ops->run(c->executable, &one, &ignored) == TUB_OK)
        tell(c, batch->rows, row, dim);
    tub_free(row);
    tub_precision_check_close(check);
}

void tub_precision_check_close(tub_precision_check **check)
{
    tub_precision_check *c = *check;
    *check = NULL;
    if (!c)
        return;
    if (c->executable)
        c->ops->release(&c->executable);
    if (c->own)
        c->ops->close(&c->own);
    tub_free(c);
}
