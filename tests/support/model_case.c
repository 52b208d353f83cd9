#include "model_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <tubelet/checkpoint.h>

#include "temp_folder.h"

static char *folder;

int test_models_set_up(void **state)
{
    (void)state;
    folder = test_folder_make();
    return 0;
}

int test_models_tear_down(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

const char *test_model_path(const char *name)
{
    return test_path(folder, name);
}

const char *test_model_init(const char *what, const char *name, uint64_t seed)
{
    const char *path = test_model_path(name);
    tub_error err = {0};
    if (tub_checkpoint_init(what, path, seed, &err) != TUB_OK)
        fail_msg("%s: %s", what, err.text);
    return path;
}

void test_model_edit_config(const char *path, const char *key, const char *value)
{
    const char *file = test_path(path, "config.json");
    json_t *json = json_load_file(file, 0, NULL), *item = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    assert_true(json && (item || !value));
    if (item)
        json_object_set_new(json, key, item);
    else
        json_object_del(json, key);
    assert_int_equal(json_dump_file(json, file, 0), 0);
    json_decref(json);
}

tub_status test_model_try(const char *path, tub_model **out, tub_error *err)
{
    tub_checkpoint *c = NULL;
    *out = NULL;
    tub_status status = tub_checkpoint_open(path, &c, err);
    if (status == TUB_OK)
        status = tub_model_open(c, out, err);
    tub_checkpoint_close(&c);
    return status;
}

tub_model *test_model_open(const char *path)
{
    tub_model *m;
    tub_error err = {0};
    if (test_model_try(path, &m, &err) != TUB_OK)
        fail_msg("%s: %s", path, err.text);
    return m;
}

tub_config test_model_config(const char *model_type, const char *text)
{
    tub_config c = {0};
    tub_error err = {0};
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    if (tub_architecture_find(model_type)->read_config(json, &c, &err) != TUB_OK)
        fail_msg("%s %s: %s", model_type, text, err.text);
    json_decref(json);
    return c;
}

void test_model_refuses_configs(const test_bad_config *rows, size_t count)
{
    for (const test_bad_config *row = rows; row < rows + count; row++) {
        json_t *json = json_loads(row->json, 0, NULL);
        tub_config c;
        tub_error err = {0};
        assert_int_equal(tub_architecture_find(row->model_type)->read_config(json, &c, &err), TUB_ERROR_MODEL);
        json_decref(json);
        if (!strstr(err.text, row->why) || !strstr(err.text, "config.json"))
            fail_msg("%s: expected \"%s\", got \"%s\"", row->json, row->why, err.text);
    }
}
