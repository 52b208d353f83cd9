#include "program.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "half.h"
#include "memory.h"

int64_t tub_tensor_count(const tub_tensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->rank; i++)
        count *= t->dims[i];
    return count;
}

bool tub_tensor_is_there(const tub_tensor *t)
{
    return t->data || t->parts;
}

void tub_tensor_floats(const tub_tensor *t, int64_t first, int64_t count, float *out)
{
    if (!t->parts) {
        tub_to_float(out, (const char *)t->data + (size_t)first * tub_dtype_bytes(t->dtype), t->dtype, (size_t)count);
        return;
    }
    for (int i = 0; i < t->part_count && count > 0; i++) {
        const int64_t there = tub_tensor_count(&t->parts[i]), left = there - first;
        if (left > 0) {
            const int64_t take = left < count ? left : count;
            tub_tensor_floats(&t->parts[i], first, take, out);
            out += take;
            count -= take;
        }
        first = left > 0 ? 0 : -left;
    }
}

const float *tub_tensor_view(const tub_tensor *t, int64_t first, int64_t count)
{
    for (int i = 0; i < t->part_count; i++) {
        const int64_t there = tub_tensor_count(&t->parts[i]);
        if (first < there)
            return first + count <= there ? tub_tensor_view(&t->parts[i], first, count) : NULL;
        first -= there;
    }
    const bool plain = t->data && t->dtype == TUB_F32 && (uintptr_t)t->data % sizeof(float) == 0;
    return plain ? (const float *)t->data + first : NULL;
}

tub_tensor tub_no_tensor(void)
{
    return (tub_tensor){0};
}

tub_status tub_program_begin(const tub_input *input, tub_program **out, tub_error *err)
{
    *out = NULL;
    tub_program *p = tub_calloc(1, sizeof *p);
    if (p) {
        p->ops = tub_calloc(TUB_PROGRAM_OPS, sizeof *p->ops);
        p->values = tub_calloc(TUB_PROGRAM_VALUES, sizeof *p->values);
    }
    if (!p || !p->ops || !p->values) {
        tub_program_free(&p);
        return tub_fail_memory(err, "a program");
    }
    p->input = *input;
    p->feature = p->tokens = TUB_NONE;
    *out = p;
    return TUB_OK;
}

void tub_program_free(tub_program **program)
{
    if (!program || !*program)
        return;
    tub_free((*program)->ops);
    tub_free((*program)->values);
    tub_free(*program);
    *program = NULL;
}

static tub_value mistake(tub_program *p, const char *label, const char *what)
{
    if (p->status == TUB_OK)
        p->status = tub_fail(&p->error, TUB_ERROR_INTERNAL, "program: %s: %s", label, what);
    return TUB_NONE;
}

static bool is_value(const tub_program *p, tub_value v)
{
    return v >= 0 && v < p->value_count;
}

static bool is_vector(const tub_tensor *t, int64_t n)
{
    return t->data && tub_tensor_count(t) == n;
}

static bool is_vector_or_none(const tub_tensor *t, int64_t n)
{
    return !t->data || tub_tensor_count(t) == n;
}

// Adds `op` (kind, operands and attributes filled in) and its value.
static tub_value append(tub_program *p, const char *label, tub_op op, int rows, int cols, tub_width width)
{
    if (p->status != TUB_OK)
        return TUB_NONE;
    if (p->op_count == TUB_PROGRAM_OPS || p->value_count == TUB_PROGRAM_VALUES)
        return mistake(p, label, "too many operations");
    if (rows < 1 || cols < 1)
        return mistake(p, label, "an empty value");
    for (int i = 0; i < 4; i++)
        if (op.in[i] != TUB_NONE)
            p->values[op.in[i]].last_op = p->op_count;
    op.label = label;
    op.out = p->value_count;
    p->values[p->value_count++] =
        (tub_value_info){.rows = rows, .cols = cols, .width = width, .first_op = p->op_count, .last_op = p->op_count};
    p->ops[p->op_count++] = op;
    return op.out;
}

static tub_op new_op(tub_op_kind kind, tub_value a, tub_value b, tub_value c)
{
    return (tub_op){.kind = kind, .in = {a, b, c, TUB_NONE}};
}

tub_value tub_patches(tub_program *p, const char *label, int kt, int ky, int kx)
{
    const tub_input *in = &p->input;
    if (kt < 1 || ky < 1 || kx < 1 || in->height < ky || in->width < kx)
        return mistake(p, label, "the input is smaller than one patch");
    const int frames = in->frames < kt ? in->frames * kt : in->frames;
    tub_op op = new_op(TUB_OP_PATCHES, TUB_NONE, TUB_NONE, TUB_NONE);
    op.patches.kt = kt;
    op.patches.ky = ky;
    op.patches.kx = kx;
    int rows = (frames / kt) * (in->height / ky) * (in->width / kx);
    return append(p, label, op, rows, 3 * kt * ky * kx, TUB_NARROW);
}

