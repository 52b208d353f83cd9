// What a run of the CUDA backend's executable does, on the fake device: what is decided without a GPU.
// tests/conformance and tests/golden test that it computes the right thing, test_gpu_choices how it chooses algorithms.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
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

static void records_once_and_replays(void **state)
{
    (void)state;
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    gpu_subject_run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].captures, 1);
    assert_int_equal(fake_gpu_counted[0].replays, ITEMS / 8 - 1); // the first wave runs step by step
    assert_int_equal(s->informed + s->warned, 0);
    gpu_subject_stop(s);
}

static void runs_step_by_step_where_nothing_is_recorded(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    gpu_subject_wanted_rows(wanted);
    fake_gpu.no_graphs = true;
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    gpu_subject_run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].replays, 0);
    assert_int_equal(s->informed, 1);
    assert_non_null(strstr(s->last, "this device records nothing"));
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    gpu_subject_stop(s);
}

static void a_spoiled_recording_is_tried_again(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    gpu_subject_wanted_rows(wanted);
    for (int spoiled = 1; spoiled <= 3; spoiled++) {
        fake_gpu_reset();
        fake_gpu.spoiled = spoiled;
        gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
        gpu_subject_run_all(s, 8);
        assert_int_equal(fake_gpu_counted[0].captures, spoiled < 3 ? spoiled + 1 : 3);
        assert_int_equal(fake_gpu_counted[0].replays, spoiled < 3 ? ITEMS / 8 - 1 - spoiled : 0);
        assert_int_equal(s->informed, spoiled == 3);
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        gpu_subject_stop(s);
    }
}

static void attention_falls_back_and_says_so(void **state)
{
    (void)state;
    gpu_subject *s = gpu_subject_start(TUB_F16, 8, 0);
    gpu_subject_run_all(s, 8);
    assert_true(fake_gpu_counted[0].attends > 0);
    assert_int_equal(s->informed, 0);
    gpu_subject_stop(s);
    fake_gpu_reset();
    fake_gpu.no_attention = true;
    s = gpu_subject_start(TUB_F16, 8, 0);
    gpu_subject_run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].attends, 0);
    assert_int_equal(s->informed, 1);
    assert_non_null(strstr(s->last, "attention: attention by tubelet's own kernel"));
    gpu_subject_stop(s);
}

static void own_attention_is_on_tensor_cores_where_they_are(void **state)
{
    (void)state;
    static const struct {
        tub_dtype dtype;
        int major, code, flash;
    } ways[] = {{TUB_F16, 7, 0, 1},  {TUB_F16, 9, 0, 1},   {TUB_BF16, 8, 0, 1},
                {TUB_F32, 9, 0, 1},  {TUB_TF32, 8, 0, 1},  {TUB_F32, 7, 0, 0},
                {TUB_F16, 9, 70, 1}, {TUB_BF16, 9, 75, 0}, {TUB_F32, 8, 75, 0}}; // with an older card's code
    gpu_subject_without |= TUB_GPU_WITHOUT_CUDNN;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        fake_gpu_reset();
        fake_gpu.major = ways[i].major;
        fake_gpu.code = ways[i].code;
        gpu_subject *s = gpu_subject_start(ways[i].dtype, ITEMS, 0);
        gpu_subject_run_all(s, ITEMS);
        const atomic_int *kinds = fake_gpu_counted[0].kinds;
        assert_int_equal(kinds[TUB_GPU_FLASH] > 0, ways[i].flash);
        assert_int_equal(kinds[TUB_GPU_ATTENTION] > 0, !ways[i].flash);
        gpu_subject_stop(s);
    }
}

