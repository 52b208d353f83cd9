// What is found on this machine, and on one with an NVIDIA driver.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend.h"
#include "machine_impl.h"
#include "team.h"
#include "temp_folder.h"

static void gpus_of_a_driver(void **state)
{
    (void)state;
    tub_machine m = {0};
    tub_find_gpus(&m, TEST_FAKE_CUDA, TEST_FAKE_CUDA);
    assert_string_equal(m.info.driver, "550.54.15 (CUDA 12.4)");
    assert_string_equal(m.info.driver_reason, "");
    assert_int_equal(m.gpu_count, 2);
    assert_string_equal(m.gpus[0].name, "Fake V100");
    assert_int_equal(m.gpus[0].major, 7);
    assert_int_equal(m.gpus[1].minor, 0);
    assert_true(m.gpus[1].memory == (uint64_t)40 << 30);
}

static void no_management_library(void **state)
{
    (void)state;
    tub_machine m = {0};
    tub_find_gpus(&m, TEST_FAKE_CUDA, "libno-such-library.so.9");
    assert_string_equal(m.info.driver, "CUDA 12.4");
}

static void a_driver_without_gpus(void **state)
{
    (void)state;
    tub_machine m = {0};
    setenv("FAKE_CUDA", "none", 1);
    tub_find_gpus(&m, TEST_FAKE_CUDA, TEST_FAKE_CUDA);
    unsetenv("FAKE_CUDA");
    assert_int_equal(m.gpu_count, 0);
    assert_non_null(strstr(m.info.driver_reason, "CUDA error 100"));
}

static void no_driver(void **state)
{
    (void)state;
    tub_machine none = {0}, other = {0};
    tub_find_gpus(&none, "libno-such-library.so.9", "libno-such-library.so.9");
    assert_string_equal(none.info.driver, "");
    assert_non_null(strstr(none.info.driver_reason, "no NVIDIA driver: libno-such-library.so.9"));
    tub_find_gpus(&other, "libm.so.6", "libm.so.6");
    assert_non_null(strstr(other.info.driver_reason, "isn't NVIDIA's driver"));
}

// A row of the table for a machine with these GPUs.
static tub_optimisation_info optimisation(tub_machine *m, const char *name)
{
    m->optimisation_count = 0;
    tub_find_optimisations(m);
    for (size_t i = 0; i < m->optimisation_count; i++)
        if (!strcmp(m->optimisations[i].name, name))
            return m->optimisations[i];
    fail_msg("no row of %s", name);
    return m->optimisations[0];
}

static void reasons_of_gpu_optimisations(void **state)
{
    (void)state;
    tub_machine m = {.backends = {{.name = "cuda", .found = true}}, .backend_count = 1};
    snprintf(m.info.driver_reason, sizeof m.info.driver_reason, "no driver");
    assert_non_null(strstr(optimisation(&m, "tf32").reason, "no driver"));
    m.gpus[m.gpu_count++].major = 7;
    assert_false(optimisation(&m, "tf32").on);
    assert_non_null(strstr(optimisation(&m, "tf32").reason, "from compute capability 8.0 on; here: 7.0"));
    assert_true(optimisation(&m, "graphs").on);
    m.gpus[m.gpu_count++].major = 9;
    assert_true(optimisation(&m, "tf32").on);
    m.backends[0].found = false;
    snprintf(m.backends[0].reason, sizeof m.backends[0].reason, "not in this build");
    assert_false(optimisation(&m, "tf32").on);
    assert_non_null(strstr(optimisation(&m, "tf32").reason, "cuda backend: not in this build"));
}

static void this_machine(void **state)
{
    (void)state;
    tub_machine *m = NULL, *again = NULL;
    tub_backend_info b;
    tub_decoder_info d;
    tub_optimisation_info o;
    tub_folder_info f;
    bool reference = false, h264 = false, bf16 = false;
    assert_int_equal(tub_machine_open(NULL, &m, NULL), TUB_OK);
    const tub_machine_info *info = tub_machine_get_info(m);
    assert_true(info->processors >= 1 && info->processors <= info->allowed && info->allowed <= info->online);
    assert_int_equal(info->processors, tub_usable_processors());
    assert_true(info->memory > 0 && info->memory <= info->memory_installed);
    assert_true(info->libav[0] && info->libav_licence[0] && info->cpu[0]);
    for (size_t i = 0; tub_machine_backend_at(m, i, &b); i++)
        reference |= !strcmp(b.name, "reference") && b.found && !strcmp(b.dtypes, "f32");
    for (size_t i = 0; tub_machine_decoder_at(m, i, &d); i++)
        h264 |= !strcmp(d.codec, "h264") && strstr(d.software, "h264");
    bool has_bf16 = false;
    for (size_t i = 0; tub_backend_at(i); i++)
        has_bf16 |= tub_backend_at(i)->supports(TUB_BF16, NULL) == TUB_OK;
    for (size_t i = 0; tub_machine_optimisation_at(m, i, &o); i++)
        bf16 |= !strcmp(o.name, "bf16") && o.on == has_bf16;
    assert_true(reference && h264 && bf16);
    assert_false(tub_machine_folder(m, &f));
    assert_int_equal(tub_machine_open(NULL, &again, NULL), TUB_OK);
    assert_string_equal(info->hash, tub_machine_get_info(again)->hash);
    tub_machine_close(&again);
    tub_machine_close(&m);
    tub_machine_close(&m);
}

static void folders(void **state)
{
    (void)state;
    tub_machine *m = NULL;
    tub_folder_info f;
    char *folder = test_folder_make(), path[4096];
    snprintf(path, sizeof path, "%s/not/made", folder);
    const tub_machine_params params = {.size = sizeof params, .out = path};
    assert_int_equal(tub_machine_open(&params, &m, NULL), TUB_OK);
    assert_true(tub_machine_folder(m, &f));
    assert_string_equal(f.path, folder);
    assert_true(f.bytes_per_second > 0 && f.free_bytes > 0);
    assert_int_equal(access(path, F_OK), -1);
    tub_machine_close(&m);
    const tub_machine_params nowhere = {.size = sizeof nowhere, .out = "/proc/self/nothing"};
    assert_int_equal(tub_machine_open(&nowhere, &m, NULL), TUB_OK);
    assert_true(tub_machine_folder(m, &f));
    assert_true(f.bytes_per_second == 0);
    assert_non_null(strstr(f.reason, "can't be written"));
    tub_machine_close(&m);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpus_of_a_driver),
        cmocka_unit_test(no_management_library),
        cmocka_unit_test(a_driver_without_gpus),
        cmocka_unit_test(no_driver),
        cmocka_unit_test(reasons_of_gpu_optimisations),
        cmocka_unit_test(this_machine),
        cmocka_unit_test(folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
