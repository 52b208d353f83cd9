// The measured choice of a backend: measured once, remembered, obeyed; not measured if the result can't be kept.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/encoder/measured_backend.h"
#include "atomic_file.h"
#include "json.h"
#include "memory.h"
#include "temp_folder.h"

static int told;

static void count_lines(void *user, int level, const char *text)
{
    (void)user;
    (void)level;
    told += strstr(text, "measured") != NULL;
}

static const tub_log listener = {.write = count_lines};

static int setup(void **state)
{
    char *folder = test_folder_make();
    setenv("XDG_CACHE_HOME", folder, 1);
    *state = folder;
    told = 0;
    return 0;
}

static int teardown(void **state)
{
    test_folder_remove(*state);
    unsetenv("XDG_CACHE_HOME");
    return 0;
}

// Two names for one backend: chance decides which is faster, but one is chosen and kept.
static tub_backend_ops twin;

static tub_candidates twins(void)
{
    twin = tub_backend_native;
    twin.name = "twin";
    return (tub_candidates){.backends = {&tub_backend_native, &twin}, .count = 2, .dtype = TUB_F32};
}

static void old_library(char *out, size_t bytes)
{
    snprintf(out, bytes, "Twins 1.0");
}

static void new_library(char *out, size_t bytes)
{
    snprintf(out, bytes, "Twins 1.1");
}

static json_t *remembered(const char *folder, char **file)
{
    json_t *all = NULL;
    tub_error err = {0};
    *file = tub_format("%s/tubelet/backends.json", folder);
    assert_int_equal(tub_json_load(*file, TUB_ERROR_INPUT, &all, &err), TUB_OK);
    assert_int_equal(json_object_size(all), 1);
    return all;
}

static void test_measured_once(void **state)
{
    const tub_candidates c = twins();
    char *file = NULL;
    const tub_backend_ops *first = tub_measured_backend(&c, true, &listener);
    assert_int_equal(told, 1);
    json_t *all = remembered(*state, &file);
    json_t *entry = json_object_iter_value(json_object_iter(all));
    assert_string_equal(json_string_value(json_object_get(entry, "backend")), first->name);
    assert_true(json_real_value(json_object_get(json_object_get(entry, "seconds"), "native")) > 0);
    assert_true(json_real_value(json_object_get(json_object_get(entry, "seconds"), "twin")) > 0);
    assert_ptr_equal(tub_measured_backend(&c, true, &listener), first);
    assert_int_equal(told, 1);

    // A recorded answer is obeyed, whoever measured it.
    json_object_set_new(entry, "backend", json_string("twin"));
    assert_int_equal(json_dump_file(all, file, 0), 0);
    assert_ptr_equal(tub_measured_backend(&c, true, &listener), &twin);
    // Another type has its own answer.
    tub_candidates other = c;
    other.dtype = TUB_BF16;
    if (tub_backend_native.supports(TUB_BF16, NULL) == TUB_OK) {
        assert_non_null(tub_measured_backend(&other, true, &listener));
        assert_int_equal(told, 2);
    }
    json_decref(all);
    tub_free(file);
}

// Measurements of other kernels, or with another oneDNN, say nothing about these.
static void test_other_builds(void **state)
{
    tub_candidates c = twins();
    tub_error err = {0};
    char *file = NULL;
    (void)tub_measured_backend(&c, true, &listener);
    json_t *all = remembered(*state, &file);
    const char *key = json_object_iter_key(json_object_iter(all)), *id = strstr(key, tub_backends_identity());
    assert_non_null(id);
    char *other = tub_format("%.*sffffffffffff%s", (int)(id - key), key, id + strlen(tub_backends_identity()));
    json_t *changed = json_pack("{s:{s:s}, s:{s:s}}", key, "backend", "native", other, "backend", "twin");
    assert_int_equal(json_dump_file(changed, file, 0), 0);
    assert_ptr_equal(tub_measured_backend(&c, false, NULL), &tub_backend_native);
    json_object_del(changed, key);
    assert_int_equal(json_dump_file(changed, file, 0), 0);
    told = 0;
    assert_non_null(tub_measured_backend(&c, true, &listener));
    assert_int_equal(told, 1);
    json_decref(changed);
    assert_int_equal(tub_json_load(file, TUB_ERROR_INPUT, &changed, &err), TUB_OK);
    assert_int_equal(json_object_size(changed), 2); // the other build's stays
    json_decref(changed);
    json_decref(all);
    tub_free(other);
    tub_free(file);
}

static void test_other_libraries(void **state)
{
    (void)state;
    tub_candidates c = twins();
    twin.library = old_library;
    (void)tub_measured_backend(&c, true, &listener);
    (void)tub_measured_backend(&c, true, &listener);
    assert_int_equal(told, 1);
    twin.library = new_library;
    (void)tub_measured_backend(&c, true, &listener);
    assert_int_equal(told, 2);
}

static void test_not_measured(void **state)
{
    (void)state;
    const tub_candidates c = twins();
    // A caller that only asks gets the first.
    assert_ptr_equal(tub_measured_backend(&c, false, &listener), &tub_backend_native);
    // If nothing can be kept, nothing is measured.
    setenv("XDG_CACHE_HOME", "/proc/nothing", 1);
    assert_ptr_equal(tub_measured_backend(&c, true, &listener), &tub_backend_native);
    tub_candidates one = c;
    one.count = 1;
    assert_ptr_equal(tub_measured_backend(&one, true, &listener), &tub_backend_native);
    assert_int_equal(told, 0);
}

static tub_status run_slowly(tub_executable *executable, const tub_batch *batch, tub_error *err)
{
    for (int i = 0; i < 3; i++)
        (void)tub_backend_native.run(executable, batch, err);
    return tub_backend_native.run(executable, batch, err);
}

// A process that starts while another measures waits for its answer: shards must agree.
static void test_measured_by_one(void **state)
{
    tub_backend_ops slow = tub_backend_native;
    slow.name = "slow";
    slow.run = run_slowly;
    const tub_candidates c = {.backends = {&slow, &tub_backend_native}, .count = 2, .dtype = TUB_F32};
    char *file = tub_format("%s/tubelet/backends.json", (char *)*state);
    int status = -1;
    const pid_t child = fork();
    if (child == 0)
        _exit(tub_measured_backend(&c, true, NULL) == &tub_backend_native ? 0 : 1);
    while (access(file, F_OK) != 0 && waitpid(child, &status, WNOHANG) == 0)
        usleep(1000);
    assert_ptr_equal(tub_measured_backend(&c, true, &listener), &tub_backend_native);
    assert_int_equal(told, 0);
    if (status == -1)
        assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    tub_free(file);
}

static void test_broken_file(void **state)
{
    const tub_candidates c = twins();
    tub_error err = {0};
    char *folder = tub_format("%s/tubelet", (char *)*state), *file = tub_format("%s/backends.json", folder);
    assert_int_equal(tub_make_folder(folder, &err), TUB_OK);
    static const char *const texts[] = {"", "[1]", "{\"a\"", "{\"a\": {\"backend\": 7}}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(tub_atomic_save(file, texts[i], strlen(texts[i]), &err), TUB_OK);
        assert_ptr_equal(tub_measured_backend(&c, false, NULL), &tub_backend_native);
    }
    tub_free(folder);
    tub_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_measured_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_builds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_libraries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_measured, setup, teardown),
        cmocka_unit_test_setup_teardown(test_measured_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
