// Overlapping runs of the CUDA backend's executable, on the fake device: the same rows as one after the other, whatever
// happens to one of them, and no memory that one needs is used again too early by the other.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "fake_gpu_backend.h"
#include "gpu_subject.h"

static int reset(void **state)
{
    (void)state;
    fake_gpu_reset();
    gpu_subject_without = TUB_GPU_WITHOUT_TUNING;
    return 0;
}

static tub_batch batch_at(gpu_subject *s, int first, int size)
{
    return (tub_batch){.items = ITEMS - first < size ? ITEMS - first : size,
                       .frames = s->frames + first * FRAMES,
                       .rows = s->rows + first * COLS};
}

// Runs all items in batches of `size`, each begun while the one before is under way. The frames' pointers are released
// as soon as a run has ended. Returns the status of the first run that failed.
static tub_status run_overlapping(gpu_subject *s, int size, tub_error *err)
{
    const void *frames[2][ITEMS * FRAMES];
    tub_status status = TUB_OK;
    int begun = 0, ended = 0;
    while (ended * size < ITEMS) {
        if (begun * size < ITEMS && begun < ended + TUB_RUNS_BEGUN) {
            tub_batch batch = batch_at(s, begun * size, size);
            memcpy(frames[begun % 2], batch.frames, (size_t)(batch.items * FRAMES) * sizeof *batch.frames);
            batch.frames = frames[begun++ % 2];
            assert_int_equal(fake_gpu_backend.begin(s->executable, &batch, err), TUB_OK);
            continue;
        }
        const tub_status ending = fake_gpu_backend.end(s->executable, status == TUB_OK ? err : NULL);
        status = status == TUB_OK ? ending : status;
        memset(frames[ended++ % 2], 0, sizeof *frames);
    }
    return status;
}

static void check_rows(tub_dtype dtype, int batch, int size, size_t memory)
{
    float wanted[ITEMS * COLS];
    tub_error err = {0};
    const fake_gpu_params params = fake_gpu;
    fake_gpu_reset();
    gpu_subject *s = gpu_subject_start(dtype, ITEMS, 0);
    gpu_subject_run_all(s, ITEMS);
    memcpy(wanted, s->rows, sizeof wanted);
    gpu_subject_stop(s);
    fake_gpu_reset();
    fake_gpu = params;
    s = gpu_subject_start(dtype, batch, memory);
    if (run_overlapping(s, size, &err) != TUB_OK)
        fail_msg("%s", err.text);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    gpu_subject_stop(s);
}

static void the_same_rows(void **state)
{
    (void)state;
    static const tub_dtype dtypes[] = {TUB_F32, TUB_F16, TUB_BF16};
    for (int late = 0; late < 2; late++)
        for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
            for (int size = 1; size <= 20; size += 3) {
                fake_gpu_reset();
                fake_gpu.late = late;
                check_rows(dtypes[i], 20, size, 0);
            }
}

static void without_graphs(void **state)
{
    (void)state;
    fake_gpu.late = fake_gpu.no_graphs = true;
    check_rows(TUB_F32, 8, 8, 0);
}

// The device gets the second run's work before the first run has ended.
static void they_do_overlap(void **state)
{
    (void)state;
    fake_gpu.late = true;
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    const tub_batch one = batch_at(s, 0, 8), two = batch_at(s, 8, 8);
    assert_int_equal(fake_gpu_backend.begin(s->executable, &one, NULL), TUB_OK);
    const int pending = fake_gpu_counted[0].pending, uploads = fake_gpu_counted[0].copies;
    assert_true(pending > 0 && uploads > 0);
    assert_int_equal(fake_gpu_backend.begin(s->executable, &two, NULL), TUB_OK);
    assert_true(fake_gpu_counted[0].pending > pending);
    assert_true(fake_gpu_counted[0].copies > uploads);
    assert_int_equal(fake_gpu_backend.end(s->executable, NULL), TUB_OK);
    assert_true(fake_gpu_counted[0].pending > 0);
    assert_int_equal(fake_gpu_backend.end(s->executable, NULL), TUB_OK);
    assert_int_equal(fake_gpu_counted[0].pending, 0);
    gpu_subject_stop(s);
}

