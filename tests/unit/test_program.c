// Programs: what the builder refuses, what an output needs, and that no two live values share memory.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "memory.h"
#include "program.h"

static const float ones[64 * 64];

static tub_tensor matrix(int64_t rows, int64_t cols)
{
    return (tub_tensor){.name = "w", .dtype = TUB_F32, .rank = 2, .dims = {rows, cols}, .data = ones};
}

static tub_tensor vector(int64_t n)
{
    return (tub_tensor){.name = "b", .dtype = TUB_F32, .rank = 1, .dims = {n}, .data = ones};
}

static tub_program *begin(void)
{
    tub_input input = {.frames = 2, .height = 9, .width = 8};
    tub_program *p = NULL;
    assert_int_equal(tub_program_begin(&input, &p, NULL), TUB_OK);
    return p;
}

// One block over 2x2 patches of 4 pixels and 2 frames (4 tokens), with a class token: 5 tokens of 8 values.
static tub_program *small_transformer(tub_value *feature, tub_value *tokens)
{
    tub_program *p = begin();
    tub_value x = tub_patches(p, "patches", 2, 4, 4);
    x = tub_linear(p, "embed", x, matrix(8, 96), vector(8), TUB_ACT_NONE, TUB_WIDE);
    x = tub_prepend(p, "class token", x, matrix(1, 8));
    tub_value y = tub_norm_rows(p, "norm 1", x, TUB_NORM_LAYER, vector(8), vector(8), 1e-6, TUB_NARROW);
    y = tub_linear(p, "qkv", y, matrix(24, 8), vector(24), TUB_ACT_NONE, TUB_NARROW);
    y = tub_attention(p, "attention", y, 2, 4, 0.5);
    x = tub_linear_residual(p, "out", y, matrix(8, 8), vector(8), vector(8), x);
    *tokens = tub_norm_rows(p, "last norm", x, TUB_NORM_LAYER, vector(8), vector(8), 1e-6, TUB_WIDE);
    *feature = tub_rows(p, "class row", *tokens, 0, 1);
    return p;
}

static void builds_and_counts(void **state)
{
    (void)state;
    tub_value feature, tokens;
    tub_program *p = small_transformer(&feature, &tokens);
    tub_error err;
    assert_int_equal(tub_program_end(p, feature, tokens, &err), TUB_OK);
    assert_int_equal(p->values[0].rows, 4);
    assert_int_equal(p->values[0].cols, 96);
    assert_int_equal(p->values[tokens].rows, 5);
    const tub_op *embed = &p->ops[1];
    assert_true(tub_op_flops(p, embed) == 2.0 * 4 * 8 * 96);
    char text[4096];
    size_t length = tub_program_print(p, text, sizeof text);
    assert_true(length < sizeof text && strstr(text, "attention") && strstr(text, "-> feature"));
    assert_int_equal(tub_program_print(p, text, 10), length);
    tub_program_free(&p);
}