static void does_without_what_it_is_told(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    gpu_subject_wanted_rows(wanted);
    for (unsigned more = 0; more < 16; more++)
        for (int narrow = 0; narrow < 2; narrow++) {
            gpu_subject_without = TUB_GPU_WITHOUT_TUNING | more;
            gpu_subject *s = gpu_subject_start(narrow ? TUB_F16 : TUB_F32, 8, 0);
            gpu_subject_run_all(s, 8);
            assert_int_equal(s->informed + s->warned, 0); // nothing failed: the wave was asked for
            assert_int_equal(fake_gpu_counted[0].captures == 0, (more & TUB_GPU_WITHOUT_GRAPHS) != 0);
            assert_int_equal(fake_gpu_counted[0].copies == 0, (more & TUB_GPU_WITHOUT_OVERLAP) != 0);
            assert_int_equal(fake_gpu_counted[0].attends == 0, !narrow || (more & TUB_GPU_WITHOUT_CUDNN));
            if (!narrow)
                assert_memory_equal(s->rows, wanted, sizeof wanted);
            gpu_subject_stop(s);
            fake_gpu_reset();
        }
}

static void a_frame_is_uploaded_once(void **state)
{
    (void)state;
    gpu_subject *s = gpu_subject_start(TUB_F32, ITEMS, 0);
    const int before = fake_gpu_counted[0].uploads;
    gpu_subject_run_all(s, ITEMS);
    // Frames, and each wave's table of addresses.
    const int waves = (ITEMS + s->executable->wave - 1) / s->executable->wave;
    assert_int_equal(fake_gpu_counted[0].uploads - before, ITEMS + FRAMES - 1 + waves);
    gpu_subject_stop(s);
}

static void rows_are_the_same_in_any_batch(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    gpu_subject_wanted_rows(wanted);
    for (int batch = 1; batch <= ITEMS; batch += 3) {
        gpu_subject *s = gpu_subject_start(TUB_F32, batch, 0);
        gpu_subject_run_all(s, batch);
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        gpu_subject_stop(s);
    }
}

// Less memory by a limit or, if the libraries need more than was assumed, because less is there.
static void halves_until_it_fits(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    gpu_subject_wanted_rows(wanted);
    gpu_subject *s = gpu_subject_start(TUB_F32, ITEMS, 0);
    const int usual = s->executable->wave;
    const size_t whole = fake_gpu_counted[0].most_bytes;
    gpu_subject_stop(s);
    for (int by_limit = 0; by_limit < 2; by_limit++) {
        fake_gpu_reset();
        const size_t room = whole - whole / 2048 - 4096;
        fake_gpu.memory = by_limit ? 0 : room;
        fake_gpu.lies_free = by_limit ? 0 : 2 * whole;
        s = gpu_subject_start(TUB_F32, ITEMS, by_limit ? room : 0);
        assert_true(s->executable->wave < usual);
        assert_true(s->warned >= 1);
        assert_true(fake_gpu_counted[0].most_bytes <= room);
        gpu_subject_run_all(s, ITEMS);
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        gpu_subject_stop(s);
    }
}

// Known needs are computed, not tried: a card with less memory gets just as many items as it has room for.
static void takes_as_many_as_free_memory_holds(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    gpu_subject_wanted_rows(wanted);
    gpu_subject *s = gpu_subject_start(TUB_F32, ITEMS, 0);
    const int usual = s->executable->wave;
    const size_t whole = fake_gpu_counted[0].most_bytes,
                 constants = whole - s->executable->workspace.bytes - s->executable->rooms[0].frames.bytes;
    gpu_subject_stop(s);
    int before = usual + 1;
    for (size_t less = 0; less < 40000; less += 2500) {
        fake_gpu_reset();
        fake_gpu.memory = constants + (whole - constants - less) / 31 * 32 + 64;
        s = gpu_subject_start(TUB_F32, ITEMS, 0);
        const int wave = s->executable->wave;
        assert_int_equal(s->warned, 0);
        assert_int_equal(s->informed, wave < usual);
        assert_true(fake_gpu_counted[0].most_bytes <= fake_gpu.memory);
        assert_in_range(wave, 1, before);
        before = wave;
        gpu_subject_run_all(s, ITEMS);
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        gpu_subject_stop(s);
    }
    assert_in_range(before, 1, usual - 2);
}

