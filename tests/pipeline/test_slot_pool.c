// Frame slots and the resource plan.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "resource_plan.h"
#include "slot_pool.h"
#include "windower.h"

static void test_slots_are_counted(void **state)
{
    (void)state;
    tub_slot_pool *pool = NULL;
    assert_int_equal(tub_slot_pool_open(3, 100, &pool, NULL), TUB_OK);
    int slots[3];
    for (int i = 0; i < 3; i++) {
        slots[i] = tub_slot_pool_take(pool);
        assert_in_range(slots[i], 0, 2);
        memset(tub_slot_pool_memory(pool, slots[i]), i + 1, 100);
    }
    assert_int_equal(tub_slot_pool_free_count(pool), 0);
    for (int i = 0; i < 3; i++) {
        const unsigned char *memory = tub_slot_pool_memory(pool, slots[i]);
        assert_int_equal((uintptr_t)memory % 64, 0);
        assert_int_equal(memory[0], i + 1);
        assert_int_equal(memory[99], i + 1);
    }
    int twice[] = {slots[0], slots[0], slots[1]};
    tub_slot_pool_hold_all(pool, twice, 3);
    tub_slot_pool_release_all(pool, slots, 3);
    assert_int_equal(tub_slot_pool_free_count(pool), 1);
    tub_slot_pool_release(pool, slots[0]);
    assert_int_equal(tub_slot_pool_free_count(pool), 1);
    tub_slot_pool_release(pool, slots[0]);
    tub_slot_pool_release(pool, slots[1]);
    assert_int_equal(tub_slot_pool_free_count(pool), 3);
    tub_slot_pool_close(&pool);
    assert_null(pool);
    tub_slot_pool_close(&pool);
}

static void *take_one(void *pool)
{
    return (void *)(intptr_t)tub_slot_pool_take(pool);
}

static void note(void *context, bool starved)
{
    int *changes = context;
    changes[starved]++;
}

static void test_take_waits_and_tells(void **state)
{
    (void)state;
    tub_slot_pool *pool = NULL;
    int changes[2] = {0, 0};
    assert_int_equal(tub_slot_pool_open(1, 8, &pool, NULL), TUB_OK);
    tub_slot_pool_watch(pool, note, changes);
    int slot = tub_slot_pool_take(pool);
    assert_int_equal(changes[true], 0);
    pthread_t waiter;
    pthread_create(&waiter, NULL, take_one, pool);
    while (tub_slot_pool_waiting(pool) == 0)
        usleep(100);
    assert_int_equal(changes[true], 1);
    assert_int_equal(changes[false], 0);
    tub_slot_pool_release(pool, slot);
    void *got = NULL;
    pthread_join(waiter, &got);
    assert_int_equal((intptr_t)got, slot);
    assert_int_equal(changes[false], 1);
    assert_int_equal(tub_slot_pool_waiting(pool), 0);

    pthread_create(&waiter, NULL, take_one, pool);
    while (tub_slot_pool_waiting(pool) == 0)
        usleep(100);
    tub_slot_pool_stop(pool);
    pthread_join(waiter, &got);
    assert_int_equal((intptr_t)got, -1);
    assert_int_equal(tub_slot_pool_take(pool), -1);
    tub_slot_pool_close(&pool);
}

static void test_pool_that_is_too_large(void **state)
{
    (void)state;
    tub_slot_pool *pool = NULL;
    tub_error err = {0};
    assert_int_equal(tub_slot_pool_open(1 << 10, (size_t)1 << 60, &pool, &err), TUB_ERROR_MEMORY);
    assert_null(pool);
    assert_non_null(strstr(err.text, "slot"));
    assert_int_equal(tub_slot_pool_open(0, 8, &pool, &err), TUB_ERROR_INTERNAL);
}

static void test_bounds(void **state)
{
    (void)state;
    assert_int_equal(tub_slots_enough(2, 8, 16), 160);
    assert_int_equal(tub_slots_least(2, 16), 48);
    assert_int_equal(tub_slots_enough(1 << 20, 1 << 20, 1 << 20), INT32_MAX);
}

static tub_encoder_info clip_info(void)
{
    return (tub_encoder_info){.frames = 16, .dim = 8, .batch = 8, .pixel_bytes = 1000};
}

static tub_sampling windows(int stride)
{
    return (tub_sampling){.size = sizeof(tub_sampling), .clip_length = 16, .stride = stride, .interval = 1};
}

static void test_plan_with_enough_memory(void **state)
{
    (void)state;
    tub_encoder_info info = clip_info();
    tub_sampling s = windows(4);
    tub_extractor_params params = {.decode_threads = 3, .prefetch = 5};
    tub_resource_plan plan;
    assert_int_equal(tub_resource_plan_make(&info, &s, &params, 64, (size_t)1 << 34, &plan, NULL), TUB_OK);
    assert_int_equal(plan.workers, 3);
    assert_int_equal(plan.pinned, tub_windower_most_held(&s));
    assert_int_equal(plan.slots, tub_slots_enough(3, 13, plan.pinned));
    assert_int_equal(plan.slot_bytes, 1024);
    assert_int_equal(plan.ready, 13);
}

