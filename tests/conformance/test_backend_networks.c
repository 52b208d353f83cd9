// Every backend on whole small networks: close to `reference`, and the same bytes whatever the batch, the position in
// it, the threads, and whether the last hidden state is requested.
#include "backend_fixture.h"

enum { ITEMS = 16 };

// A clip model: tubelets, a table of positions, joint attention, layer scale, mean.
static void clip_network(fixture *f, bool is_float)
{
    enum { WIDTH = 48, HEADS = 2, MLP = 100 };
    begin(f, 11, is_float, 4, 28, 26);
    tub_program *p = f->program;
    tub_value x = tub_patches(p, "patches", 2, 4, 4);
    const int rows = p->values[x].rows, patch = p->values[x].cols;
    x = tub_linear(p, "embed", x, weight(f, WIDTH, patch), vector(f, WIDTH, 0, 0.1), TUB_ACT_NONE, TUB_WIDE);
    x = tub_add_table(p, "positions", x, constant(f, TUB_F32, rows, WIDTH, 0, 0.5));
    for (int layer = 0; layer < 3; layer++) {
        tub_value h = tub_norm_rows(p, "norm 1", x, TUB_NORM_LAYER, vector(f, WIDTH, 1, 0.1), vector(f, WIDTH, 0, 0.1),
                                    1e-6, TUB_NARROW);
        h = tub_linear(p, "qkv", h, weight(f, 3 * WIDTH, WIDTH), vector(f, 3 * WIDTH, 0, 0.1), TUB_ACT_NONE,
                       TUB_NARROW);
        h = tub_attention(p, "attention", h, HEADS, WIDTH / HEADS, 0.3);
        x = tub_linear_residual(p, "out", h, weight(f, WIDTH, WIDTH), vector(f, WIDTH, 0, 0.1),
                                vector(f, WIDTH, 1, 0.2), x);
        h = tub_norm_rows(p, "norm 2", x, TUB_NORM_LAYER, vector(f, WIDTH, 1, 0.1), vector(f, WIDTH, 0, 0.1), 1e-6,
                          TUB_NARROW);
        h = tub_linear(p, "up", h, weight(f, MLP, WIDTH), vector(f, MLP, 0, 0.1), TUB_ACT_GELU, TUB_NARROW);
        x = tub_linear_residual(p, "down", h, weight(f, WIDTH, MLP), vector(f, WIDTH, 0, 0.1), tub_no_tensor(), x);
    }
    const tub_value tokens =
        tub_norm_rows(p, "norm", x, TUB_NORM_LAYER, vector(f, WIDTH, 1, 0.1), tub_no_tensor(), 1e-6, TUB_WIDE);
    end(f, tub_mean(p, "mean", x), tokens);
}