static void refuses_where_not_one_item_fits(void **state)
{
    (void)state;
    tub_error err = {0};
    gpu_subject *s = calloc(1, sizeof *s);
    gpu_subject_build(s, 1);
    assert_int_equal(gpu_subject_open(s, TUB_F32, ITEMS, 1 << 20, &err), TUB_ERROR_MEMORY);
    assert_null(s->executable);
    assert_non_null(strstr(err.text, "the workspace"));
    gpu_subject_stop(s);
}

// Wherever memory is short in a run, the same work is done again with half the items, and later runs keep that.
static void halves_in_a_run_and_remembers(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    gpu_subject_wanted_rows(wanted);
    // Seven steps run one by one, seven are recorded, two replays.
    for (int call = 1; call <= 16; call++) {
        fake_gpu_reset();
        fake_gpu.short_call = call;
        gpu_subject *s = gpu_subject_start(TUB_F32, 16, 0);
        gpu_subject_run_all(s, 16);
        assert_int_equal(s->executable->wave, 8);
        assert_int_equal(s->warned, 1);
        assert_non_null(strstr(s->last, "8 items at once from now on instead of 16"));
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        gpu_subject_stop(s);
    }
}

static void a_device_that_fails_is_said(void **state)
{
    (void)state;
    for (int call = 1; call <= 18; call++) {
        tub_error err = {0};
        fake_gpu_reset();
        fake_gpu.fail_call = call;
        gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
        tub_status status = TUB_OK;
        for (int first = 0; status == TUB_OK && first < ITEMS; first += 8)
            status = gpu_subject_run(s, first, 8, &err);
        assert_int_equal(status, TUB_ERROR_DEVICE);
        assert_non_null(strstr(err.text, "fell off the bus"));
        gpu_subject_stop(s);
    }
}

static void after_a_failed_copy_none_is_under_way(void **state)
{
    (void)state;
    tub_error err = {0};
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    fake_gpu.fail_upload = fake_gpu_counted[0].uploads + 3;
    assert_int_equal(gpu_subject_run(s, 0, 8, &err), TUB_ERROR_DEVICE);
    assert_non_null(strstr(err.text, "a copy failed"));
    assert_int_equal(fake_gpu_counted[0].copies, 2);
    assert_int_equal(fake_gpu_counted[0].pending, 0);
    gpu_subject_stop(s);
}

static void what_float16_cannot_hold_is_computed_again(void **state)
{
    (void)state;
    tub_error err = {0};
    for (int major = 7; major <= 8; major++) {
        fake_gpu_reset();
        fake_gpu.major = major;
        gpu_subject *s = calloc(1, sizeof *s);
        gpu_subject_build(s, 3e5f);
        assert_int_equal(gpu_subject_open(s, TUB_F16, 8, 0, &err), TUB_OK);
        gpu_subject_run_all(s, 8);
        for (int i = 0; i < ITEMS * COLS; i++)
            assert_true(isfinite(s->rows[i]));
        assert_int_equal(s->executable->rescued, ITEMS);
        assert_int_equal(s->executable->rescue->dtype, major == 7 ? TUB_F32 : TUB_BF16);
        assert_int_equal(s->warned, 1);
        fake_gpu_backend.release(&s->executable);
        char told[80];
        snprintf(told, sizeof told, "%d rows overflowed in float16, computed in %s instead", ITEMS,
                 major == 7 ? "f32" : "bf16");
        assert_non_null(strstr(s->last, told));
        gpu_subject_stop(s);
    }
}

// Computing them takes memory, too: fewer items at once make room for it.
static void memory_is_made_for_what_float16_cannot_hold(void **state)
{
    (void)state;
    tub_error err = {0};
    float wanted[ITEMS * COLS];
    gpu_subject *s = calloc(1, sizeof *s);
    gpu_subject_build(s, 3e5f);
    assert_int_equal(gpu_subject_open(s, TUB_F16, ITEMS, 0, &err), TUB_OK);
    const int usual = s->executable->wave;
    const size_t whole = fake_gpu_counted[0].most_bytes;
    gpu_subject_run_all(s, ITEMS);
    memcpy(wanted, s->rows, sizeof wanted);
    const size_t both = fake_gpu_counted[0].most_bytes;
    gpu_subject_stop(s);
    fake_gpu_reset();
    s = calloc(1, sizeof *s);
    gpu_subject_build(s, 3e5f);
    assert_int_equal(gpu_subject_open(s, TUB_F16, ITEMS, both - 4096, &err), TUB_OK);
    assert_true(whole < both - 4096);
    assert_int_equal(s->executable->wave, usual);
    gpu_subject_run_all(s, ITEMS);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    assert_int_equal(s->executable->wave, (usual + 1) / 2);
    gpu_subject_stop(s);
}