static void first_mistake_is_kept(void **state)
{
    (void)state;
    tub_program *p = begin();
    tub_value x = tub_patches(p, "patches", 2, 4, 4);
    tub_value bad = tub_linear(p, "embed", x, matrix(8, 95), tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    assert_int_equal(bad, TUB_NONE);
    tub_value worse = tub_mean(p, "mean", bad);
    tub_error err;
    assert_int_equal(tub_program_end(p, worse, bad, &err), TUB_ERROR_INTERNAL);
    assert_non_null(strstr(err.text, "embed"));
    tub_program_free(&p);
    p = begin();
    assert_int_equal(tub_patches(p, "patches", 2, 10, 4), TUB_NONE);
    assert_int_equal(tub_program_end(p, 0, 0, NULL), TUB_ERROR_INTERNAL);
    tub_program_free(&p);
}

// Two frames count as 4 * 2 because a patch spans 4.
static void repeats_short_items(void **state)
{
    (void)state;
    tub_program *p = begin();
    tub_value x = tub_patches(p, "patches", 4, 4, 4);
    assert_int_equal(p->values[x].rows, 2 * 4);
    assert_int_equal(p->values[x].cols, 3 * 4 * 16);
    tub_program_free(&p);
}

typedef tub_value (*wrong)(tub_program *p, tub_value narrow, tub_value wide);

static tub_value add_of_narrow(tub_program *p, tub_value narrow, tub_value wide)
{
    return tub_add(p, "wrong", wide, narrow);
}

static tub_value concat_of_two_widths(tub_program *p, tub_value narrow, tub_value wide)
{
    return tub_concat(p, "wrong", wide, narrow);
}

static tub_value gather_of_no_row(tub_program *p, tub_value narrow, tub_value wide)
{
    (void)narrow;
    return tub_gather(p, "wrong", wide, (const int[]){0, 4}, 2);
}

static tub_value gather_of_nothing(tub_program *p, tub_value narrow, tub_value wide)
{
    (void)narrow;
    return tub_gather(p, "wrong", wide, (const int[]){0}, 0);
}

static tub_value uneven_groups(tub_program *p, tub_value narrow, tub_value wide)
{
    (void)wide;
    return tub_attention_groups(p, "wrong", narrow, 1, 4, 0.5, 3);
}

static tub_value values_of_other_heads(tub_program *p, tub_value narrow, tub_value wide)
{
    (void)wide;
    return tub_attention_values(p, "wrong", narrow, narrow, narrow, 2, 4, 0.5, 1);
}

static tub_value keys_without_values(tub_program *p, tub_value narrow, tub_value wide)
{
    (void)wide;
    return tub_attention_values(p, "wrong", narrow, narrow, tub_rows(p, "rows", narrow, 0, 2), 3, 4, 0.5, 1);
}

static tub_value slices_beyond_the_row(tub_program *p, tub_value narrow, tub_value wide)
{
    (void)wide;
    return tub_norm_slices(p, "wrong", narrow, TUB_NORM_L2, vector(16), 1e-12, 8, 2);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    static const wrong cases[] = {add_of_narrow,     concat_of_two_widths,  gather_of_no_row,    gather_of_nothing,
                                  uneven_groups,     values_of_other_heads, keys_without_values, slices_beyond_the_row};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tub_program *p = begin();
        tub_value x = tub_patches(p, "patches", 2, 4, 4);
        tub_value narrow = tub_linear(p, "narrow", x, matrix(12, 96), tub_no_tensor(), TUB_ACT_NONE, TUB_NARROW);
        tub_value wide = tub_linear(p, "wide", x, matrix(12, 96), tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
        assert_int_equal(p->status, TUB_OK);
        assert_int_equal(cases[i](p, narrow, wide), TUB_NONE);
        assert_non_null(strstr(p->error.text, "wrong"));
        tub_program_free(&p);
    }
}

static void counts_groups_and_copies(void **state)
{
    (void)state;
    tub_program *p = begin();
    tub_value x = tub_patches(p, "patches", 2, 4, 4);
    tub_value qkv = tub_linear(p, "qkv", x, matrix(12, 96), tub_no_tensor(), TUB_ACT_NONE, TUB_NARROW);
    tub_value all = tub_attention(p, "all", qkv, 1, 4, 0.5);
    tub_value halves = tub_attention_groups(p, "halves", qkv, 1, 4, 0.5, 2);
    tub_value twice = tub_concat(p, "twice", all, halves);
    assert_true(tub_op_flops(p, &p->ops[p->values[all].first_op]) == 4.0 * 4 * 4 * 4);
    assert_true(tub_op_flops(p, &p->ops[p->values[halves].first_op]) == 4.0 * 4 * 4 * 2);
    assert_true(tub_op_flops(p, &p->ops[p->values[twice].first_op]) == 0);
    assert_int_equal(p->values[twice].rows, 8);
    assert_string_equal(tub_op_name(TUB_OP_PATCHES), "patches");
    assert_string_equal(tub_op_name(TUB_OP_ADD), "add");
    assert_string_equal(tub_op_name(TUB_OP_GATHER), "gather");
    assert_string_equal(tub_op_name(TUB_OP_MEAN), "mean");
    tub_program_free(&p);
}

static void needed_without_tokens(void **state)
{
    (void)state;
    tub_program *p = begin();
    tub_value x = tub_patches(p, "patches", 2, 4, 4);
    x = tub_linear(p, "embed", x, matrix(8, 96), tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    tub_value feature = tub_mean(p, "mean", x);
    tub_value tokens = tub_norm_rows(p, "only for tokens", x, TUB_NORM_RMS, vector(8), tub_no_tensor(), 1e-6, TUB_WIDE);
    assert_int_equal(tub_program_end(p, feature, tokens, NULL), TUB_OK);
    bool need[4];
    tub_program_needed(p, false, need);
    assert_true(need[0] && need[1] && need[2] && !need[3]);
    tub_program_needed(p, true, need);
    assert_true(need[3]);
    tub_program_free(&p);
}

// Two values may overlap in memory only if one is dead before the other is created.
static void live_values_never_overlap(void **state)
{
    (void)state;
    tub_value feature, tokens;
    tub_program *p = small_transformer(&feature, &tokens);
    assert_int_equal(tub_program_end(p, feature, tokens, NULL), TUB_OK);
    bool need[TUB_PROGRAM_OPS];
    size_t offsets[TUB_PROGRAM_VALUES], bytes, all = 0;
    tub_program_needed(p, true, need);
    assert_int_equal(tub_program_place(p, need, 2, offsets, &bytes, NULL), TUB_OK);
    for (int a = 0; a < p->value_count; a++) {
        const tub_value_info *va = &p->values[a];
        size_t size = (size_t)va->rows * (size_t)va->cols * (va->width == TUB_WIDE ? 4 : 2);
        all += size;
        assert_int_equal(offsets[a] % 64, 0);
        assert_true(offsets[a] + size <= bytes);
        for (int b = a + 1; b < p->value_count; b++)
            if (p->values[b].first_op <= va->last_op)
                assert_true(offsets[b] >= offsets[a] + size ||
                            offsets[a] >= offsets[b] + (size_t)p->values[b].rows * (size_t)p->values[b].cols *
                                                           (p->values[b].width == TUB_WIDE ? 4 : 2));
    }
    assert_true(bytes < all + 64 * (size_t)p->value_count);
    tub_program_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_and_counts),
        cmocka_unit_test(first_mistake_is_kept),
        cmocka_unit_test(repeats_short_items),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(counts_groups_and_copies),
        cmocka_unit_test(needed_without_tokens),
        cmocka_unit_test(live_values_never_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
