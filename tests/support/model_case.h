// Random checkpoints in the test's own folder, and models opened from them.
#ifndef TEST_MODEL_CASE_H
#define TEST_MODEL_CASE_H

#include "model.h"

// What a group of tests needs around each of its tests.
int test_models_set_up(void **state);
int test_models_tear_down(void **state);

// Makes a random checkpoint ("vit:tiny") in a subfolder of that name; returns its path, as test_path() does.
const char *test_model_init(const char *what, const char *name, uint64_t seed);
// A path in that folder, as test_path() returns it.
const char *test_model_path(const char *name);
// Sets (or with NULL removes) a key of a checkpoint's config.json. `value`: JSON.
void test_model_edit_config(const char *path, const char *key, const char *value);

tub_status test_model_try(const char *path, tub_model **out, tub_error *err);
// Fails the test if it can't be opened.
tub_model *test_model_open(const char *path);

// What a family reads from a config, which it must accept.
tub_config test_model_config(const char *model_type, const char *json);
// Configs that must be refused, with a text that names the file and contains `why`.
typedef struct test_bad_config {
    const char *model_type, *json, *why;
} test_bad_config;
void test_model_refuses_configs(const test_bad_config *rows, size_t count);

#endif