// A frame model: class token and registers, rotated patches, gated MLP, the class token's row as output.
static void frame_network(fixture *f, bool is_float)
{
    enum { WIDTH = 60, HEADS = 3, MLP = 64, FIRST = 5 };
    begin(f, 12, is_float, 1, 45, 60);
    tub_program *p = f->program;
    tub_value x = tub_patches(p, "patches", 1, 4, 4);
    const int rows = p->values[x].rows, patch = p->values[x].cols;
    x = tub_linear(p, "embed", x, weight(f, WIDTH, patch), tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    x = tub_prepend(p, "class token", x, constant(f, TUB_F32, FIRST, WIDTH, 0, 1));
    const tub_tensor cosine = angle(f, rows, WIDTH / HEADS), sine = angle(f, rows, WIDTH / HEADS);
    for (int layer = 0; layer < 3; layer++) {
        tub_value h =
            tub_norm_rows(p, "norm 1", x, TUB_NORM_RMS, vector(f, WIDTH, 1, 0.1), tub_no_tensor(), 1e-6, TUB_NARROW);
        h = tub_linear(p, "qkv", h, weight(f, 3 * WIDTH, WIDTH), tub_no_tensor(), TUB_ACT_NONE, TUB_NARROW);
        h = tub_rotate(p, "rotate", h, cosine, sine, HEADS, WIDTH / HEADS, 2, FIRST, TUB_PAIR_HALVES);
        h = tub_attention(p, "attention", h, HEADS, WIDTH / HEADS, 0.3);
        x = tub_linear_residual(p, "out", h, weight(f, WIDTH, WIDTH), tub_no_tensor(), tub_no_tensor(), x);
        h = tub_norm_rows(p, "norm 2", x, TUB_NORM_RMS, vector(f, WIDTH, 1, 0.1), tub_no_tensor(), 1e-6, TUB_NARROW);
        h = tub_linear(p, "gate and up", h, weight(f, 2 * MLP, WIDTH), tub_no_tensor(), TUB_ACT_NONE, TUB_NARROW);
        h = tub_gate(p, "gate", h, TUB_ACT_SILU);
        x = tub_linear_residual(p, "down", h, weight(f, WIDTH, MLP), tub_no_tensor(), vector(f, WIDTH, 1, 0.2), x);
    }
    const tub_value tokens =
        tub_norm_rows(p, "norm", x, TUB_NORM_LAYER, vector(f, WIDTH, 1, 0.1), vector(f, WIDTH, 0, 0.1), 1e-6, TUB_WIDE);
    end(f, tub_rows(p, "class token", tokens, 0, 1), tokens);
}

// Ends in attention with one constant query and an MLP on a single row.
static void pool_network(fixture *f, bool is_float)
{
    enum { WIDTH = 64, HEADS = 2, MLP = 130 };
    begin(f, 13, is_float, 2, 30, 40);
    tub_program *p = f->program;
    tub_value x = tub_patches(p, "patches", 1, 3, 5);
    x = tub_linear(p, "embed", x, weight(f, WIDTH, p->values[x].cols), tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    const tub_value tokens =
        tub_norm_rows(p, "norm", x, TUB_NORM_LAYER, vector(f, WIDTH, 1, 0.1), tub_no_tensor(), 1e-6, TUB_WIDE);
    tub_value h =
        tub_norm_rows(p, "keys", tokens, TUB_NORM_LAYER, vector(f, WIDTH, 1, 0.1), tub_no_tensor(), 1e-6, TUB_NARROW);
    h = tub_linear(p, "kv", h, weight(f, 2 * WIDTH, WIDTH), vector(f, 2 * WIDTH, 0, 0.1), TUB_ACT_NONE, TUB_NARROW);
    h = tub_attention_pool(p, "pool", constant(f, TUB_F32, 1, WIDTH, 0, 1), h, HEADS, WIDTH / HEADS, 0.2);
    x = tub_linear(p, "out", h, weight(f, WIDTH, WIDTH), vector(f, WIDTH, 0, 0.1), TUB_ACT_NONE, TUB_WIDE);
    h = tub_norm_rows(p, "norm 2", x, TUB_NORM_LAYER, vector(f, WIDTH, 1, 0.1), tub_no_tensor(), 1e-6, TUB_NARROW);
    h = tub_linear(p, "up", h, weight(f, MLP, WIDTH), vector(f, MLP, 0, 0.1), TUB_ACT_GELU_TANH, TUB_NARROW);
    x = tub_linear_residual(p, "down", h, weight(f, WIDTH, MLP), tub_no_tensor(), tub_no_tensor(), x);
    end(f, x, tokens);
}

// Attention in groups, with few keys and with many, on reordered rows; two values that are added and joined.
static void divided_network(fixture *f, bool is_float)
{
    enum { WIDTH = 40, HEADS = 2, FRAMES = 3, PATCHES = 42 };
    begin(f, 14, is_float, FRAMES, 24, 28);
    tub_program *p = f->program;
    int *index = tub_arena_alloc(&f->arena, FRAMES * PATCHES, sizeof *index);
    assert_non_null(index);
    for (int i = 0; i < FRAMES * PATCHES; i++)
        index[i] = i % FRAMES * PATCHES + i / FRAMES;
    tub_value x = tub_patches(p, "patches", 1, 4, 4);
    x = tub_linear(p, "embed", x, weight(f, WIDTH, p->values[x].cols), tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    tub_value h =
        tub_norm_rows(p, "norm", x, TUB_NORM_LAYER, vector(f, WIDTH, 1, 0.1), tub_no_tensor(), 1e-6, TUB_NARROW);
    h = tub_linear(p, "qkv", h, weight(f, 3 * WIDTH, WIDTH), vector(f, 3 * WIDTH, 0, 0.1), TUB_ACT_NONE, TUB_NARROW);
    h = tub_norm_slices(p, "norm of q, k", h, TUB_NORM_L2, vector(f, 2 * WIDTH, 2, 0.1), 1e-12, WIDTH / HEADS,
                        2 * HEADS);
    tub_value y = tub_attention_groups(p, "frames", h, HEADS, WIDTH / HEADS, 1.0, FRAMES);
    x = tub_linear_residual(p, "out", y, weight(f, WIDTH, WIDTH), vector(f, WIDTH, 0, 0.1), tub_no_tensor(), x);
    y = tub_attention_groups(p, "patches", tub_gather(p, "order", h, index, FRAMES * PATCHES), HEADS, WIDTH / HEADS,
                             1.0, PATCHES);
    y = tub_linear(p, "out", y, weight(f, WIDTH, WIDTH), tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    x = tub_add(p, "sum", y, tub_gather(p, "order", x, index, FRAMES * PATCHES));
    const tub_value mean = tub_mean(p, "mean", x);
    end(f, mean, tub_concat(p, "joined", mean, x));
}

// Any operation on any earlier value: backends share memory between such values, and may get it wrong. All values are
// [rows, WIDTH]; `kept` are those to choose from.
enum { RANDOM_WIDTH = 24, RANDOM_STEPS = 30 };

static tub_value any_value(fixture *f, const tub_value *kept, int count, tub_width width)
{
    tub_value v;
    do
        v = kept[between(f, count > 4 ? count - 5 : 0, count - 1)];
    while (f->program->values[v].width != width && between(f, 0, 20));
    if (f->program->values[v].width == width)
        return v;
    return tub_norm_rows(f->program, "other width", v, TUB_NORM_RMS, vector(f, RANDOM_WIDTH, 1, 0.1), tub_no_tensor(),
                         1e-3, width);
}

static const int *any_order(fixture *f, int rows)
{
    int *index = tub_arena_alloc(&f->arena, (size_t)rows, sizeof *index);
    assert_non_null(index);
    for (int i = 0; i < rows; i++)
        index[i] = between(f, 0, rows - 1);
    return index;
}

static tub_value any_operation(fixture *f, const tub_value *kept, int count, const tub_tensor *angles)
{
    enum { C = RANDOM_WIDTH };
    tub_program *p = f->program;
    const tub_width width = between(f, 0, 1) ? TUB_WIDE : TUB_NARROW;
    const tub_value wide = any_value(f, kept, count, TUB_WIDE), narrow = any_value(f, kept, count, TUB_NARROW);
    tub_value h;
    const int rows = p->values[wide].rows;
    switch (between(f, 0, 12)) {
    case 0:
        return tub_linear(p, "linear", narrow, weight(f, C, C), vector(f, C, 0, 0.1), TUB_ACT_GELU, width);
    case 1:
        return tub_linear_residual(p, "residual", narrow, weight(f, C, C), tub_no_tensor(), vector(f, C, 1, 0.1), wide);
    case 2:
        return tub_norm_rows(p, "norm", between(f, 0, 1) ? wide : narrow, TUB_NORM_LAYER, vector(f, C, 1, 0.1),
                             tub_no_tensor(), 1e-2, width);
    case 3:
        return tub_add_table(p, "table", wide, constant(f, TUB_F32, p->values[wide].rows, C, 0, 0.1));
    case 4:
        return tub_rotate(p, "rotate", narrow, angles[0], angles[1], 2, C / 2, 1, 1, TUB_PAIR_INTERLEAVED);
    case 5:
        h = tub_linear(p, "qkv", narrow, weight(f, 3 * C, C), tub_no_tensor(), TUB_ACT_NONE, TUB_NARROW);
        return tub_attention(p, "attention", h, 2, C / 2, 0.2);
    case 6:
        h = tub_linear(p, "gate and up", narrow, weight(f, 2 * C, C), tub_no_tensor(), TUB_ACT_NONE, TUB_NARROW);
        return tub_gate(p, "gate", h, TUB_ACT_SILU);
    case 7:
        return tub_add(p, "add", wide, any_value(f, kept, count, TUB_WIDE));
    case 8:
        h = width == TUB_WIDE ? wide : narrow;
        return tub_concat(p, "halves exchanged", tub_rows(p, "lower", h, rows / 2, rows - rows / 2),
                          tub_rows(p, "upper", h, 0, rows / 2));
    case 9:
        return tub_gather(p, "order", width == TUB_WIDE ? wide : narrow, any_order(f, rows), rows);
    case 10:
        return tub_norm_slices(p, "slices", width == TUB_WIDE ? wide : narrow, TUB_NORM_L2, vector(f, C - 4, 1, 0.1),
                               1e-2, (C - 4) / 2, 2);
    case 11:
        h = tub_linear(p, "qkv", narrow, weight(f, 3 * C, C), tub_no_tensor(), TUB_ACT_NONE, TUB_NARROW);
        return tub_attention_groups(p, "groups", h, 2, C / 2, 0.2, rows / 5);
    default:
        return tub_rows(p, "all rows", width == TUB_WIDE ? wide : narrow, 0, p->values[wide].rows);
    }
}

static void random_program(fixture *f, uint64_t seed)
{
    begin(f, seed, false, 1, 12, 15);
    tub_program *p = f->program;
    tub_value kept[RANDOM_STEPS + 1];
    const tub_value x = tub_patches(p, "patches", 1, 3, 3);
    const int rows = p->values[x].rows;
    const tub_tensor angles[2] = {angle(f, rows - 1, RANDOM_WIDTH / 2), angle(f, rows - 1, RANDOM_WIDTH / 2)};
    kept[0] =
        tub_linear(p, "embed", x, weight(f, RANDOM_WIDTH, p->values[x].cols), tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    for (int i = 1; i <= RANDOM_STEPS; i++)
        kept[i] = any_operation(f, kept, i, angles);
    const tub_value tokens = any_value(f, kept, RANDOM_STEPS + 1, TUB_WIDE);
    const tub_value last = any_value(f, kept, RANDOM_STEPS + 1, TUB_WIDE);
    tub_value y = tub_norm_rows(p, "norm", last, TUB_NORM_LAYER, vector(f, RANDOM_WIDTH, 1, 0.1), tub_no_tensor(), 1e-2,
                                TUB_WIDE);
    y = tub_rows(p, "row", y, between(f, 0, rows - 1), 1);
    end(f, y, tokens);
}

typedef void (*network)(fixture *f, bool is_float);
static const network networks[] = {clip_network, frame_network, pool_network, divided_network};
enum { NETWORKS = sizeof networks / sizeof *networks };

// What a network returns for ITEMS items: [ITEMS, dim] rows, then [ITEMS, tokens] of the last hidden state.
typedef struct result {
    size_t dim, tokens;
    float *rows, *hidden;
} result;

static result new_result(const fixture *f)
{
    result r = {.dim = value_count(f, f->program->feature), .tokens = value_count(f, f->program->tokens)};
    r.rows = calloc(ITEMS * (r.dim + r.tokens), sizeof *r.rows);
    assert_non_null(r.rows);
    r.hidden = r.rows + ITEMS * r.dim;
    return r;
}

// All items, `batch` at a time. The batch is filled up with other frames, so that positions change.
static result encode(const fixture *f, const tub_backend_ops *ops, tub_dtype dtype, int threads, int batch, bool hidden,
                     const void *const *frames)
{
    result r = new_result(f);
    machine m = start(f, ops, dtype, threads, batch, hidden);
    for (int first = 0; first < ITEMS; first += batch) {
        const int items = ITEMS - first < batch ? ITEMS - first : batch;
        run_batch(&m, frames + first * f->input.frames, items, r.rows + (size_t)first * r.dim,
                  hidden ? r.hidden + (size_t)first * r.tokens : NULL);
    }
    stop(&m);
    return r;
}

static void check_error(const tub_backend_ops *ops, tub_dtype dtype, const network make, double bound)
{
    fixture f;
    make(&f, true);
    const void **frames = frames_of(&f, ITEMS);
    result wanted = encode(&f, &tub_backend_reference, TUB_F32, 2, ITEMS, true, frames);
    result got = encode(&f, ops, dtype, 2, ITEMS, true, frames);
    const double row = relative_error(got.rows, wanted.rows, ITEMS * got.dim);
    const double hidden = relative_error(got.hidden, wanted.hidden, ITEMS * got.tokens);
    if (!(row <= bound) || !(hidden <= bound))
        fail_msg("%s, %s: relative error %.3g of the rows, %.3g of the tokens", ops->name, tub_dtype_name(dtype), row,
                 hidden);
    free(wanted.rows);
    free(got.rows);
    finish(&f);
}

// Three layers accumulate what test_backend_operations allows for one operation.
static void test_near_to_reference(void **state)
{
    (void)state;
    for (size_t i = 0; under_test(i); i++)
        for (size_t n = 0; n < NETWORKS; n++) {
            check_error(under_test(i), TUB_F32, networks[n], 2e-6);
            if (offers(under_test(i), TUB_BF16))
                check_error(under_test(i), TUB_BF16, networks[n], 2e-2);
            // Factors are rounded to 1/254 of the largest of their row: the largest error seen is 1.8e-2.
            if (offers(under_test(i), TUB_INT8))
                check_error(under_test(i), TUB_INT8, networks[n], 3e-2);
            // Factors are rounded by up to 1/16 of themselves.
            if (offers(under_test(i), TUB_FP8))
                check_error(under_test(i), TUB_FP8, networks[n], 1e-1);
        }
}

// Thirty operations in a row, some of them steep: 1e-5. Wrongly shared memory gives errors near 1.
static void test_random_programs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 25; seed++) {
        fixture f;
        random_program(&f, seed);
        const void **frames = frames_of(&f, ITEMS);
        result wanted = encode(&f, &tub_backend_reference, TUB_F32, 1, ITEMS, true, frames);
        for (size_t i = 0; under_test(i); i++)
            for (int hidden = 0; hidden < 2; hidden++) {
                result got = encode(&f, under_test(i), TUB_F32, 2, ITEMS, hidden, frames);
                const double row = relative_error(got.rows, wanted.rows, ITEMS * got.dim);
                const double token = hidden ? relative_error(got.hidden, wanted.hidden, ITEMS * got.tokens) : 0;
                if (!(row <= 1e-5) || !(token <= 1e-5))
                    fail_msg("%s, seed %d: relative error %.3g, %.3g", under_test(i)->name, (int)seed, row, token);
                free(got.rows);
            }
        free(wanted.rows);
        finish(&f);
    }
}

static void check_same(const tub_backend_ops *ops, tub_dtype dtype, const network make, bool is_float)
{
    static const struct {
        int threads, batch;
        bool hidden;
    } ways[] = {{1, 1, false}, {1, 7, true}, {2, 16, false}, {2, 7, false}, {3, 16, true}, {3, 1, true}};
    fixture f;
    make(&f, is_float);
    const void **frames = frames_of(&f, ITEMS);
    result first = encode(&f, ops, dtype, 1, ITEMS, true, frames);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        result other = encode(&f, ops, dtype, ways[w].threads, ways[w].batch, ways[w].hidden, frames);
        assert_memory_equal(first.rows, other.rows, ITEMS * first.dim * sizeof(float));
        if (ways[w].hidden)
            assert_memory_equal(first.hidden, other.hidden, ITEMS * first.tokens * sizeof(float));
        free(other.rows);
    }
    free(first.rows);
    finish(&f);
}

static void test_same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; under_test(i); i++) {
        if (under_test(i) == &tub_backend_reference && tub_cpu_isa() > TUB_ISA_SCALAR)
            continue; // the same at every level, and slow
        for (size_t n = 0; n < NETWORKS; n++) {
            check_same(under_test(i), TUB_F32, networks[n], n % 2);
            if (offers(under_test(i), TUB_BF16))
                check_same(under_test(i), TUB_BF16, networks[n], n % 2 == 0);
            if (offers(under_test(i), TUB_INT8))
                check_same(under_test(i), TUB_INT8, networks[n], n % 2 == 0);
            if (offers(under_test(i), TUB_FP8))
                check_same(under_test(i), TUB_FP8, networks[n], n % 2 == 0);
        }
    }
}

