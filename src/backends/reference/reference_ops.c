#include <math.h>
#include <string.h>

#include "reference.h"

static const tub_value_info *info(const tub_reference_step *step, tub_value value)
{
    return &step->executable->program.values[value];
}

float *tub_reference_at(const tub_reference_step *step, tub_value value, int item, int row)
{
    const tub_value_info *v = info(step, value);
    char *base = step->executable->workspace + (size_t)item * step->plan->bytes + step->plan->offsets[value];
    return (float *)base + (size_t)row * (size_t)v->cols;
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double activate(tub_activation activation, double x)
{
    switch (activation) {
    case TUB_ACT_GELU:
        return 0.5 * x * (1.0 + erf(x * 0.70710678118654752440));
    case TUB_ACT_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case TUB_ACT_QUICK_GELU:
        return x * sigmoid(1.702 * x);
    case TUB_ACT_SILU:
        return x * sigmoid(x);
    case TUB_ACT_TANH:
        return tanh(x);
    default:
        return x;
    }
}

// Four partial sums, so that an addition needn't wait for the previous one.
static double dot(const float *a, const float *b, int count)
{
    double sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    int i = 0;
    for (; i + 4 <= count; i += 4) {
        sum0 += (double)a[i] * b[i];
        sum1 += (double)a[i + 1] * b[i + 1];
        sum2 += (double)a[i + 2] * b[i + 2];
        sum3 += (double)a[i + 3] * b[i + 3];
    }
    for (; i < count; i++)
        sum0 += (double)a[i] * b[i];
    return (sum0 + sum1) + (sum2 + sum3);
}

static void patches(const tub_reference_step *step, int item, int row, float *out)
{
    const tub_input *in = &step->executable->program.input;
    const int kt = step->op->patches.kt, ky = step->op->patches.ky, kx = step->op->patches.kx;
    const int across = in->width / kx, down = in->height / ky;
    const int left = row % across * kx, top = row / across % down * ky, first = row / across / down * kt;
    const void *const *frames = step->batch->frames + (size_t)item * (size_t)in->frames;
    for (int c = 0; c < 3; c++)
        for (int t = 0; t < kt; t++)
            for (int y = 0; y < ky; y++)
                for (int x = 0; x < kx; x++) {
                    const void *frame = frames[(first + t) % in->frames];
                    size_t pixel = (size_t)(top + y) * (size_t)in->width + (size_t)(left + x);
                    if (in->is_float)
                        *out++ = ((const float *)frame)[(size_t)c * in->height * in->width + pixel];
                    else
                        *out++ = in->table[c][((const uint8_t *)frame)[3 * pixel + c]];
                }
}

static void linear(const tub_reference_step *step, int item, int row, float *out)
{
    const tub_op *op = step->op;
    const float *x = tub_reference_at(step, op->in[0], item, row);
    const float *residual = op->in[1] != TUB_NONE ? tub_reference_at(step, op->in[1], item, row) : NULL;
    const float *weight = op->linear.weight.data, *bias = op->linear.bias.data, *scale = op->linear.scale.data;
    const int k = info(step, op->in[0])->cols, n = info(step, op->out)->cols;
    for (int j = 0; j < n; j++) {
        double sum = dot(x, weight + (size_t)j * (size_t)k, k) + (bias ? bias[j] : 0);
        sum = activate(op->linear.activation, sum) * (scale ? scale[j] : 1);
        out[j] = (float)(sum + (residual ? residual[j] : 0));
    }
}

static void norm_slice(const tub_op *op, const float *x, const float *weight, const float *bias, float *out)
{
    const int n = op->norm.dim;
    double mean = 0, squares = 0;
    if (op->norm.kind == TUB_NORM_LAYER) {
        for (int j = 0; j < n; j++)
            mean += x[j];
        mean /= n;
    }
    for (int j = 0; j < n; j++)
        squares += (x[j] - mean) * (x[j] - mean);
    const double size =
        op->norm.kind == TUB_NORM_L2 ? fmax(sqrt(squares), op->norm.eps) : sqrt(squares / n + op->norm.eps);
    for (int j = 0; j < n; j++)
        out[j] = (float)((x[j] - mean) / size * weight[j] + (bias ? bias[j] : 0));
}

static void norm(const tub_reference_step *step, int item, int row, float *out)
{
    const tub_op *op = step->op;
    const float *x = tub_reference_at(step, op->in[0], item, row);
    const float *weight = op->norm.weight.data, *bias = op->norm.bias.data;
    const int n = info(step, op->out)->cols, normed = op->norm.count * op->norm.dim;
    for (int at = 0; at < normed; at += op->norm.dim)
        norm_slice(op, x + at, weight + at, bias ? bias + at : NULL, out + at);
    memcpy(out + normed, x + normed, (size_t)(n - normed) * sizeof *out);
}

static void add_table(const tub_reference_step *step, int item, int row, float *out)
{
    const float *x = tub_reference_at(step, step->op->in[0], item, row);
    const int n = info(step, step->op->out)->cols;
    const float *table = (const float *)step->op->add_table.table.data + (size_t)row * (size_t)n;
    for (int j = 0; j < n; j++)
        out[j] = x[j] + table[j];
}

static void add(const tub_reference_step *step, int item, int row, float *out)
{
    const float *a = tub_reference_at(step, step->op->in[0], item, row);
    const float *b = tub_reference_at(step, step->op->in[1], item, row);
    const int n = info(step, step->op->out)->cols;
    for (int j = 0; j < n; j++)
        out[j] = a[j] + b[j];
}

static void prepend(const tub_reference_step *step, int item, int row, float *out)
{
    const int n = info(step, step->op->out)->cols;
    const int more = info(step, step->op->out)->rows - info(step, step->op->in[0])->rows;
    const float *from = row < more ? (const float *)step->op->prepend.rows.data + (size_t)row * (size_t)n
                                   : tub_reference_at(step, step->op->in[0], item, row - more);
    memcpy(out, from, (size_t)n * sizeof *out);
}

static void rotate_head(tub_pairing pairing, const float *x, const float *cosine, const float *sine, int dim,
                        float *out)
{
    for (int j = 0; j < dim; j++) {
        int other;
        bool first;
        if (pairing == TUB_PAIR_INTERLEAVED) {
            first = j % 2 == 0;
            other = first ? j + 1 : j - 1;
        } else {
            first = j < dim / 2;
            other = first ? j + dim / 2 : j - dim / 2;
        }
        double turned = (double)x[other] * sine[j];
        out[j] = (float)((double)x[j] * cosine[j] + (first ? -turned : turned));
    }
}

static void rotate(const tub_reference_step *step, int item, int row, float *out)
{
    const tub_op *op = step->op;
    const float *x = tub_reference_at(step, op->in[0], item, row);
    const int n = info(step, op->out)->cols, dim = op->rotate.dim;
    memcpy(out, x, (size_t)n * sizeof *out);
    if (row < op->rotate.skip)
        return;
    const int frames = step->executable->program.input.frames;
    const int *positions = op->rotate.frame ? step->batch->positions + (size_t)item * (size_t)frames : NULL;
    const size_t angle = (size_t)tub_rotate_row(op, positions, row) * (size_t)dim;
    for (int head = 0; head < op->rotate.blocks * op->rotate.heads; head++)
        rotate_head(op->rotate.pairing, x + head * dim, (const float *)op->rotate.cosine.data + angle,
                    (const float *)op->rotate.sine.data + angle, dim, out + head * dim);
}

// weights[keys] = softmax(q kT * scale)
static void attend(const float *q, const float *k, int keys, size_t stride, int dim, double scale, double *weights)
{
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < keys; i++) {
        weights[i] = dot(q, k + (size_t)i * stride, dim) * scale;
        most = fmax(most, weights[i]);
    }
    for (int i = 0; i < keys; i++)
        sum += weights[i] = exp(weights[i] - most);
    for (int i = 0; i < keys; i++)
        weights[i] /= sum;
}

