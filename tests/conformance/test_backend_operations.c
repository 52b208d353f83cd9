// Every backend compared with `reference`: each kind of operation over random shapes.
#include "backend_fixture.h"

enum { ITEMS = 3 };

// One operation between a random projection of the pixels and the mean, so that the result's error is the operation's
// own: `x` narrow and `wide` are [rows, cols] values to start from.
typedef struct start_values {
    tub_value patches; // narrow [rows, 3 * kt * ky * kx]
    int rows;
} start_values;

static start_values random_input(fixture *f, uint64_t seed)
{
    fixture sizes = {.state = seed * 77777 + 3};
    const int kt = between(&sizes, 1, 2), ky = between(&sizes, 2, 5), kx = between(&sizes, 2, 5);
    const int frames = kt * between(&sizes, 1, 3);
    const int height = ky * between(&sizes, 1, 9) + between(&sizes, 0, 1);
    const int width = kx * between(&sizes, 1, 9) + between(&sizes, 0, 1);
    begin(f, seed, seed % 2, frames, height, width);
    start_values v = {.patches = tub_patches(f->program, "patches", kt, ky, kx)};
    v.rows = f->program->values[v.patches].rows;
    return v;
}

static tub_value project(fixture *f, tub_value x, int cols, tub_width width)
{
    const int k = f->program->values[x].cols;
    return tub_linear(f->program, "project", x, weight(f, cols, k), vector(f, cols, 0, 0.2), TUB_ACT_NONE, width);
}

static tub_value to_tokens(fixture *f, tub_value x)
{
    if (f->program->values[x].width == TUB_WIDE)
        return x;
    // A norm makes it wide without changing the error's size.
    const int cols = f->program->values[x].cols;
    return tub_norm_rows(f->program, "widen", x, TUB_NORM_RMS, constant(f, TUB_F32, 0, cols, 1, 0), tub_no_tensor(),
                         1e-3, TUB_WIDE);
}

typedef tub_value (*build)(fixture *f, const start_values *start);

static tub_activation any_activation(fixture *f)
{
    return (tub_activation)between(f, TUB_ACT_NONE, TUB_ACT_TANH);
}

static tub_value build_patches(fixture *f, const start_values *s)
{
    (void)f;
    return s->patches;
}

static tub_value build_repeated_patches(fixture *f, const start_values *s)
{
    (void)s;
    return tub_patches(f->program, "patches", f->input.frames + between(f, 1, 2), 2, 2);
}

static tub_value build_linear(fixture *f, const start_values *s)
{
    const int cols = between(f, 1, 200), k = f->program->values[s->patches].cols;
    const tub_tensor bias = between(f, 0, 2) ? vector(f, cols, 0, 1) : tub_no_tensor();
    return tub_linear(f->program, "linear", s->patches, weight(f, cols, k), bias, any_activation(f),
                      between(f, 0, 1) ? TUB_WIDE : TUB_NARROW);
}

static tub_value build_residual(fixture *f, const start_values *s)
{
    const int cols = between(f, 1, 200), k = f->program->values[s->patches].cols;
    const tub_value residual = project(f, s->patches, cols, TUB_WIDE);
    const tub_tensor bias = between(f, 0, 2) ? vector(f, cols, 0, 1) : tub_no_tensor();
    const tub_tensor scale = between(f, 0, 1) ? vector(f, cols, 1, 0.5) : tub_no_tensor();
    return tub_linear_residual(f->program, "residual", s->patches, weight(f, cols, k), bias, scale, residual);
}

// More inputs than a backend sums at once, with any remainder.
static tub_value build_long(fixture *f, const start_values *s)
{
    const int cols = between(f, 1, 200), k = between(f, 700, 1700);
    const tub_value few = tub_rows(f->program, "few", s->patches, 0, s->rows < 20 ? s->rows : 20);
    return tub_linear(f->program, "long", project(f, few, k, TUB_NARROW), weight(f, cols, k), tub_no_tensor(),
                      TUB_ACT_NONE, TUB_WIDE);
}

