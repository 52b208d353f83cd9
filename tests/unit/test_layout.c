// Templates of file names.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <tubelet/layout.h>

static tub_error err;

static void expect_name(const char *name, const char *stem, const char *split, const char *expected)
{
    char out[256];
    assert_int_equal(tub_layout_file_name(name, stem, split, out, sizeof out, &err), TUB_OK);
    assert_string_equal(out, expected);
}

static void test_names(void **state)
{
    (void)state;
    expect_name("{stem}", "v_abc", NULL, "v_abc");
    expect_name("v_{bare}", "v_abc", NULL, "v_abc");
    expect_name("v_{bare}", "abc", NULL, "v_abc");
    expect_name("{bare}", "v_", NULL, "v_");
    expect_name("{split}/{stem}-rgb", "a.b", "training", "training/a.b-rgb");
    expect_name("{stem}", "{split}", NULL, "{split}");      // a video's name is not a template
    char out[8];
    assert_int_equal(tub_layout_file_name("{split}/{stem}", "a", NULL, out, sizeof out, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "subset"));
    assert_int_equal(tub_layout_file_name("{stem}", "12345678", NULL, out, sizeof out, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_layout_file_name("{stem}", "1234567", NULL, out, sizeof out, &err), TUB_OK);
    assert_true(tub_layout_has_split("a/{split}_{stem}"));
    assert_false(tub_layout_has_split("{stem}"));
}

static tub_status check(tub_layout layout)
{
    return tub_layout_check(&layout, &err);
}

static void test_checks(void **state)
{
    (void)state;
    static const char *const good[] = {"{stem}", "v_{bare}", "{split}/{stem}", "a/b/{stem}_x", "{stem}.feat"};
    static const char *const bad[] = {"", "x", "{stem}{bare}", "{stem}{stem}", "{id}_{stem}", "{stem", "stem}", "/{stem}",
                                      "a//{stem}", "{stem}/", "../{stem}", "a/../{stem}", ".{stem}", "{split}{split}{stem}",
                                      "{stem}\n"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(check((tub_layout){.name = good[i]}), TUB_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(check((tub_layout){.name = bad[i]}), TUB_ERROR_ARGUMENT);
    char wide[TUB_LAYOUT_NAME + 2];
    memset(wide, 'a', sizeof wide);
    memcpy(wide, "{stem}", 6);
    wide[sizeof wide - 1] = 0;
    assert_int_equal(check((tub_layout){.name = wide}), TUB_ERROR_ARGUMENT);
    assert_int_equal(check((tub_layout){0}), TUB_OK);
    assert_int_equal(check((tub_layout){.container = TUB_CONTAINER_NPZ, .key = "feats", .dtype = TUB_F16}), TUB_OK);
    assert_int_equal(check((tub_layout){.container = TUB_CONTAINER_NPY, .key = "feats"}), TUB_ERROR_ARGUMENT);
    assert_int_equal(check((tub_layout){.key = "a/b"}), TUB_ERROR_ARGUMENT);
    assert_int_equal(check((tub_layout){.name = "caf\xe9_{stem}"}), TUB_ERROR_ARGUMENT);
    assert_int_equal(check((tub_layout){.name = "{stem}_caf\xc3"}), TUB_ERROR_ARGUMENT);
    assert_int_equal(check((tub_layout){.name = "{stem}_caf\xc3\xa9"}), TUB_OK);
    assert_int_equal(check((tub_layout){.dtype = TUB_BF16}), TUB_ERROR_ARGUMENT);
    assert_int_equal(check((tub_layout){.container = (tub_container)3}), TUB_ERROR_ARGUMENT);
}

static void test_containers(void **state)
{
    (void)state;
    tub_container c;
    assert_int_equal(tub_container_parse("npz", &c, &err), TUB_OK);
    assert_int_equal(c, TUB_CONTAINER_NPZ);
    assert_string_equal(tub_container_name(TUB_CONTAINER_NPY), "npy");
    assert_int_equal(tub_container_parse("h5", &c, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "npy, npz"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_checks), cmocka_unit_test(test_containers)};
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