static tub_value linear(tub_program *p, const char *label, tub_value x, tub_tensor weight, tub_tensor bias,
                        tub_activation activation, tub_tensor scale, tub_value residual, tub_width width)
{
    if (!is_value(p, x))
        return mistake(p, label, "operand missing");
    const tub_value_info *in = &p->values[x];
    if (in->width != TUB_NARROW || !tub_tensor_is_there(&weight) || weight.rank < 2 ||
        tub_tensor_count(&weight) / weight.dims[0] != in->cols)
        return mistake(p, label, "the weight doesn't fit its operand");
    int n = (int)weight.dims[0];
    if (!is_vector_or_none(&bias, n) || !is_vector_or_none(&scale, n))
        return mistake(p, label, "bias or scale doesn't fit");
    if (residual != TUB_NONE && (!is_value(p, residual) || p->values[residual].rows != in->rows ||
                                 p->values[residual].cols != n || p->values[residual].width != TUB_WIDE))
        return mistake(p, label, "the residual doesn't fit");
    tub_op op = new_op(TUB_OP_LINEAR, x, residual, TUB_NONE);
    op.linear.weight = weight;
    op.linear.bias = bias;
    op.linear.scale = scale;
    op.linear.activation = activation;
    return append(p, label, op, in->rows, n, width);
}

tub_value tub_linear(tub_program *p, const char *label, tub_value x, tub_tensor weight, tub_tensor bias,
                     tub_activation activation, tub_width width)
{
    return linear(p, label, x, weight, bias, activation, tub_no_tensor(), TUB_NONE, width);
}

tub_value tub_linear_residual(tub_program *p, const char *label, tub_value x, tub_tensor weight, tub_tensor bias,
                              tub_tensor scale, tub_value residual)
{
    if (!is_value(p, residual))
        return mistake(p, label, "residual missing");
    return linear(p, label, x, weight, bias, TUB_ACT_NONE, scale, residual, TUB_WIDE);
}

tub_value tub_norm_rows(tub_program *p, const char *label, tub_value x, tub_norm kind, tub_tensor weight,
                        tub_tensor bias, double eps, tub_width width)
{
    if (!is_value(p, x))
        return mistake(p, label, "operand missing");
    const tub_value_info *in = &p->values[x];
    if (!is_vector(&weight, in->cols) || !is_vector_or_none(&bias, in->cols))
        return mistake(p, label, "the norm's weight doesn't fit");
    tub_op op = new_op(TUB_OP_NORM, x, TUB_NONE, TUB_NONE);
    op.norm.kind = kind;
    op.norm.weight = weight;
    op.norm.bias = bias;
    op.norm.eps = eps;
    op.norm.dim = in->cols;
    op.norm.count = 1;
    return append(p, label, op, in->rows, in->cols, width);
}

tub_value tub_norm_slices(tub_program *p, const char *label, tub_value x, tub_norm kind, tub_tensor weight, double eps,
                          int dim, int count)
{
    if (!is_value(p, x))
        return mistake(p, label, "operand missing");
    const tub_value_info *in = &p->values[x];
    if (dim < 1 || count < 1 || (int64_t)dim * count > in->cols || !is_vector(&weight, (int64_t)dim * count))
        return mistake(p, label, "the slices or their weight don't fit");
    tub_op op = new_op(TUB_OP_NORM, x, TUB_NONE, TUB_NONE);
    op.norm.kind = kind;
    op.norm.weight = weight;
    op.norm.eps = eps;
    op.norm.dim = dim;
    op.norm.count = count;
    return append(p, label, op, in->rows, in->cols, in->width);
}

tub_value tub_add_table(tub_program *p, const char *label, tub_value x, tub_tensor table)
{
    if (!is_value(p, x) || !is_vector(&table, (int64_t)p->values[x].rows * p->values[x].cols))
        return mistake(p, label, "the table doesn't fit");
    tub_op op = new_op(TUB_OP_ADD_TABLE, x, TUB_NONE, TUB_NONE);
    op.add_table.table = table;
    return append(p, label, op, p->values[x].rows, p->values[x].cols, TUB_WIDE);
}

tub_value tub_add(tub_program *p, const char *label, tub_value a, tub_value b)
{
    if (!is_value(p, a) || !is_value(p, b) || p->values[a].rows != p->values[b].rows ||
        p->values[a].cols != p->values[b].cols || p->values[a].width != TUB_WIDE || p->values[b].width != TUB_WIDE)
        return mistake(p, label, "the summands don't fit");
    return append(p, label, new_op(TUB_OP_ADD, a, b, TUB_NONE), p->values[a].rows, p->values[a].cols, TUB_WIDE);
}

