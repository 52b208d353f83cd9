// The meaning of inputs and outputs, from their sizes alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "openvino_layout.h"
#include "openvino_output.h"

#define ANY                                                                                                            \
    {                                                                                                                  \
        0, -1                                                                                                          \
    }
#define IS(n)                                                                                                          \
    {                                                                                                                  \
        n, n                                                                                                           \
    }

typedef struct input {
    tub_ov_dimension dims[6];
    int rank;
    const char *told, *layout, *why; // layout NULL: refused, with `why`
} input;

static void layouts_are_recognised(void **state)
{
    (void)state;
    static const input inputs[] = {
        {{ANY, IS(3), IS(16), IS(224), IS(224)}, 5, NULL, "NCTHW", NULL},
        {{ANY, IS(16), IS(3), IS(224), IS(224)}, 5, NULL, "NTCHW", NULL},
        {{IS(1), IS(3), ANY, ANY, ANY}, 5, NULL, "NCTHW", NULL},
        {{IS(1), ANY, IS(3), ANY, ANY}, 5, NULL, "NTCHW", NULL},
        {{ANY, ANY, IS(16), ANY, ANY}, 5, NULL, "NCTHW", NULL},
        {{ANY, IS(16), ANY, ANY, ANY}, 5, NULL, "NTCHW", NULL},
        {{ANY, {1, 8}, {1, 2}, ANY, ANY}, 5, NULL, "NCTHW", NULL},
        {{IS(4), IS(3), IS(224), IS(224)}, 4, NULL, "NCHW", NULL},
        {{ANY, ANY, ANY, ANY}, 4, NULL, "NCHW", NULL},
        {{ANY, IS(3), IS(3), IS(8), IS(8)}, 5, NULL, NULL, "--input-layout"},
        {{ANY, ANY, ANY, IS(8), IS(8)}, 5, NULL, NULL, "--input-layout"},
        {{ANY, IS(3), IS(3), IS(8), IS(8)}, 5, "NTCHW", "NTCHW", NULL},
        {{ANY, IS(3), IS(3), IS(8), IS(8)}, 5, "NCTHW", "NCTHW", NULL},
        {{ANY, ANY, ANY, ANY, ANY}, 5, "NTCHW", "NTCHW", NULL},
        {{ANY, IS(3), IS(16), IS(8), IS(8)}, 5, "NTCHW", NULL, "3 channels"},
        {{ANY, IS(3), IS(8), IS(8)}, 4, "NCTHW", NULL, "[?, 3, 8, 8]"},
        {{ANY, IS(3), IS(8), IS(8)}, 4, "NHWC", NULL, "NCTHW, NTCHW and NCHW"},
        {{ANY, IS(224), IS(224), IS(3)}, 4, NULL, NULL, "isn't pixels"},
        {{ANY, IS(1), IS(16), IS(8), IS(8)}, 5, NULL, NULL, "isn't pixels"},
        {{ANY, IS(128)}, 2, NULL, NULL, "isn't pixels"},
        {{ANY}, 0, NULL, NULL, "isn't pixels"},
    };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        const input *in = &inputs[i];
        tub_input_shape shape;
        tub_error err = {0};
        tub_status status = tub_input_recognise(in->dims, in->rank, in->told, "m.onnx", &shape, &err);
        if ((status == TUB_OK) != (in->layout != NULL))
            fail_msg("input %zu: %s", i, err.text);
        if (status == TUB_OK)
            assert_string_equal(tub_input_layout_name(shape.layout), in->layout);
        else if (!strstr(err.text, in->why))
            fail_msg("input %zu: \"%s\" doesn't say \"%s\"", i, err.text, in->why);
    }
}

static void sizes_go_where_they_belong(void **state)
{
    (void)state;
    static const tub_ov_dimension clip[] = {ANY, IS(16), IS(3), IS(112), IS(96)}, frame[] = {IS(2), IS(3), ANY, IS(96)};
    tub_input_shape shape;
    int64_t dims[5];
    assert_int_equal(tub_input_recognise(clip, 5, NULL, "m", &shape, NULL), TUB_OK);
    assert_int_equal(tub_dimension_fixed(shape.items), 0);
    assert_int_equal(tub_dimension_fixed(shape.frames), 16);
    assert_int_equal(tub_input_dims(&shape, 4, 16, 112, 96, dims), 5);
    assert_memory_equal(dims, ((int64_t[]){4, 16, 3, 112, 96}), sizeof dims);
    assert_int_equal(tub_input_recognise(frame, 4, NULL, "m", &shape, NULL), TUB_OK);
    assert_int_equal(tub_dimension_fixed(shape.items), 2);
    assert_int_equal(tub_dimension_fixed(shape.height), 0);
    assert_int_equal(tub_input_dims(&shape, 2, 1, 64, 96, dims), 4);
    assert_memory_equal(dims, ((int64_t[]){2, 3, 64, 96}), 4 * sizeof *dims);
    assert_int_equal(tub_input_plane(TUB_NCTHW, 16, 10, 5, 2), (2 * 16 + 5) * 10);
    assert_int_equal(tub_input_plane(TUB_NTCHW, 16, 10, 5, 2), (5 * 3 + 2) * 10);
    assert_int_equal(tub_input_plane(TUB_NCHW, 1, 10, 0, 2), 20);
}

