// What can be known about a program without running it: cost, need, workspace, a listing.
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "fail.h"
#include "memory.h"
#include "program.h"

const char *tub_op_name(tub_op_kind kind)
{
    static const char *const names[TUB_OP_COUNT] = {
        "patches", "linear", "norm", "add-table", "add",    "prepend", "rotate",
        "attention", "gate", "rows", "gather",    "concat", "mean",
    };
    return kind < TUB_OP_COUNT ? names[kind] : "?";
}

double tub_op_flops(const tub_program *p, const tub_op *op)
{
    const tub_value_info *out = &p->values[op->out];
    double size = (double)out->rows * out->cols;
    switch (op->kind) {
    case TUB_OP_LINEAR:
        return 2.0 * size * p->values[op->in[0]].cols;
    case TUB_OP_ATTENTION:
        return 4.0 * size * p->values[op->in[1]].rows / op->attention.groups;
    case TUB_OP_PATCHES:
    case TUB_OP_PREPEND:
    case TUB_OP_ROWS:
    case TUB_OP_GATHER:
    case TUB_OP_CONCAT:
        return 0;
    case TUB_OP_ADD:
        return size;
    case TUB_OP_NORM:
        return 8.0 * size;
    case TUB_OP_MEAN:
        return (double)p->values[op->in[0]].rows * out->cols;
    default:
        return 4.0 * size;
    }
}

double tub_program_flops(const tub_program *p)
{
    double sum = 0;
    for (int i = 0; i < p->op_count; i++)
        sum += tub_op_flops(p, &p->ops[i]);
    return sum;
}

void tub_program_needed(const tub_program *p, bool tokens, bool *need)
{
    for (int i = 0; i < p->op_count; i++)
        need[i] = p->ops[i].out == p->feature || (tokens && p->ops[i].out == p->tokens);
    for (int i = p->op_count - 1; i >= 0; i--)
        for (int k = 0; need[i] && k < 4; k++)
            if (p->ops[i].in[k] != TUB_NONE)
                need[p->values[p->ops[i].in[k]].first_op] = true;
}

tub_value tub_op_replaceable(const tub_op *op)
{
    switch (op->kind) {
    case TUB_OP_LINEAR:
        return op->in[1];
    case TUB_OP_ROTATE:
    case TUB_OP_NORM:
    case TUB_OP_ADD_TABLE:
    case TUB_OP_ADD:
        return op->in[0];
    default:
        return TUB_NONE;
    }
}

int tub_program_last_use(const tub_program *p, const bool *need, tub_value v)
{
    if (v == p->feature || v == p->tokens)
        return INT_MAX;
    int last = p->values[v].first_op;
    for (int i = last + 1; i < p->op_count; i++)
        for (int k = 0; need[i] && k < 4; k++)
            if (p->ops[i].in[k] == v)
                last = i;
    return last;
}

typedef struct block {
    size_t offset, bytes;
    int until;                  // the last operation that reads it
} block;

// The lowest offset where `bytes` fit between the live blocks, which are kept in order of their offsets.
static size_t first_fit(const block *live, int count, size_t bytes, int *position)
{
    size_t at = 0;
    int i = 0;
    for (; i < count; i++) {
        if (live[i].offset - at >= bytes)
            break;
        at = live[i].offset + live[i].bytes;
    }
    *position = i;
    return at;
}

// The last use of any value that shares this value's memory.
static int last_use_of_all(const tub_program *p, const bool *need, const tub_value *share, tub_value root)
{
    int last = tub_program_last_use(p, need, root);
    for (int v = 0; share && v < p->value_count; v++) {
        const int use = share[v] == root && v != root ? tub_program_last_use(p, need, v) : 0;
        last = use > last ? use : last;
    }
    return last;
}

tub_status tub_program_place(const tub_program *p, const bool *need, size_t narrow_bytes, size_t *offsets,
                             size_t *bytes, tub_error *err)
{
    return tub_program_place_shared(p, need, narrow_bytes, NULL, offsets, bytes, err);
}

tub_status tub_program_place_shared(const tub_program *p, const bool *need, size_t narrow_bytes, const tub_value *share,
                                    size_t *offsets, size_t *bytes, tub_error *err)
{
    block *live = tub_calloc((size_t)p->value_count + 1, sizeof *live);
    if (!live)
        return tub_fail_memory(err, "the workspace plan");
    int count = 0;
    *bytes = 0;
    for (int v = 0; v < p->value_count; v++)
        offsets[v] = SIZE_MAX;
    for (int i = 0; i < p->op_count; i++) {
        const tub_value out = p->ops[i].out;
        if (!need[i])
            continue;
        if (share && share[out] != out) {
            offsets[out] = offsets[share[out]];
            continue;
        }
        // What was last read before this operation is free. What the operation reads itself isn't, so that out never
        // aliases in.
        int kept = 0;
        for (int b = 0; b < count; b++)
            if (live[b].until >= i)
                live[kept++] = live[b];
        count = kept;
        const tub_value_info *v = &p->values[out];
        size_t size;
        if (!tub_size_mul((size_t)v->rows * (size_t)v->cols, v->width == TUB_WIDE ? 4 : narrow_bytes, &size) ||
            !tub_size_add(size, 63, &size)) {
            tub_free(live);
            return tub_fail_memory(err, "the workspace plan: a value that large");
        }
        size &= ~(size_t)63;
        int at;
        size_t offset = first_fit(live, count, size, &at);
        for (int b = count++; b > at; b--)
            live[b] = live[b - 1];
        live[at] = (block){offset, size, last_use_of_all(p, need, share, out)};
        offsets[out] = offset;
        if (offset + size > *bytes)
            *bytes = offset + size;
    }
    tub_free(live);
    return TUB_OK;
}

static void print(char *out, size_t bytes, size_t *length, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void print(char *out, size_t bytes, size_t *length, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(*length < bytes ? out + *length : NULL, *length < bytes ? bytes - *length : 0, format, args);
    va_end(args);
    if (n > 0)
        *length += (size_t)n;
}

size_t tub_program_print(const tub_program *p, char *out, size_t bytes)
{
    size_t length = 0;
    for (int i = 0; i < p->op_count; i++) {
        const tub_op *op = &p->ops[i];
        const tub_value_info *v = &p->values[op->out];
        print(out, bytes, &length, "%%%-4d = %-10s", op->out, tub_op_name(op->kind));
        for (int k = 0; k < 4; k++)
            if (op->in[k] != TUB_NONE && (k == 0 || op->in[k] != op->in[k - 1]))
                print(out, bytes, &length, " %%%d", op->in[k]);
        print(out, bytes, &length, "  [%d, %d] %s  %.3f MFLOP  %s%s%s\n", v->rows, v->cols,
              v->width == TUB_WIDE ? "wide" : "narrow", tub_op_flops(p, op) / 1e6, op->label,
              op->out == p->feature ? "  -> feature" : "", op->out == p->tokens ? "  -> tokens" : "");
    }
    return length;
}