tub_value tub_prepend(tub_program *p, const char *label, tub_value x, tub_tensor rows)
{
    if (!is_value(p, x) || p->values[x].width != TUB_WIDE || !rows.data || tub_tensor_count(&rows) % p->values[x].cols)
        return mistake(p, label, "the rows don't fit");
    int more = (int)(tub_tensor_count(&rows) / p->values[x].cols);
    tub_op op = new_op(TUB_OP_PREPEND, x, TUB_NONE, TUB_NONE);
    op.prepend.rows = rows;
    return append(p, label, op, more + p->values[x].rows, p->values[x].cols, TUB_WIDE);
}

static tub_value rotate(tub_program *p, const char *label, tub_value x, tub_op op)
{
    if (!is_value(p, x))
        return mistake(p, label, "operand missing");
    const tub_value_info *in = &p->values[x];
    const int heads = op.rotate.heads, dim = op.rotate.dim, frame = op.rotate.frame;
    int64_t count = frame ? (int64_t)TUB_POSITIONS_COUNT * frame * dim : (int64_t)(in->rows - op.rotate.skip) * dim;
    if (in->width != TUB_NARROW || dim % 2 || op.rotate.skip < 0 || op.rotate.blocks < 1 ||
        (int64_t)heads * dim * op.rotate.blocks > in->cols || !is_vector(&op.rotate.cosine, count) ||
        !is_vector(&op.rotate.sine, count) || op.rotate.cosine.dtype != TUB_F32 || op.rotate.sine.dtype != TUB_F32)
        return mistake(p, label, "the angles don't fit");
    if (frame < 0 || (frame && in->rows != frame * p->input.frames))
        return mistake(p, label, "the frames don't fit");
    op.in[0] = x;
    p->positions = p->positions || frame;
    return append(p, label, op, in->rows, in->cols, TUB_NARROW);
}

static tub_op rotate_op(tub_tensor cosine, tub_tensor sine, int heads, int dim, int blocks, tub_pairing pairing)
{
    tub_op op = new_op(TUB_OP_ROTATE, TUB_NONE, TUB_NONE, TUB_NONE);
    op.rotate.cosine = cosine;
    op.rotate.sine = sine;
    op.rotate.heads = heads;
    op.rotate.dim = dim;
    op.rotate.blocks = blocks;
    op.rotate.pairing = pairing;
    return op;
}

tub_value tub_rotate(tub_program *p, const char *label, tub_value x, tub_tensor cosine, tub_tensor sine, int heads,
                     int dim, int blocks, int skip, tub_pairing pairing)
{
    tub_op op = rotate_op(cosine, sine, heads, dim, blocks, pairing);
    op.rotate.skip = skip;
    return rotate(p, label, x, op);
}

tub_value tub_rotate_frames(tub_program *p, const char *label, tub_value x, tub_tensor cosine, tub_tensor sine,
                            int heads, int dim, int blocks, int frame, tub_pairing pairing)
{
    tub_op op = rotate_op(cosine, sine, heads, dim, blocks, pairing);
    op.rotate.frame = frame;
    return rotate(p, label, x, op);
}

int tub_rotate_row(const tub_op *op, const int *positions, int row)
{
    const int at = row - op->rotate.skip, frame = op->rotate.frame;
    return frame ? positions[at / frame] * frame + at % frame : at;
}

tub_value tub_attention(tub_program *p, const char *label, tub_value qkv, int heads, int dim, double scale)
{
    return tub_attention_groups(p, label, qkv, heads, dim, scale, 1);
}

static tub_op new_attention(tub_value q, tub_value k, tub_value v, int heads, int dim, double scale, int groups)
{
    tub_op op = new_op(TUB_OP_ATTENTION, q, k, v);
    op.attention.heads = heads;
    op.attention.dim = dim;
    op.attention.scale = scale;
    op.attention.groups = groups;
    return op;
}

tub_value tub_attention_groups(tub_program *p, const char *label, tub_value qkv, int heads, int dim, double scale,
                               int groups)
{
    if (!is_value(p, qkv) || p->values[qkv].width != TUB_NARROW || p->values[qkv].cols != 3 * heads * dim)
        return mistake(p, label, "q, k and v don't fit");
    if (groups < 1 || p->values[qkv].rows % groups)
        return mistake(p, label, "the groups don't divide the rows");
    tub_op op = new_attention(qkv, qkv, qkv, heads, dim, scale, groups);
    op.attention.k_column = heads * dim;
    op.attention.v_column = 2 * heads * dim;
    return append(p, label, op, p->values[qkv].rows, heads * dim, TUB_NARROW);
}

