// GPUs are monitored through the driver's library, here a fake one (its folder is in LD_LIBRARY_PATH).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/gpu_monitor.h>

static void test_reading(void **state)
{
    (void)state;
    tub_gpu_monitor *monitor = NULL;
    tub_gpu_reading reading;
    unsetenv("CUDA_VISIBLE_DEVICES");
    assert_int_equal(tub_gpu_monitor_open(3, &monitor, NULL), TUB_OK);
    assert_string_equal(tub_gpu_monitor_name(monitor), "Fake \"H100\"");
    tub_gpu_monitor_read(monitor, &reading);
    assert_true(reading.use == 0.87 && reading.power == 412.5 && reading.clock == 1755);
    assert_true(reading.memory_used == 30.0 * (1 << 30) && reading.memory_total == 80.0 * (1 << 30));
    assert_true(isnan(reading.temperature) && isnan(reading.decoder_use)); // this library has no functions for these
    tub_gpu_monitor_close(&monitor);
    assert_null(monitor);
    tub_gpu_monitor_close(&monitor);
    tub_gpu_monitor_close(NULL);
}

static tub_status open_as(const char *visible, int device, tub_error *err)
{
    tub_gpu_monitor *monitor = NULL;
    setenv("CUDA_VISIBLE_DEVICES", visible, 1);
    tub_status status = tub_gpu_monitor_open(device, &monitor, err);
    assert_true((status == TUB_OK) == (monitor != NULL));
    tub_gpu_monitor_close(&monitor);
    unsetenv("CUDA_VISIBLE_DEVICES");
    return status;
}

static void test_visible_devices(void **state)
{
    (void)state;
    tub_error err = {0};
    assert_int_equal(open_as("3", 0, &err), TUB_OK);
    assert_int_equal(open_as("1, 3", 1, &err), TUB_OK);
    assert_int_equal(open_as("1,GPU-5ca1ab1e,2", 1, &err), TUB_OK);
    assert_int_equal(open_as("1,3", 0, &err), TUB_ERROR_DEVICE);
    assert_int_equal(open_as("3", 1, &err), TUB_ERROR_DEVICE);
    assert_non_null(strstr(err.text, "GPU 1"));
    assert_int_equal(open_as("", 0, &err), TUB_ERROR_DEVICE);
    assert_int_equal(open_as("3", -1, &err), TUB_ERROR_ARGUMENT);
}

// CUDA's numbering isn't NVML's: the driver says which card is meant.
static void test_place_on_the_bus(void **state)
{
    (void)state;
    tub_error err = {0};
    setenv("FAKE_CUDA_BUS", "0000:65:00.0", 1);
    assert_int_equal(open_as("1,3", 0, &err), TUB_OK);
    setenv("FAKE_CUDA_BUS", "0000:17:00.0", 1);
    assert_int_equal(open_as("3", 0, &err), TUB_ERROR_DEVICE);
    unsetenv("FAKE_CUDA_BUS");
}

// The bus ID of its card is known, too.
static void test_part_of_a_card(void **state)
{
    (void)state;
    tub_gpu_monitor *monitor = NULL;
    tub_gpu_reading reading;
    setenv("FAKE_CUDA_BUS", "0000:65:00.0", 1);
    setenv("CUDA_VISIBLE_DEVICES", " MIG-0ddba11", 1);
    assert_int_equal(tub_gpu_monitor_open(0, &monitor, NULL), TUB_OK);
    assert_string_equal(tub_gpu_monitor_name(monitor), "Fake MIG 1g.10gb");
    tub_gpu_monitor_read(monitor, &reading);
    assert_true(reading.memory_total == 10.0 * (1 << 30));
    assert_true(isnan(reading.use)); // NVML has none for parts of a GPU
    tub_gpu_monitor_close(&monitor);
    unsetenv("CUDA_VISIBLE_DEVICES");
    unsetenv("FAKE_CUDA_BUS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reading), cmocka_unit_test(test_visible_devices),
                                       cmocka_unit_test(test_place_on_the_bus), cmocka_unit_test(test_part_of_a_card)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
