// Part of kernels_template.h: what is done to a product's sums. Integer sums are converted to floats on the way.
INLINE lanes finish_lanes(const tub_epilogue *e, tub_activation activation, lanes x, int i, int n)
{
#define PART(p, fill) (n == LANES ? v_load((p) + i) : v_load_part((p) + i, n, fill))
    if (e->bias)
        x = x + PART(e->bias, 0);
    x = activate(activation, x);
    if (e->scale && e->residual)
        return v_fma(x, PART(e->scale, 0), PART(e->residual, 0));
    if (e->scale)
        x = x * PART(e->scale, 0);
    if (e->residual)
        x = x + PART(e->residual, 0);
#undef PART
    return x;
}

// Sums as floats: of integers, what they stand for in a row whose scale is `row`.
INLINE lanes sum_lanes(const float *x, const tub_integer_sums *integers, float row, int i, int n)
{
    const lanes sum = n == LANES ? v_load(x + i) : v_load_part(x + i, n, 0);
#if WITH_INT8
    if (integers) {
        const float *offsets = (const float *)(const void *)integers->offsets;
        const lanes offset = !offsets ? v_set(0) : n == LANES ? v_load(offsets + i) : v_load_part(offsets + i, n, 0);
        const float *columns = integers->columns;
        const lanes scale = n == LANES ? v_load(columns + i) : v_load_part(columns + i, n, 0);
        return v_from_integers(sum, offset) * (scale * v_set(row));
    }
#else
    (void)integers;
    (void)row;
#endif
    return sum;
}

// In each call `activation` is a constant, so that the switch above disappears from the loops; so is whether the sums
// are `integers` (NULL: floats).
INLINE void finish_sums(const float *x, const tub_integer_sums *integers, float row, const tub_epilogue *e,
                        tub_activation activation, float *wide, narrow *slim, int count)
{
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
        const lanes y = finish_lanes(e, activation, sum_lanes(x, integers, row, i, LANES), i, LANES);
        if (wide)
            v_store(wide + i, y);
        else
            n_store(slim + i, y);
    }
    if (i == count)
        return;
    const lanes y = finish_lanes(e, activation, sum_lanes(x, integers, row, i, count - i), i, count - i);
    if (wide)
        v_store_part(wide + i, count - i, y);
    else
        n_store_part(slim + i, count - i, y);
}

INLINE void finish(const float *x, const tub_epilogue *e, tub_activation activation, float *wide, narrow *slim,
                   int count)
{
    finish_sums(x, NULL, 0, e, activation, wide, slim, count);
}

INLINE void finish_any(const float *x, const tub_epilogue *e, float *wide, narrow *slim, int count)
{
    switch (e->activation) {
    case TUB_ACT_GELU:
        finish(x, e, TUB_ACT_GELU, wide, slim, count);
        break;
    case TUB_ACT_GELU_TANH:
        finish(x, e, TUB_ACT_GELU_TANH, wide, slim, count);
        break;
    case TUB_ACT_QUICK_GELU:
        finish(x, e, TUB_ACT_QUICK_GELU, wide, slim, count);
        break;
    case TUB_ACT_SILU:
        finish(x, e, TUB_ACT_SILU, wide, slim, count);
        break;
    case TUB_ACT_TANH:
        finish(x, e, TUB_ACT_TANH, wide, slim, count);
        break;
    default:
        finish(x, e, TUB_ACT_NONE, wide, slim, count);
    }
}

static void finish_wide(const float *x, const tub_epilogue *e, float *out, int count)
{
    finish_any(x, e, out, NULL, count);
}

static void finish_narrow(const float *x, const tub_epilogue *e, void *out, int count)
{
    finish_any(x, e, NULL, out, count);
}

// A block's columns are a multiple of LANES, except at the matrix's edge.
INLINE void finish_rows(const tub_finish_block *b, const tub_integer_sums *integers, tub_activation activation,
                        bool wide)
{
    tub_epilogue e = b->epilogue;
    for (int r = 0; r < b->rows; r++) {
        const float *x = b->x + (size_t)r * b->x_stride;
        const size_t at = (size_t)r * b->out_stride;
        finish_sums(x, integers, integers ? integers->rows[r] : 0, &e, activation, wide ? (float *)b->out + at : NULL,
                    wide ? NULL : (narrow *)b->out + at, b->cols);
        e.residual = e.residual ? e.residual + b->residual_stride : NULL;
    }
}

static void finish_rows_any(const tub_finish_block *b)
{
    tub_epilogue e = b->epilogue;
    for (int r = 0; r < b->rows; r++) {
        const float *x = b->x + (size_t)r * b->x_stride;
        const size_t at = (size_t)r * b->out_stride;
        finish_any(x, &e, b->wide ? (float *)b->out + at : NULL, b->wide ? NULL : (narrow *)b->out + at, b->cols);
        e.residual = e.residual ? e.residual + b->residual_stride : NULL;
    }
}

INLINE void finish_sums_block(const tub_finish_block *b, const tub_integer_sums *integers)
{
    if (b->epilogue.activation == TUB_ACT_NONE && b->wide)
        finish_rows(b, integers, TUB_ACT_NONE, true);
    else if (b->epilogue.activation == TUB_ACT_NONE)
        finish_rows(b, integers, TUB_ACT_NONE, false);
    else if (b->epilogue.activation == TUB_ACT_GELU && !b->wide)
        finish_rows(b, integers, TUB_ACT_GELU, false);
    else
        finish_rows_any(b);
}

#if WITH_INT8
// Activations without their own loop for integers: a panel's columns are converted to floats first.
static void finish_integers(const tub_finish_block *b)
{
    enum { MOST = 4 * LANES };
    float sums[MOST];
    tub_finish_block one = *b;
    if (b->epilogue.activation == TUB_ACT_NONE || (b->epilogue.activation == TUB_ACT_GELU && !b->wide)) {
        finish_sums_block(b, &b->integers);
        return;
    }
    one.x = sums;
    one.rows = 1;
    for (int r = 0; r < b->rows; r++) {
        for (int i = 0; i < b->cols; i += LANES) {
            const int n = b->cols - i < LANES ? b->cols - i : LANES;
            const float *x = b->x + (size_t)r * b->x_stride;
            v_store_part(sums + i, n, sum_lanes(x, &b->integers, b->integers.rows[r], i, n));
        }
        one.out = (char *)b->out + (size_t)r * b->out_stride * (b->wide ? sizeof(float) : sizeof(narrow));
        one.epilogue.residual = b->epilogue.residual ? b->epilogue.residual + (size_t)r * b->residual_stride : NULL;
        finish_rows_any(&one);
    }
}
#endif

static void finish_block(const tub_finish_block *b)
{
#if WITH_INT8
    if (b->integers.columns) {
        finish_integers(b);
        return;
    }
#endif
    finish_sums_block(b, NULL);
}
