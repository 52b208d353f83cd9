#include "placement.h"

#include "fail.h"

// Values that share one piece of memory: the first of them, its `root`, represents all.
typedef struct piece {
    int root;
    size_t delta;    // from the root's first byte
    size_t bytes;    // of the value
    int from, until; // for a root: operations that make and last read any of them
} piece;

typedef struct state {
    const tub_program *program;
    const bool *need;
    size_t narrow_bytes;
    piece *pieces; // [value_count]
    int *live;     // roots in the order of their offsets
    int live_count;
} state;

static size_t row_bytes(const state *s, int v)
{
    const tub_value_info *info = &s->program->values[v];
    return (size_t)info->cols * (info->width == TUB_WIDE ? sizeof(float) : s->narrow_bytes);
}

// No other operand may be in the same memory: its rows could be overwritten before they are read.
static bool may_replace(const state *s, int op, int operand)
{
    const tub_op *o = &s->program->ops[op];
    if (operand == TUB_NONE)
        return false;
    const piece *in = &s->pieces[operand], *root = &s->pieces[in->root];
    for (int k = 0; k < 4; k++)
        if (o->in[k] != TUB_NONE && o->in[k] != operand && s->pieces[o->in[k]].root == in->root)
            return false;
    return in->delta == 0 && root->until <= op && in->bytes == s->pieces[o->out].bytes &&
           s->program->values[operand].width == s->program->values[o->out].width;
}

// Decides which values share memory, and when each piece is in use.
static void share(state *s)
{
    for (int i = 0; i < s->program->op_count; i++) {
        if (!s->need[i])
            continue;
        const tub_op *op = &s->program->ops[i];
        piece *out = &s->pieces[op->out];
        const int until = tub_program_last_use(s->program, s->need, op->out);
        *out = (piece){.root = op->out, .from = i, .until = until};
        out->bytes = (size_t)s->program->values[op->out].rows * row_bytes(s, op->out);
        const int operand = op->kind == TUB_OP_ROWS ? op->in[0] : tub_op_replaceable(op);
        if (op->kind != TUB_OP_ROWS && !may_replace(s, i, operand))
            continue;
        out->root = s->pieces[operand].root;
        out->delta = s->pieces[operand].delta;
        if (op->kind == TUB_OP_ROWS)
            out->delta += (size_t)op->rows.first * row_bytes(s, op->out);
        if (s->pieces[out->root].until < until)
            s->pieces[out->root].until = until;
    }
}

// The lowest offset where a new root fits between the live ones.
static size_t fit(state *s, size_t *offsets, int root)
{
    size_t at = 0;
    int position = 0;
    for (; position < s->live_count; position++) {
        const int other = s->live[position];
        if (offsets[other] - at >= s->pieces[root].bytes)
            break;
        at = (offsets[other] + s->pieces[other].bytes + 63) & ~(size_t)63;
    }
    for (int i = s->live_count++; i > position; i--)
        s->live[i] = s->live[i - 1];
    s->live[position] = root;
    return at;
}

static void forget_dead(state *s, int op)
{
    int kept = 0;
    for (int i = 0; i < s->live_count; i++)
        if (s->pieces[s->live[i]].until >= op)
            s->live[kept++] = s->live[i];
    s->live_count = kept;
}

static size_t assign(state *s, size_t *offsets)
{
    size_t bytes = 0;
    for (int i = 0; i < s->program->op_count; i++) {
        if (!s->need[i])
            continue;
        const int out = s->program->ops[i].out;
        const piece *p = &s->pieces[out];
        if (p->root == out) {
            forget_dead(s, i);
            offsets[out] = fit(s, offsets, out);
            if (offsets[out] + p->bytes > bytes)
                bytes = offsets[out] + p->bytes;
        } else {
            offsets[out] = offsets[p->root] + p->delta;
        }
    }
    return (bytes + 63) & ~(size_t)63;
}

tub_status tub_placement_make(const tub_program *program, bool tokens, size_t narrow_bytes, tub_arena *arena,
                              tub_placement *out, tub_error *err)
{
    const size_t values = (size_t)program->value_count;
    out->need = tub_arena_alloc(arena, (size_t)program->op_count, sizeof *out->need);
    out->offsets = tub_arena_alloc(arena, values, sizeof *out->offsets);
    state s = {.program = program, .need = out->need, .narrow_bytes = narrow_bytes};
    s.pieces = tub_calloc(values, sizeof *s.pieces);
    s.live = tub_calloc(values, sizeof *s.live);
    const bool ok = out->need && out->offsets && s.pieces && s.live;
    if (ok) {
        for (size_t v = 0; v < values; v++)
            out->offsets[v] = SIZE_MAX;
        tub_program_needed(program, tokens, out->need);
        share(&s);
        out->bytes = assign(&s, out->offsets);
    }
    tub_free(s.pieces);
    tub_free(s.live);
    return ok ? TUB_OK : tub_fail_memory(err, "the workspace plan");
}