tub_value tub_attention_values(tub_program *p, const char *label, tub_value q, tub_value k, tub_value v, int heads,
                               int dim, double scale, int groups)
{
    const tub_value values[3] = {q, k, v};
    for (int i = 0; i < 3; i++) {
        if (!is_value(p, values[i]) || p->values[values[i]].width != TUB_NARROW ||
            p->values[values[i]].cols != heads * dim)
            return mistake(p, label, "q, k or v doesn't fit");
        if (groups < 1 || p->values[values[i]].rows % groups)
            return mistake(p, label, "the groups don't divide the rows");
    }
    if (p->values[k].rows != p->values[v].rows)
        return mistake(p, label, "k and v don't fit");
    return append(p, label, new_attention(q, k, v, heads, dim, scale, groups), p->values[q].rows, heads * dim,
                  TUB_NARROW);
}

tub_value tub_attention_pool(tub_program *p, const char *label, tub_tensor query, tub_value kv, int heads, int dim,
                             double scale)
{
    if (!is_value(p, kv) || p->values[kv].width != TUB_NARROW || p->values[kv].cols != 2 * heads * dim || !query.data ||
        tub_tensor_count(&query) % (heads * dim))
        return mistake(p, label, "the query, k and v don't fit");
    tub_op op = new_attention(TUB_NONE, kv, kv, heads, dim, scale, 1);
    op.attention.query = query;
    op.attention.v_column = heads * dim;
    return append(p, label, op, (int)(tub_tensor_count(&query) / (heads * dim)), heads * dim, TUB_NARROW);
}

tub_value tub_gate(tub_program *p, const char *label, tub_value x, tub_activation activation)
{
    if (!is_value(p, x) || p->values[x].width != TUB_NARROW || p->values[x].cols % 2)
        return mistake(p, label, "gate and up don't fit");
    tub_op op = new_op(TUB_OP_GATE, x, TUB_NONE, TUB_NONE);
    op.gate.activation = activation;
    return append(p, label, op, p->values[x].rows, p->values[x].cols / 2, TUB_NARROW);
}

tub_value tub_rows(tub_program *p, const char *label, tub_value x, int first, int count)
{
    if (!is_value(p, x) || first < 0 || count < 1 || first + count > p->values[x].rows)
        return mistake(p, label, "no such rows");
    tub_op op = new_op(TUB_OP_ROWS, x, TUB_NONE, TUB_NONE);
    op.rows.first = first;
    op.rows.count = count;
    return append(p, label, op, count, p->values[x].cols, p->values[x].width);
}

tub_value tub_gather(tub_program *p, const char *label, tub_value x, const int *index, int count)
{
    if (!is_value(p, x) || !index)
        return mistake(p, label, "operand missing");
    for (int i = 0; i < count; i++)
        if (index[i] < 0 || index[i] >= p->values[x].rows)
            return mistake(p, label, "no such row");
    tub_op op = new_op(TUB_OP_GATHER, x, TUB_NONE, TUB_NONE);
    op.gather.index = index;
    return append(p, label, op, count, p->values[x].cols, p->values[x].width);
}

tub_value tub_concat(tub_program *p, const char *label, tub_value a, tub_value b)
{
    if (!is_value(p, a) || !is_value(p, b) || p->values[a].cols != p->values[b].cols ||
        p->values[a].width != p->values[b].width)
        return mistake(p, label, "the parts don't fit");
    return append(p, label, new_op(TUB_OP_CONCAT, a, b, TUB_NONE), p->values[a].rows + p->values[b].rows,
                  p->values[a].cols, p->values[a].width);
}

tub_value tub_mean(tub_program *p, const char *label, tub_value x)
{
    if (!is_value(p, x))
        return mistake(p, label, "operand missing");
    return append(p, label, new_op(TUB_OP_MEAN, x, TUB_NONE, TUB_NONE), 1, p->values[x].cols, TUB_WIDE);
}

tub_status tub_program_end(tub_program *p, tub_value feature, tub_value tokens, tub_error *err)
{
    if (p->status == TUB_OK && (!is_value(p, feature) || !is_value(p, tokens) || p->values[feature].rows != 1 ||
                                p->values[feature].width != TUB_WIDE || p->values[tokens].width != TUB_WIDE))
        mistake(p, "outputs", "the feature must be one wide row, the tokens wide");
    if (p->status != TUB_OK) {
        if (err)
            *err = p->error;
        return p->status;
    }
    p->feature = feature;
    p->tokens = tokens;
    p->values[feature].last_op = p->values[tokens].last_op = INT_MAX;
    return TUB_OK;
}