static tub_value build_norm(fixture *f, const start_values *s)
{
    const int cols = between(f, 2, 200);
    const tub_value x = project(f, s->patches, cols, between(f, 0, 1) ? TUB_WIDE : TUB_NARROW);
    const tub_tensor bias = between(f, 0, 1) ? vector(f, cols, 0, 0.5) : tub_no_tensor();
    return tub_norm_rows(f->program, "norm", x, between(f, 0, 1) ? TUB_NORM_LAYER : TUB_NORM_RMS,
                         vector(f, cols, 1, 0.3), bias, 1e-5, between(f, 0, 1) ? TUB_WIDE : TUB_NARROW);
}

// One slice and the columns after it, or several slices.
static tub_value build_norm_slices(fixture *f, const start_values *s)
{
    const int dim = between(f, 2, 90), count = between(f, 1, 3);
    const tub_norm kind = (tub_norm[]){TUB_NORM_LAYER, TUB_NORM_RMS, TUB_NORM_L2}[between(f, 0, 2)];
    const tub_value x =
        project(f, s->patches, dim * count + between(f, 0, 1) * between(f, 1, 50), (tub_width)between(f, 0, 1));
    return tub_norm_slices(f->program, "slices", x, kind, vector(f, dim * count, 1, 0.3),
                           kind == TUB_NORM_L2 ? 1e-12 : 1e-6, dim, count);
}

static tub_value build_add_table(fixture *f, const start_values *s)
{
    const int cols = between(f, 1, 100);
    const tub_value x = project(f, s->patches, cols, (tub_width)between(f, 0, 1));
    return tub_add_table(f->program, "table", x, constant(f, any_type(f), s->rows, cols, 0, 1));
}

// `count` rows of x in any order.
static tub_value shuffled(fixture *f, tub_value x, int count)
{
    int *index = tub_arena_alloc(&f->arena, (size_t)count, sizeof *index);
    assert_non_null(index);
    for (int i = 0; i < count; i++)
        index[i] = between(f, 0, f->program->values[x].rows - 1);
    return tub_gather(f->program, "gather", x, index, count);
}

// Separate summands, or views of one value that cross each other and take more than one unit of work.
static tub_value build_add(fixture *f, const start_values *s)
{
    enum { ROWS = 1400, COLS = 100 };
    const int cols = between(f, 1, 100);
    if (between(f, 0, 1))
        return tub_add(f->program, "add", project(f, s->patches, cols, TUB_WIDE),
                       project(f, s->patches, cols, TUB_WIDE));
    const tub_value x = shuffled(f, project(f, s->patches, COLS, TUB_WIDE), ROWS);
    return tub_add(f->program, "add", tub_rows(f->program, "upper", x, 0, ROWS - 1),
                   tub_rows(f->program, "lower", x, 1, ROWS - 1));
}

static tub_value build_gather(fixture *f, const start_values *s)
{
    const tub_value x = project(f, s->patches, between(f, 1, 100), (tub_width)between(f, 0, 1));
    return shuffled(f, x, between(f, 1, 2 * s->rows));
}

static tub_value build_concat(fixture *f, const start_values *s)
{
    const int cols = between(f, 1, 100);
    const tub_width width = (tub_width)between(f, 0, 1);
    const tub_value x = project(f, s->patches, cols, width);
    return tub_concat(f->program, "concat", x, shuffled(f, project(f, s->patches, cols, width), between(f, 1, 9)));
}

static tub_value build_prepend(fixture *f, const start_values *s)
{
    const int cols = between(f, 1, 100);
    const tub_value x = project(f, s->patches, cols, TUB_WIDE);
    return tub_prepend(f->program, "prepend", x, constant(f, any_type(f), between(f, 1, 5), cols, 0, 1));
}