// Memory for values that float16 can't hold is allocated while another run is under way.
static void memory_is_made_for_what_float16_cannot_hold(void **state)
{
    (void)state;
    tub_error err = {0};
    float wanted[ITEMS * COLS];
    size_t memory = 0;
    for (int is_short = 0; is_short < 2; is_short++) {
        gpu_subject *s = calloc(1, sizeof *s);
        assert_non_null(s);
        fake_gpu_reset();
        fake_gpu.late = true;
        gpu_subject_build(s, 3e5f);
        assert_int_equal(gpu_subject_open(s, TUB_F16, 16, memory, &err), TUB_OK);
        const int usual = s->executable->wave;
        if (run_overlapping(s, 16, &err) != TUB_OK)
            fail_msg("%s", err.text);
        if (is_short)
            assert_memory_equal(s->rows, wanted, sizeof wanted);
        assert_int_equal(s->executable->rescued, ITEMS);
        assert_int_equal(s->executable->wave < usual, is_short);
        memcpy(wanted, s->rows, sizeof wanted);
        memory = fake_gpu_counted[0].most_bytes - 4096;
        gpu_subject_stop(s);
    }
}

// What was computed before isn't lost, wherever memory is short.
static void short_memory_halves(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    tub_error err = {0};
    gpu_subject_wanted_rows(wanted);
    for (int call = 1; call <= 16; call++)
        for (int times = 1; times <= 2; times++) {
            fake_gpu_reset();
            fake_gpu.late = true;
            fake_gpu.short_call = call;
            fake_gpu.short_times = times;
            gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
            if (run_overlapping(s, 8, &err) != TUB_OK)
                fail_msg("%s", err.text);
            assert_memory_equal(s->rows, wanted, sizeof wanted);
            assert_in_range(s->warned, 1, times);
            gpu_subject_stop(s);
        }
}

// Halved once, though neither of the two runs under way has found memory.
static void both_short_halve_once(void **state)
{
    (void)state;
    tub_error err = {0};
    fake_gpu.short_call = 1;
    fake_gpu.short_times = 2;
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    const int wave = s->executable->wave;
    assert_int_equal(run_overlapping(s, 8, &err), TUB_OK);
    assert_int_equal(s->warned, 1);
    assert_int_equal(s->executable->wave, (wave + 1) / 2);
    gpu_subject_stop(s);
}

// Not enough memory even for one item: the run fails. A later one, which had begun by then or begins afterwards, tries
// again with the memory there is.
static void no_memory_for_any_item(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    tub_error err = {0};
    gpu_subject_wanted_rows(wanted);
    for (int i = 0; i < 3; i++) {
        fake_gpu_reset();
        fake_gpu.short_call = 1;
        fake_gpu.short_times = 2;
        gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
        const tub_batch one = batch_at(s, 0, 8), two = batch_at(s, 8, 8);
        assert_int_equal(fake_gpu_backend.begin(s->executable, &one, NULL), TUB_OK);
        if (i == 0)
            assert_int_equal(fake_gpu_backend.begin(s->executable, &two, NULL), TUB_OK);
        s->backend->limit = 1; // a byte
        assert_int_equal(fake_gpu_backend.end(s->executable, &err), TUB_ERROR_MEMORY);
        s->backend->limit = 0;
        fake_gpu.short_call = 0;
        if (i == 1)
            assert_int_equal(fake_gpu_backend.begin(s->executable, &two, NULL), TUB_OK);
        if (i < 2)
            assert_int_equal(fake_gpu_backend.end(s->executable, &err), TUB_OK);
        else
            assert_int_equal(gpu_subject_run(s, 8, 8, &err), TUB_OK);
        assert_memory_equal(s->rows + 8 * COLS, wanted + 8 * COLS, 8 * COLS * sizeof *wanted);
        gpu_subject_stop(s);
    }
}

// There is memory for one run at a time: each then waits for the one before.
static void no_memory_for_a_second(void **state)
{
    (void)state;
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    const size_t used = s->backend->used;
    gpu_subject_stop(s);
    fake_gpu_reset();
    fake_gpu.late = true;
    check_rows(TUB_F32, 8, 8, used);
    assert_in_range(fake_gpu_counted[0].most_bytes, 1, used);
}

