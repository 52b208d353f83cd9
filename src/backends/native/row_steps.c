// The steps that treat each row separately, and the mean.
#include <string.h>

#include "executable.h"
#include "fail.h"

enum {
    UNIT_ELEMENTS = 65536, // about how much a unit of a row-wise step does
    MEAN_ROWS = 32,        // rows that are summed in float32 before the sum is added in double
};

typedef void (*row_function)(const tub_run *run, const tub_step *step, int item, int row, int member);

// A row in float32: the row itself, or widened into the member's scratch memory.
static const float *wide_row(const tub_run *run, tub_value v, int item, int row, int member)
{
    const tub_executable *e = run->executable;
    const void *from = tub_row(run, v, item, row);
    if (tub_element_bytes(e, v) == sizeof(float))
        return from;
    float *scratch = (float *)(void *)tub_scratch(e, member);
    e->kernels->widen(from, scratch, e->values[v].cols);
    return scratch;
}

static void norm_row(const tub_run *run, const tub_step *step, int item, int row, int member)
{
    const tub_executable *e = run->executable;
    const tub_op *op = &step->op;
    const float *x = wide_row(run, op->in[0], item, row, member);
    char *out = tub_row(run, op->out, item, row);
    const size_t element = tub_element_bytes(e, op->out);
    const int normed = op->norm.dim * op->norm.count, cols = e->values[op->out].cols;
    tub_norm_params params = step->norm;
    for (int at = 0; at < normed; at += op->norm.dim) {
        params.weight = step->norm.weight + at;
        params.bias = step->norm.bias ? step->norm.bias + at : NULL;
        if (e->values[op->out].width == TUB_WIDE)
            e->kernels->norm_wide(x + at, &params, (float *)(void *)(out + (size_t)at * element), op->norm.dim);
        else
            e->kernels->norm_narrow(x + at, &params, out + (size_t)at * element, op->norm.dim);
    }
    // If columns are left over, the operand has the result's type; it may be the result itself.
    const char *from = tub_row(run, op->in[0], item, row);
    if (normed < cols && from != out)
        memcpy(out + (size_t)normed * element, from + (size_t)normed * element, (size_t)(cols - normed) * element);
}

static void add_table_row(const tub_run *run, const tub_step *step, int item, int row, int member)
{
    const int cols = run->executable->values[step->op.out].cols;
    run->executable->kernels->add(wide_row(run, step->op.in[0], item, row, member),
                                  step->table + (size_t)row * (size_t)cols, tub_row(run, step->op.out, item, row),
                                  cols);
}

static void add_row(const tub_run *run, const tub_step *step, int item, int row, int member)
{
    (void)member;
    const tub_op *op = &step->op;
    run->executable->kernels->add(tub_row(run, op->in[0], item, row), tub_row(run, op->in[1], item, row),
                                  tub_row(run, op->out, item, row), run->executable->values[op->out].cols);
}

// GATHER and CONCAT.
static void copy_row(const tub_run *run, const tub_step *step, int item, int row, int member)
{
    (void)member;
    const tub_executable *e = run->executable;
    const tub_op *op = &step->op;
    const int first = e->values[op->in[0]].rows;
    const void *from;
    if (op->kind == TUB_OP_GATHER)
        from = tub_row(run, op->in[0], item, step->index[row]);
    else
        from = row < first ? tub_row(run, op->in[0], item, row) : tub_row(run, op->in[1], item, row - first);
    memcpy(tub_row(run, op->out, item, row), from, (size_t)e->values[op->out].cols * tub_element_bytes(e, op->out));
}

static void prepend_row(const tub_run *run, const tub_step *step, int item, int row, int member)
{
    (void)member;
    const tub_executable *e = run->executable;
    const int cols = e->values[step->op.out].cols;
    const int more = e->values[step->op.out].rows - e->values[step->op.in[0]].rows;
    const void *from = row < more ? (const void *)(step->table + (size_t)row * (size_t)cols)
                                  : tub_row(run, step->op.in[0], item, row - more);
    memcpy(tub_row(run, step->op.out, item, row), from, (size_t)cols * sizeof(float));
}

static void rotate_row(const tub_run *run, const tub_step *step, int item, int row, int member)
{
    (void)member;
    const tub_executable *e = run->executable;
    const tub_op *op = &step->op;
    const void *x = tub_row(run, op->in[0], item, row);
    void *out = tub_row(run, op->out, item, row);
    if (x != out)
        memcpy(out, x, (size_t)e->values[op->out].cols * e->kernels->narrow_bytes);
    if (row < op->rotate.skip)
        return;
    const int *positions = op->rotate.frame ? run->positions + (size_t)item * (size_t)e->input.frames : NULL;
    const size_t angle = (size_t)tub_rotate_row(op, positions, row) * (size_t)op->rotate.dim;
    const tub_angles angles = {.cosine = step->angles.cosine + angle,
                               .sine = step->angles.sine + angle,
                               .heads = op->rotate.blocks * op->rotate.heads,
                               .dim = op->rotate.dim,
                               .pairing = op->rotate.pairing};
    e->kernels->rotate(out, &angles, out);
}