static tub_value build_rotate(fixture *f, const start_values *s)
{
    const int heads = between(f, 1, 4), dim = 2 * between(f, 1, 44), blocks = between(f, 1, 3);
    const int skip = between(f, 0, s->rows > 3 ? 3 : s->rows - 1);
    const tub_value x = project(f, s->patches, 3 * heads * dim, TUB_NARROW);
    return tub_rotate(f->program, "rotate", x, angle(f, s->rows - skip, dim), angle(f, s->rows - skip, dim), heads, dim,
                      blocks, skip, between(f, 0, 1) ? TUB_PAIR_HALVES : TUB_PAIR_INTERLEAVED);
}

static int any_dim(fixture *f)
{
    static const int dims[] = {4, 6, 20, 24, 32, 64, 72, 80, 88, 7, 1};
    return dims[between(f, 0, (int)(sizeof dims / sizeof *dims) - 1)];
}

static tub_value build_attention(fixture *f, const start_values *s)
{
    const int heads = between(f, 1, 4), dim = any_dim(f);
    const tub_value x = project(f, s->patches, 3 * heads * dim, TUB_NARROW);
    return tub_attention(f->program, "attention", x, heads, dim, 2.0 / sqrt(dim));
}

// Groups with few keys and with many.
static tub_value build_attention_groups(fixture *f, const start_values *s)
{
    const int heads = between(f, 1, 4), dim = any_dim(f), groups = between(f, 1, 7);
    const int rows = between(f, 0, 1) ? between(f, 1, 32) : between(f, 33, 70);
    const tub_value x = shuffled(f, project(f, s->patches, 3 * heads * dim, TUB_NARROW), groups * rows);
    return tub_attention_groups(f->program, "attention", x, heads, dim, 2.0 / sqrt(dim), groups);
}

static tub_value build_attention_values(fixture *f, const start_values *s)
{
    const int heads = between(f, 1, 4), dim = any_dim(f), groups = between(f, 1, 3);
    const tub_value q = shuffled(f, project(f, s->patches, heads * dim, TUB_NARROW), groups * between(f, 1, 9));
    const int keys = groups * between(f, 1, 50);
    const tub_value k = shuffled(f, project(f, s->patches, heads * dim, TUB_NARROW), keys);
    const tub_value v = shuffled(f, project(f, s->patches, heads * dim, TUB_NARROW), keys);
    return tub_attention_values(f->program, "attention", q, k, v, heads, dim, 2.0 / sqrt(dim), groups);
}

static tub_value build_attention_pool(fixture *f, const start_values *s)
{
    const int heads = between(f, 1, 4), dim = any_dim(f);
    const tub_value x = project(f, s->patches, 2 * heads * dim, TUB_NARROW);
    return tub_attention_pool(f->program, "pool", constant(f, any_type(f), between(f, 1, 5), heads * dim, 0, 1), x,
                              heads, dim, 2.0 / sqrt(dim));
}

static tub_value build_gate(fixture *f, const start_values *s)
{
    const tub_value x = project(f, s->patches, 2 * between(f, 1, 100), TUB_NARROW);
    return tub_gate(f->program, "gate", x, any_activation(f));
}

static tub_value build_rows(fixture *f, const start_values *s)
{
    const tub_value x = project(f, s->patches, between(f, 1, 100), between(f, 0, 1) ? TUB_WIDE : TUB_NARROW);
    const int first = between(f, 0, s->rows - 1);
    return tub_rows(f->program, "rows", x, first, between(f, 1, s->rows - first));
}

static tub_value build_mean(fixture *f, const start_values *s)
{
    return tub_mean(f->program, "mean",
                    project(f, s->patches, between(f, 1, 100), between(f, 0, 1) ? TUB_WIDE : TUB_NARROW));
}

static const struct {
    const char *name;
    build build;
} builders[] = {
    {"patches", build_patches},
    {"patches of a repeated item", build_repeated_patches},
    {"linear", build_linear},
    {"linear with residual", build_residual},
    {"norm", build_norm},
    {"norm of slices", build_norm_slices},
    {"add-table", build_add_table},
    {"add", build_add},
    {"prepend", build_prepend},
    {"rotate", build_rotate},
    {"attention", build_attention},
    {"attention in groups", build_attention_groups},
    {"attention of values apart", build_attention_values},
    {"attention with constant queries", build_attention_pool},
    {"gate", build_gate},
    {"rows", build_rows},
    {"gather", build_gather},
    {"concat", build_concat},
    {"mean", build_mean},
    {"linear of many inputs", build_long},
};