static void a_run_that_is_too_large_waits(void **state)
{
    (void)state;
    gpu_subject *s = gpu_subject_start(TUB_F32, ITEMS, 0);
    float wanted[ITEMS * COLS];
    tub_error err = {0};
    gpu_subject_run_all(s, ITEMS);
    memcpy(wanted, s->rows, sizeof wanted);
    s->executable->part_waves = 1;
    s->executable->wave = 5; // as if a part had room for no more
    assert_int_equal(run_overlapping(s, 13, &err), TUB_OK);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    gpu_subject_stop(s);
}

static void a_device_that_fails_says_so_at_the_end(void **state)
{
    (void)state;
    for (int call = 1; call < 16; call += 3) {
        fake_gpu_reset();
        fake_gpu.fail_call = call;
        fake_gpu.late = call % 2;
        gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
        tub_error err = {0};
        assert_int_equal(run_overlapping(s, 8, &err), TUB_ERROR_DEVICE);
        assert_non_null(strstr(err.text, "fell off the bus"));
        gpu_subject_stop(s);
    }
}

static void a_copy_that_fails_leaves_none_under_way(void **state)
{
    (void)state;
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    const int before = fake_gpu_counted[0].uploads;
    gpu_subject_stop(s);
    for (int at = 1; at < 40; at += 5) {
        fake_gpu_reset();
        fake_gpu.fail_upload = before + at;
        float wanted[ITEMS * COLS];
        tub_error err = {0};
        s = gpu_subject_start(TUB_F32, 8, 0);
        assert_int_equal(run_overlapping(s, 8, &err), TUB_OK); // memory is short once
        assert_int_equal(fake_gpu_counted[0].pending, 0);
        memcpy(wanted, s->rows, sizeof wanted);
        gpu_subject_run_all(s, 8);
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        gpu_subject_stop(s);
    }
}

static void rows_that_overflow_are_computed_again(void **state)
{
    (void)state;
    gpu_subject *s = calloc(1, sizeof *s);
    tub_error err = {0};
    float wanted[ITEMS * COLS];
    fake_gpu.late = true;
    gpu_subject_build(s, 1e6f);
    assert_int_equal(gpu_subject_open(s, TUB_F16, 8, 0, &err), TUB_OK);
    gpu_subject_run_all(s, 8);
    assert_int_equal(s->executable->rescued, ITEMS);
    memcpy(wanted, s->rows, sizeof wanted);
    assert_int_equal(run_overlapping(s, 8, &err), TUB_OK);
    assert_int_equal(s->executable->rescued, 2 * ITEMS);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    gpu_subject_stop(s);
}

static void an_interrupted_one_ends_cancelled(void **state)
{
    (void)state;
    const atomic_int stop = 1;
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    tub_batch one = batch_at(s, 0, 8), two = batch_at(s, 8, 8);
    two.stop = &stop;
    assert_int_equal(fake_gpu_backend.begin(s->executable, &one, NULL), TUB_OK);
    assert_int_equal(fake_gpu_backend.begin(s->executable, &two, NULL), TUB_OK);
    assert_int_equal(fake_gpu_backend.end(s->executable, NULL), TUB_OK);
    assert_int_equal(fake_gpu_backend.end(s->executable, NULL), TUB_ERROR_CANCELLED);
    gpu_subject_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_same_rows, reset),
        cmocka_unit_test_setup(without_graphs, reset),
        cmocka_unit_test_setup(they_do_overlap, reset),
        cmocka_unit_test_setup(memory_is_made_for_what_float16_cannot_hold, reset),
        cmocka_unit_test_setup(short_memory_halves, reset),
        cmocka_unit_test_setup(both_short_halve_once, reset),
        cmocka_unit_test_setup(no_memory_for_any_item, reset),
        cmocka_unit_test_setup(no_memory_for_a_second, reset),
        cmocka_unit_test_setup(a_run_that_is_too_large_waits, reset),
        cmocka_unit_test_setup(a_device_that_fails_says_so_at_the_end, reset),
        cmocka_unit_test_setup(a_copy_that_fails_leaves_none_under_way, reset),
        cmocka_unit_test_setup(rows_that_overflow_are_computed_again, reset),
        cmocka_unit_test_setup(an_interrupted_one_ends_cancelled, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