// Linear layers of whole 16 columns and of 16 rows or more. How a row is rounded depends on that row alone.
static void fp8_is_for_linear_layers(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS], first[ITEMS * COLS];
    gpu_subject_wanted_rows(wanted);
    for (int batch = ITEMS; batch > 0; batch -= 13) {
        fake_gpu_reset();
        gpu_subject *s = gpu_subject_start(TUB_FP8, batch, 0);
        gpu_subject_run_all(s, batch);
        double apart = 0, size = 0;
        for (int i = 0; i < ITEMS * COLS; i++) {
            apart += pow((double)s->rows[i] - (double)wanted[i], 2);
            size += pow((double)wanted[i], 2);
        }
        assert_true(sqrt(apart / size) > 1e-3); // shows that it is fp8
        assert_true(sqrt(apart / size) < 5e-2);
        if (batch == ITEMS)
            memcpy(first, s->rows, sizeof first);
        assert_memory_equal(first, s->rows, sizeof first);
        assert_int_equal(s->informed + s->warned, 0);
        assert_true(fake_gpu_counted[0].kinds[TUB_GPU_QUANTISE] > 0);
        gpu_subject_stop(s);
    }
}

static void fp8_falls_back_layer_by_layer_and_says_so_once(void **state)
{
    (void)state;
    gpu_subject *s = gpu_subject_start(TUB_BF16, 8, 0);
    float wanted[ITEMS * COLS];
    gpu_subject_run_all(s, 8);
    memcpy(wanted, s->rows, sizeof wanted);
    gpu_subject_stop(s);
    fake_gpu_reset();
    fake_gpu.no_fp8 = true;
    s = gpu_subject_start(TUB_FP8, 8, 0);
    gpu_subject_run_all(s, 8);
    assert_int_equal(s->informed, 1);
    assert_non_null(strstr(s->last, "embed: in bf16: cuBLASLt has no fp8 product of 16 columns by 96 here"));
    assert_int_equal(fake_gpu_counted[0].kinds[TUB_GPU_QUANTISE], 0);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    gpu_subject_stop(s);
}

static void stops_when_asked(void **state)
{
    (void)state;
    tub_error err = {0};
    atomic_int asked = 1;
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    const tub_batch batch = {.items = 8, .frames = s->frames, .rows = s->rows, .stop = &asked};
    assert_int_equal(fake_gpu_backend.run(s->executable, &batch, &err), TUB_ERROR_CANCELLED);
    gpu_subject_stop(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset)
    const struct CMUnitTest tests[] = {
        TEST(records_once_and_replays),
        TEST(runs_step_by_step_where_nothing_is_recorded),
        TEST(a_spoiled_recording_is_tried_again),
        TEST(attention_falls_back_and_says_so),
        TEST(own_attention_is_on_tensor_cores_where_they_are),
        TEST(does_without_what_it_is_told),
        TEST(a_frame_is_uploaded_once),
        TEST(rows_are_the_same_in_any_batch),
        TEST(halves_until_it_fits),
        TEST(takes_as_many_as_free_memory_holds),
        TEST(refuses_where_not_one_item_fits),
        TEST(halves_in_a_run_and_remembers),
        TEST(a_device_that_fails_is_said),
        TEST(after_a_failed_copy_none_is_under_way),
        TEST(what_float16_cannot_hold_is_computed_again),
        TEST(memory_is_made_for_what_float16_cannot_hold),
        TEST(fp8_is_for_linear_layers),
        TEST(fp8_falls_back_layer_by_layer_and_says_so_once),
        TEST(stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