// Two items with the same frames give the same row, and different items don't.
static void test_rows_follow_items(void **state)
{
    (void)state;
    for (size_t i = 0; under_test(i); i++) {
        fixture f;
        frame_network(&f, false);
        const void **frames = frames_of(&f, ITEMS);
        frames[9] = frames[2];
        result r = encode(&f, under_test(i), TUB_F32, 2, ITEMS, false, frames);
        assert_memory_equal(r.rows + 9 * r.dim, r.rows + 2 * r.dim, r.dim * sizeof(float));
        assert_memory_not_equal(r.rows + 9 * r.dim, r.rows + 8 * r.dim, r.dim * sizeof(float));
        free(r.rows);
        finish(&f);
    }
}

static void test_unsupported_names_the_way_out(void **state)
{
    (void)state;
    for (size_t i = 0; under_test(i); i++)
        for (tub_dtype dtype = TUB_F32; dtype <= TUB_F16; dtype++) {
            tub_error err = {0};
            const tub_status status = under_test(i)->supports(dtype, &err);
            if (status == TUB_OK)
                continue;
            assert_int_equal(status, TUB_ERROR_DEVICE);
            assert_non_null(strstr(err.text, "--dtype f32"));
        }
    tub_error err = {0};
    assert_int_equal(tub_backend_reference.supports(TUB_F32, &err), TUB_OK);
    assert_int_equal(tub_backend_reference.supports(TUB_BF16, &err), TUB_ERROR_DEVICE);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (!getenv("TUBELET_ISA"))
        return at_every_level(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_to_reference),
        cmocka_unit_test(test_random_programs),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_rows_follow_items),
        cmocka_unit_test(test_unsupported_names_the_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