static void attention(const tub_reference_step *step, int item, int row, float *out, double *scratch)
{
    const tub_op *op = step->op;
    const int heads = op->attention.heads, dim = op->attention.dim;
    const int keys = info(step, op->in[1])->rows / op->attention.groups;
    const int first = row / (info(step, op->out)->rows / op->attention.groups) * keys;
    const size_t k_stride = (size_t)info(step, op->in[1])->cols, v_stride = (size_t)info(step, op->in[2])->cols;
    const float *q = op->in[0] != TUB_NONE
                         ? tub_reference_at(step, op->in[0], item, row) + op->attention.q_column
                         : (const float *)op->attention.query.data + (size_t)row * (size_t)(heads * dim);
    const float *k = tub_reference_at(step, op->in[1], item, first) + op->attention.k_column;
    const float *v = tub_reference_at(step, op->in[2], item, first) + op->attention.v_column;
    for (int head = 0; head < heads; head++) {
        attend(q + head * dim, k + head * dim, keys, k_stride, dim, op->attention.scale, scratch);
        for (int j = 0; j < dim; j++) {
            double sum = 0;
            for (int i = 0; i < keys; i++)
                sum += scratch[i] * v[(size_t)i * v_stride + (size_t)(head * dim + j)];
            out[head * dim + j] = (float)sum;
        }
    }
}