static void gate_row(const tub_run *run, const tub_step *step, int item, int row, int member)
{
    (void)member;
    run->executable->kernels->gate(tub_row(run, step->op.in[0], item, row), step->op.gate.activation,
                                   tub_row(run, step->op.out, item, row), run->executable->values[step->op.out].cols);
}

static row_function function_of(tub_op_kind kind)
{
    switch (kind) {
    case TUB_OP_NORM:
        return norm_row;
    case TUB_OP_ADD_TABLE:
        return add_table_row;
    case TUB_OP_ADD:
        return add_row;
    case TUB_OP_GATHER:
    case TUB_OP_CONCAT:
        return copy_row;
    case TUB_OP_PREPEND:
        return prepend_row;
    case TUB_OP_ROTATE:
        return rotate_row;
    default:
        return gate_row;
    }
}

static tub_status row_unit(const tub_run *run, const tub_step *step, int item, int unit, int member, tub_error *err)
{
    (void)err;
    const row_function row = function_of(step->op.kind);
    const int rows = run->executable->values[step->op.out].rows;
    for (int i = unit * step->unit_rows; i < (unit + 1) * step->unit_rows && i < rows; i++)
        row(run, step, item, i, member);
    return TUB_OK;
}

// The member's scratch memory has a widened row, a sum in float32, and a sum in double.
static tub_status mean_unit(const tub_run *run, const tub_step *step, int item, int unit, int member, tub_error *err)
{
    (void)unit;
    (void)err;
    const tub_executable *e = run->executable;
    const int rows = e->values[step->op.in[0]].rows, cols = e->values[step->op.in[0]].cols;
    float *sum = (float *)(void *)tub_scratch(e, member) + cols;
    double *total = (double *)(void *)(tub_scratch(e, member) + 2 * (size_t)cols * sizeof(float));
    memset(total, 0, (size_t)cols * sizeof *total);
    for (int i = 0; i < rows; i++) {
        if (i % MEAN_ROWS == 0)
            memset(sum, 0, (size_t)cols * sizeof *sum);
        e->kernels->add(sum, wide_row(run, step->op.in[0], item, i, member), sum, cols);
        if (i % MEAN_ROWS == MEAN_ROWS - 1 || i == rows - 1)
            for (int j = 0; j < cols; j++)
                total[j] += (double)sum[j];
    }
    float *out = tub_row(run, step->op.out, item, 0);
    for (int j = 0; j < cols; j++)
        out[j] = (float)(total[j] / rows);
    return TUB_OK;
}

static tub_status own_index(tub_executable *e, tub_step *step, tub_error *err)
{
    const size_t count = (size_t)e->values[step->op.out].rows;
    int *index = tub_arena_alloc(&e->arena, count, sizeof *index);
    if (!index)
        return tub_fail_memory(err, "a list of rows");
    memcpy(index, step->op.gather.index, count * sizeof *index);
    step->index = index;
    return TUB_OK;
}

static tub_status own_constants(tub_executable *e, tub_step *step, tub_error *err)
{
    const tub_op *op = &step->op;
    bool ok = true;
    switch (op->kind) {
    case TUB_OP_GATHER:
        return own_index(e, step, err);
    case TUB_OP_NORM:
        step->norm.kind = op->norm.kind;
        step->norm.eps = op->norm.eps;
        ok = (step->norm.weight = tub_own_floats(e, &op->norm.weight)) != NULL;
        if (ok && op->norm.bias.data)
            ok = (step->norm.bias = tub_own_floats(e, &op->norm.bias)) != NULL;
        break;
    case TUB_OP_ADD_TABLE:
        ok = (step->table = tub_own_floats(e, &op->add_table.table)) != NULL;
        break;
    case TUB_OP_PREPEND:
        ok = (step->table = tub_own_floats(e, &op->prepend.rows)) != NULL;
        break;
    case TUB_OP_ROTATE:
        ok = (step->angles.cosine = tub_own_floats(e, &op->rotate.cosine)) &&
             (step->angles.sine = tub_own_floats(e, &op->rotate.sine));
        break;
    default:
        break;
    }
    return ok ? TUB_OK : tub_fail_memory(err, "constants");
}

tub_status tub_rows_make(tub_executable *e, tub_step *step, tub_error *err)
{
    const int rows = e->values[step->op.out].rows, cols = e->values[step->op.out].cols;
    TUB_TRY(own_constants(e, step, err));
    if (step->op.kind == TUB_OP_ROWS)
        return TUB_OK;
    const size_t scratch = (size_t)(2 * cols) * sizeof(float) + (size_t)cols * sizeof(double);
    tub_need_scratch(e, scratch);
    if (step->op.kind == TUB_OP_MEAN) {
        step->units = 1;
        step->unit = mean_unit;
        return TUB_OK;
    }
    step->unit_rows = UNIT_ELEMENTS / cols > 0 ? UNIT_ELEMENTS / cols : 1;
    step->units = (rows + step->unit_rows - 1) / step->unit_rows;
    step->unit = row_unit;
    return TUB_OK;
}