static void test_plan_in_little_memory(void **state)
{
    (void)state;
    tub_encoder_info info = clip_info();
    tub_sampling s = windows(16);
    int pinned = (int)tub_windower_most_held(&s);
    tub_extractor_params params = {.decode_threads = 4};
    tub_resource_plan plan;
    // Room for two videos' minimum, one slot short of three.
    params.slot_memory = (size_t)(tub_slots_least(3, pinned) - 1) * 1024;
    assert_int_equal(tub_resource_plan_make(&info, &s, &params, 8, (size_t)1 << 34, &plan, NULL), TUB_OK);
    assert_int_equal(plan.workers, 2);
    assert_int_equal(plan.asked_workers, 4);
    assert_int_equal(plan.slots, tub_slots_least(3, pinned) - 1);

    tub_error err = {0};
    params.slot_memory = (size_t)tub_slots_least(1, pinned) * 1024;
    assert_int_equal(tub_resource_plan_make(&info, &s, &params, 8, (size_t)1 << 34, &plan, &err), TUB_OK);
    assert_int_equal(plan.workers, 1);
    params.slot_memory--;
    assert_int_equal(tub_resource_plan_make(&info, &s, &params, 8, (size_t)1 << 34, &plan, &err), TUB_ERROR_MEMORY);
    assert_non_null(strstr(err.text, "memory"));
    assert_non_null(strstr(err.text, "clips of 16 frames"));
}

static int chosen(const char *device, int lanes, tub_decoder decoder, int processors, size_t slot_memory)
{
    tub_encoder_info info = clip_info();
    info.device = device;
    info.lanes = lanes;
    const tub_sampling s = windows(4);
    const tub_extractor_params params = {.decoder = decoder, .slot_memory = slot_memory};
    tub_resource_plan plan;
    assert_int_equal(tub_resource_plan_make(&info, &s, &params, processors, (size_t)1 << 34, &plan, NULL), TUB_OK);
    assert_int_equal(plan.asked_workers, plan.workers);
    return plan.workers;
}

static void test_workers_by_device(void **state)
{
    (void)state;
    assert_int_equal(chosen("cpu", 1, TUB_DECODER_AUTO, 128, 0), 8);
    assert_int_equal(chosen("cuda", 1, TUB_DECODER_AUTO, 16, 0), 16);
    assert_int_equal(chosen("cuda", 1, TUB_DECODER_CPU, 128, 0), 32);
    assert_int_equal(chosen("cuda", 1, TUB_DECODER_NVDEC, 128, 0), 16);
    // Threads that wait for GPUs' decoders take no processor.
    assert_int_equal(chosen("cuda", 1, TUB_DECODER_BOTH, 16, 0), 16 + 8);
    assert_int_equal(chosen("cuda", 2, TUB_DECODER_BOTH, 4, 0), 4 + 16);
    assert_int_equal(chosen("cuda", 4, TUB_DECODER_AUTO, 100, 0), 100);
    assert_int_equal(chosen("cuda", 16, TUB_DECODER_AUTO, 1000, 0), 256);
    // As many as leave enough slots for batches, or the usual eight.
    const tub_sampling s = windows(4);
    const int pinned = (int)tub_windower_most_held(&s), ready = 2 * clip_info().batch;
    assert_int_equal(chosen("cuda", 1, TUB_DECODER_AUTO, 64, (size_t)tub_slots_enough(20, ready, pinned) * 1024), 20);
    assert_int_equal(chosen("cuda", 1, TUB_DECODER_AUTO, 64, (size_t)tub_slots_enough(3, ready, pinned) * 1024), 8);
}

static void test_plan_by_default(void **state)
{
    (void)state;
    tub_encoder_info info = clip_info();
    info.per_frame = true;
    info.frames = 1;
    info.pixel_bytes = 1 << 20;
    info.batch = 1024;
    tub_sampling s = windows(4);
    tub_extractor_params params = {0};
    tub_resource_plan plan;
    assert_int_equal(tub_resource_plan_make(&info, &s, &params, 6, (size_t)1 << 34, &plan, NULL), TUB_OK);
    assert_int_equal(plan.pinned, 1);
    assert_in_range(plan.workers, 1, 6);
    assert_int_equal(plan.slots, 512); // 512 MiB
    assert_int_equal(tub_resource_plan_make(&info, &s, &params, 6, (size_t)1 << 30, &plan, NULL), TUB_OK);
    assert_int_equal(plan.slots, 128); // an eighth
    s.fps = 10;
    assert_int_equal(tub_resource_plan_make(&info, &s, &params, 6, (size_t)1 << 30, &plan, NULL), TUB_OK);
    assert_int_equal(plan.pinned, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_are_counted),       cmocka_unit_test(test_take_waits_and_tells),
        cmocka_unit_test(test_pool_that_is_too_large),  cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_plan_with_enough_memory), cmocka_unit_test(test_plan_in_little_memory),
        cmocka_unit_test(test_plan_by_default),         cmocka_unit_test(test_workers_by_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