// float32: a rounding is 6e-8, and the largest error seen is 7e-7 (softmax of scores that were themselves rounded).
// bfloat16 rounds pixels, weights and narrow values by up to 2^-9 = 2e-3 each; the largest error seen is 8e-3. float16
// and TF32 have three bits more.
// int8 rounds the factors of a linear layer to 1/254 of the largest of their row; the largest error seen is 1.2e-2.
// fp8 rounds them by up to 2^-4 of themselves; the largest error seen is 8.2e-2, for steep scores.
static double bound(tub_dtype dtype)
{
    if (dtype == TUB_FP8)
        return 1e-1;
    return dtype == TUB_F32 ? 1.5e-6 : dtype == TUB_BF16 ? 1.5e-2 : dtype == TUB_INT8 ? 2e-2 : 2e-3;
}

static double one_program(const tub_backend_ops *ops, tub_dtype dtype, build make, uint64_t seed)
{
    fixture f;
    const start_values s = random_input(&f, seed);
    const tub_value tokens = to_tokens(&f, make(&f, &s));
    end(&f, tub_mean(f.program, "feature", tokens), tokens);
    const void **frames = frames_of(&f, ITEMS);
    const size_t count = value_count(&f, tokens), dim = value_count(&f, f.program->feature);
    float *memory = calloc(2 * ITEMS * (count + dim), sizeof *memory);
    assert_non_null(memory);
    float *wanted = memory, *got = memory + ITEMS * (count + dim);
    machine reference = start(&f, &tub_backend_reference, TUB_F32, 1, ITEMS, true);
    run_batch(&reference, frames, ITEMS, wanted + ITEMS * count, wanted);
    stop(&reference);
    machine tested = start(&f, ops, dtype, 2, ITEMS, true);
    run_batch(&tested, frames, ITEMS, got + ITEMS * count, got);
    stop(&tested);
    const double error = relative_error(got, wanted, ITEMS * count);
    free(memory);
    finish(&f);
    return error;
}

static void test_backend(const tub_backend_ops *ops, tub_dtype dtype)
{
    for (size_t kind = 0; kind < sizeof builders / sizeof *builders; kind++)
        for (uint64_t seed = 1; seed <= 24; seed++) {
            const double error = one_program(ops, dtype, builders[kind].build, 100 * kind + seed);
            if (!(error <= bound(dtype)))
                fail_msg("%s, %s, %s, seed %d: relative error %.3g", ops->name, tub_dtype_name(dtype),
                         builders[kind].name, (int)seed, error);
        }
}

static void test_float(void **state)
{
    (void)state;
    for (size_t i = 0; under_test(i); i++)
        test_backend(under_test(i), TUB_F32);
}

static void test_bfloat(void **state)
{
    (void)state;
    for (size_t i = 0; under_test(i); i++)
        if (offers(under_test(i), TUB_BF16))
            test_backend(under_test(i), TUB_BF16);
}

static void test_other_types(void **state)
{
    (void)state;
    for (size_t i = 0; under_test(i); i++) {
        if (offers(under_test(i), TUB_F16))
            test_backend(under_test(i), TUB_F16);
        if (offers(under_test(i), TUB_TF32))
            test_backend(under_test(i), TUB_TF32);
        if (offers(under_test(i), TUB_INT8))
            test_backend(under_test(i), TUB_INT8);
        if (offers(under_test(i), TUB_FP8))
            test_backend(under_test(i), TUB_FP8);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    if (!getenv("TUBELET_ISA"))
        return at_every_level(argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_float), cmocka_unit_test(test_bfloat),
                                       cmocka_unit_test(test_other_types)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