static void dimensions_take_their_range(void **state)
{
    (void)state;
    const tub_ov_dimension any = ANY, some = {2, 8}, one = IS(1);
    assert_true(tub_dimension_takes(any, 1000));
    assert_true(tub_dimension_takes(some, 2));
    assert_true(tub_dimension_takes(some, 8));
    assert_false(tub_dimension_takes(some, 9));
    assert_false(tub_dimension_takes(some, 1));
    assert_false(tub_dimension_takes(one, 2));
    assert_int_equal(tub_dimension_fixed(some), 0);
    assert_int_equal(tub_dimension_fixed(one), 1);
    char text[24];
    tub_dimensions_text((const tub_ov_dimension[]){ANY, IS(16), {2, 8}}, 3, text, sizeof text);
    assert_string_equal(text, "[?, 16, ?]");
    tub_dimensions_text((const tub_ov_dimension[]){ANY, IS(1234567), IS(1234567), IS(1234567)}, 4, text, sizeof text);
    assert_int_equal(strlen(text), sizeof text - 1);
}

static void forms_are_read(void **state)
{
    (void)state;
    tub_output_form form;
    tub_error err;
    assert_int_equal(tub_output_form_read((int64_t[]){2, 768}, 2, 2, "o", &form, &err), TUB_OK);
    assert_true(form.is_row && !form.is_map && form.tokens == 1 && form.dim == 768);
    assert_int_equal(tub_output_form_read((int64_t[]){1, 197, 768}, 3, 1, "o", &form, &err), TUB_OK);
    assert_true(!form.is_row && !form.is_map && form.tokens == 197 && form.dim == 768);
    assert_int_equal(tub_output_form_read((int64_t[]){1, 512, 7, 5}, 4, 1, "o", &form, &err), TUB_OK);
    assert_true(!form.is_row && form.is_map && form.tokens == 35 && form.dim == 512);
    assert_int_equal(tub_output_form_read((int64_t[]){1, 512, 2, 7, 5}, 5, 1, "o", &form, &err), TUB_OK);
    assert_int_equal(form.tokens, 70);
    assert_int_equal(tub_output_form_read((int64_t[]){768}, 1, 1, "o", &form, &err), TUB_ERROR_MODEL);
    assert_int_equal(tub_output_form_read((int64_t[]){1, 197, 768}, 3, 2, "o", &form, &err), TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "[1, 197, 768]"));
    assert_int_equal(tub_output_form_read((int64_t[]){1, 0, 768}, 3, 1, "o", &form, &err), TUB_ERROR_MODEL);
    assert_int_equal(tub_output_form_read((int64_t[]){1, 1 << 20, 1 << 20}, 3, 1, "o", &form, &err), TUB_ERROR_MODEL);
}

static void pools_fit_forms(void **state)
{
    (void)state;
    static const tub_output_form row = {1, 4, false, true}, tokens = {3, 4, false, false}, map = {6, 4, true, false};
    static const struct {
        const tub_output_form *form;
        tub_pool pool;
        bool good;
    } cases[] = {
        {&row, TUB_POOL_DEFAULT, true},    {&row, TUB_POOL_POOLER, true},     {&row, TUB_POOL_MEAN, false},
        {&row, TUB_POOL_CLS, false},       {&tokens, TUB_POOL_DEFAULT, true}, {&tokens, TUB_POOL_CLS, true},
        {&tokens, TUB_POOL_POOLER, false}, {&tokens, TUB_POOL_MEAN, true},    {&tokens, TUB_POOL_PATCH_MEAN, true},
        {&map, TUB_POOL_DEFAULT, true},    {&map, TUB_POOL_MEAN, true},       {&map, TUB_POOL_CLS, false},
        {&map, TUB_POOL_PATCH_MEAN, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tub_status status = tub_output_check_pool(cases[i].form, cases[i].pool, "o", NULL);
        if (status != (cases[i].good ? TUB_OK : TUB_ERROR_MODEL))
            fail_msg("case %zu", i);
    }
}

static void rows_are_pooled(void **state)
{
    (void)state;
    static const float data[] = {1, 2, 3, 5, 5, 11};
    static const tub_output_form tokens = {3, 2, false, false}, map = {3, 2, true, false}, row = {1, 6, false, true};
    float out[6];
    tub_output_pool(&tokens, TUB_POOL_DEFAULT, data, out);
    assert_memory_equal(out, ((float[]){3, 6}), 8);
    tub_output_pool(&tokens, TUB_POOL_CLS, data, out);
    assert_memory_equal(out, ((float[]){1, 2}), 8);
    tub_output_pool(&tokens, TUB_POOL_PATCH_MEAN, data, out);
    assert_memory_equal(out, ((float[]){4, 8}), 8);
    tub_output_pool(&map, TUB_POOL_MEAN, data, out);
    assert_memory_equal(out, ((float[]){2, 7}), 8);
    tub_output_pool(&row, TUB_POOL_DEFAULT, data, out);
    assert_memory_equal(out, data, sizeof data);
    tub_output_tokens(&map, data, out);
    assert_memory_equal(out, ((float[]){1, 5, 2, 5, 3, 11}), sizeof data);
    tub_output_tokens(&tokens, data, out);
    assert_memory_equal(out, data, sizeof data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_are_recognised),
        cmocka_unit_test(sizes_go_where_they_belong),
        cmocka_unit_test(dimensions_take_their_range),
        cmocka_unit_test(forms_are_read),
        cmocka_unit_test(pools_fit_forms),
        cmocka_unit_test(rows_are_pooled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