static void gate(const tub_reference_step *step, int item, int row, float *out)
{
    const float *x = tub_reference_at(step, step->op->in[0], item, row);
    const int n = info(step, step->op->out)->cols;
    for (int j = 0; j < n; j++)
        out[j] = (float)(activate(step->op->gate.activation, x[j]) * x[n + j]);
}

static void mean(const tub_reference_step *step, int item, float *out)
{
    const tub_value_info *in = info(step, step->op->in[0]);
    const float *x = tub_reference_at(step, step->op->in[0], item, 0);
    for (int j = 0; j < in->cols; j++) {
        double sum = 0;
        for (int i = 0; i < in->rows; i++)
            sum += x[(size_t)i * (size_t)in->cols + (size_t)j];
        out[j] = (float)(sum / in->rows);
    }
}

static void copy_row(const tub_reference_step *step, int item, int row, float *out)
{
    const tub_op *op = step->op;
    tub_value from = op->in[0];
    if (op->kind == TUB_OP_ROWS) {
        row += op->rows.first;
    } else if (op->kind == TUB_OP_GATHER) {
        row = op->gather.index[row];
    } else if (row >= info(step, from)->rows) {
        row -= info(step, from)->rows;
        from = op->in[1];
    }
    memcpy(out, tub_reference_at(step, from, item, row), (size_t)info(step, op->out)->cols * sizeof *out);
}

void tub_reference_row(const tub_reference_step *step, int item, int row, double *scratch)
{
    float *out = tub_reference_at(step, step->op->out, item, row);
    switch (step->op->kind) {
    case TUB_OP_PATCHES:
        patches(step, item, row, out);
        break;
    case TUB_OP_LINEAR:
        linear(step, item, row, out);
        break;
    case TUB_OP_NORM:
        norm(step, item, row, out);
        break;
    case TUB_OP_ADD_TABLE:
        add_table(step, item, row, out);
        break;
    case TUB_OP_ADD:
        add(step, item, row, out);
        break;
    case TUB_OP_PREPEND:
        prepend(step, item, row, out);
        break;
    case TUB_OP_ROTATE:
        rotate(step, item, row, out);
        break;
    case TUB_OP_ATTENTION:
        attention(step, item, row, out, scratch);
        break;
    case TUB_OP_GATE:
        gate(step, item, row, out);
        break;
    case TUB_OP_ROWS:
    case TUB_OP_GATHER:
    case TUB_OP_CONCAT:
        copy_row(step, item, row, out);
        break;
    case TUB_OP_MEAN:
        mean(step, item, out);
        break;
    case TUB_OP_COUNT:
        break;
    }
}
