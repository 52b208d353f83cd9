// The CUDA backend's executable on the fake device: what is decided without a GPU. That it computes the right thing is
// tests/conformance' and tests/golden's part.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fake_gpu.h"
#include "fake_gpu_backend.h"
#include "gpu_executable.h"
#include "temp_folder.h"

enum { FRAMES = 4, HEIGHT = 12, WIDTH = 12, COLS = 16, HEADS = 2, ITEMS = 40, PIXELS = 3 * HEIGHT * WIDTH };

typedef struct subject {
    tub_program *program;
    tub_backend *backend;
    tub_executable *executable;
    float weights[COLS * 3 * COLS + 3 * 2 * 4 * 4 * COLS], ones[3 * COLS];
    unsigned char pixels[ITEMS + FRAMES][PIXELS];
    const void *frames[ITEMS * FRAMES];
    float rows[ITEMS * COLS];
    int informed, warned;
    char last[TUB_ERROR_TEXT];
} subject;

static unsigned without; // of what is opened next

static void note(void *user, int level, const char *text)
{
    subject *s = user;
    s->warned += level == 0;
    s->informed += level == 1;
    snprintf(s->last, sizeof s->last, "%s", text);
}

static tub_tensor tensor(const float *data, int rows, int cols)
{
    tub_tensor t = {.name = "t", .dtype = TUB_F32, .rank = 2, .dims = {rows, cols}, .data = data};
    return t;
}

// Tubelets, one layer of attention with heads of COLS / HEADS columns, a mean. `big`: the qkv overflow float16.
static void build(subject *s, float big)
{
    tub_error err = {0};
    tub_input input = {.frames = FRAMES, .height = HEIGHT, .width = WIDTH};
    for (int i = 0; i < 3 * 256; i++)
        input.table[i / 256][i % 256] = (float)(i % 256) / 128 - 1;
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < sizeof s->weights / sizeof *s->weights; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        s->weights[i] = ((float)(state >> 40) / (1 << 23) - 1) / 4;
    }
    for (int i = 0; i < 3 * COLS; i++)
        s->ones[i] = big;
    unsigned char *pixel = &s->pixels[0][0];
    for (size_t i = 0; i < sizeof s->pixels; i++)
        pixel[i] = (unsigned char)(state >> (i % 50)) ^ (unsigned char)(i * 2654435761u >> 13);
    // As windows do it: clip i has frames i .. i + FRAMES - 1.
    for (int i = 0; i < ITEMS * FRAMES; i++)
        s->frames[i] = s->pixels[i / FRAMES + i % FRAMES];
    assert_int_equal(tub_program_begin(&input, &s->program, &err), TUB_OK);
    tub_program *p = s->program;
    tub_value x = tub_patches(p, "patches", 2, 4, 4);
    x = tub_linear(p, "embed", x, tensor(s->weights, COLS, 96), tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    const tub_tensor ones = {.name = "o", .dtype = TUB_F32, .rank = 1, .dims = {COLS}, .data = s->ones};
    tub_value y = tub_norm_rows(p, "norm", x, TUB_NORM_LAYER, ones, tub_no_tensor(), 1e-6, TUB_NARROW);
    y = tub_linear(p, "qkv", y, tensor(s->weights, 3 * COLS, COLS), tub_no_tensor(), TUB_ACT_NONE, TUB_NARROW);
    y = tub_attention(p, "attention", y, HEADS, COLS / HEADS, 0.3);
    x = tub_linear_residual(p, "out", y, tensor(s->weights, COLS, COLS), tub_no_tensor(), tub_no_tensor(), x);
    assert_int_equal(tub_program_end(p, tub_mean(p, "mean", x), x, &err), TUB_OK);
}

static tub_status open_with(subject *s, tub_dtype dtype, int items, size_t memory, tub_error *err)
{
    const tub_open_params opened = {.memory = memory, .without = without, .log = {note, s}};
    const tub_compile_params compiled = {.dtype = dtype, .max_items = items, .tokens = true};
    assert_int_equal(fake_gpu_backend.open(&opened, &s->backend, err), TUB_OK);
    return fake_gpu_backend.compile(s->backend, s->program, &compiled, &s->executable, err);
}

static subject *start(tub_dtype dtype, int items, size_t memory)
{
    subject *s = calloc(1, sizeof *s);
    tub_error err = {0};
    build(s, 1);
    if (open_with(s, dtype, items, memory, &err) != TUB_OK)
        fail_msg("%s", err.text);
    return s;
}

static tub_status run(subject *s, int first, int items, tub_error *err)
{
    const tub_batch batch = {.items = items, .frames = s->frames + first * FRAMES, .rows = s->rows + first * COLS};
    return fake_gpu_backend.run(s->executable, &batch, err);
}

static void run_all(subject *s, int batch)
{
    tub_error err = {0};
    for (int first = 0; first < ITEMS; first += batch)
        if (run(s, first, ITEMS - first < batch ? ITEMS - first : batch, &err) != TUB_OK)
            fail_msg("%s", err.text);
}

// Whatever happened, nothing stays on the device.
static void stop(subject *s)
{
    fake_gpu_backend.release(&s->executable);
    fake_gpu_backend.close(&s->backend);
    tub_program_free(&s->program);
    free(s);
    const fake_gpu_counts *c = &fake_gpu_counted[0];
    assert_int_equal(c->blocks, 0);
    assert_int_equal(c->bytes, 0);
    assert_int_equal(c->host_blocks, 0);
    assert_int_equal(c->plans, 0);
    assert_int_equal(c->graphs, 0);
}

static void wanted_rows(float *out)
{
    subject *s = start(TUB_F32, ITEMS, 0);
    run_all(s, ITEMS);
    memcpy(out, s->rows, sizeof s->rows);
    stop(s);
    fake_gpu_reset();
}

static int reset(void **state)
{
    (void)state;
    fake_gpu_reset();
    without = TUB_GPU_WITHOUT_TUNING;
    return 0;
}

static void records_once_and_replays(void **state)
{
    (void)state;
    subject *s = start(TUB_F32, 8, 0);
    run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].captures, 1);
    assert_int_equal(fake_gpu_counted[0].replays, ITEMS / 8 - 1); // the first wave runs step by step
    assert_int_equal(s->informed + s->warned, 0);
    stop(s);
}

static void runs_step_by_step_where_nothing_is_recorded(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    wanted_rows(wanted);
    fake_gpu.no_graphs = true;
    subject *s = start(TUB_F32, 8, 0);
    run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].replays, 0);
    assert_int_equal(s->informed, 1);
    assert_non_null(strstr(s->last, "this device records nothing"));
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    stop(s);
}

static void attention_falls_back_and_says_so(void **state)
{
    (void)state;
    subject *s = start(TUB_F16, 8, 0);
    run_all(s, 8);
    assert_true(fake_gpu_counted[0].attends > 0);
    assert_int_equal(s->informed, 0);
    stop(s);
    fake_gpu_reset();
    fake_gpu.no_attention = true;
    s = start(TUB_F16, 8, 0);
    run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].attends, 0);
    assert_int_equal(s->informed, 1);
    assert_non_null(strstr(s->last, "attention: attention by tubelet's own kernel"));
    stop(s);
}

static void own_attention_is_on_tensor_cores_where_they_are(void **state)
{
    (void)state;
    static const struct {
        tub_dtype dtype;
        int major, flash;
    } ways[] = {{TUB_F16, 7, 1}, {TUB_F16, 9, 1}, {TUB_BF16, 8, 1}, {TUB_F32, 9, 0}, {TUB_TF32, 8, 0}, {TUB_F32, 6, 0}};
    without |= TUB_GPU_WITHOUT_CUDNN;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        fake_gpu_reset();
        fake_gpu.major = ways[i].major;
        subject *s = start(ways[i].dtype, ITEMS, 0);
        run_all(s, ITEMS);
        const atomic_int *kinds = fake_gpu_counted[0].kinds;
        assert_int_equal(kinds[TUB_GPU_FLASH] > 0, ways[i].flash);
        assert_int_equal(kinds[TUB_GPU_ATTENTION] > 0, !ways[i].flash);
        stop(s);
    }
}

static void does_without_what_it_is_told(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    wanted_rows(wanted);
    for (unsigned more = 0; more < 16; more++)
        for (int narrow = 0; narrow < 2; narrow++) {
            without = TUB_GPU_WITHOUT_TUNING | more;
            subject *s = start(narrow ? TUB_F16 : TUB_F32, 8, 0);
            run_all(s, 8);
            assert_int_equal(s->informed + s->warned, 0); // nothing failed: it was asked for
            assert_int_equal(fake_gpu_counted[0].captures == 0, (more & TUB_GPU_WITHOUT_GRAPHS) != 0);
            assert_int_equal(fake_gpu_counted[0].copies == 0, (more & TUB_GPU_WITHOUT_OVERLAP) != 0);
            assert_int_equal(fake_gpu_counted[0].attends == 0, !narrow || (more & TUB_GPU_WITHOUT_CUDNN));
            if (!narrow)
                assert_memory_equal(s->rows, wanted, sizeof wanted);
            stop(s);
            fake_gpu_reset();
        }
}

static void a_frame_is_uploaded_once(void **state)
{
    (void)state;
    subject *s = start(TUB_F32, ITEMS, 0);
    const int before = fake_gpu_counted[0].uploads;
    run_all(s, ITEMS);
    // Frames, and the table of addresses of each wave.
    const int waves = (ITEMS + s->executable->wave - 1) / s->executable->wave;
    assert_int_equal(fake_gpu_counted[0].uploads - before, ITEMS + FRAMES - 1 + waves);
    stop(s);
}

static void rows_are_the_same_in_any_batch(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    wanted_rows(wanted);
    for (int batch = 1; batch <= ITEMS; batch += 3) {
        subject *s = start(TUB_F32, batch, 0);
        run_all(s, batch);
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        stop(s);
    }
}

static void halves_until_it_fits(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    wanted_rows(wanted);
    subject *s = start(TUB_F32, ITEMS, 0);
    const int usual = s->executable->wave;
    const size_t whole = fake_gpu_counted[0].most_bytes;
    stop(s);
    for (int by_limit = 0; by_limit < 2; by_limit++) {
        fake_gpu_reset();
        const size_t room = whole - whole / 2048 - 4096;
        fake_gpu.memory = by_limit ? 0 : room;
        s = start(TUB_F32, ITEMS, by_limit ? room : 0);
        assert_true(s->executable->wave < usual);
        assert_true(s->warned >= 1);
        assert_true(fake_gpu_counted[0].most_bytes <= room);
        run_all(s, ITEMS);
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        stop(s);
    }
}

static void refuses_where_not_one_item_fits(void **state)
{
    (void)state;
    tub_error err = {0};
    subject *s = calloc(1, sizeof *s);
    build(s, 1);
    assert_int_equal(open_with(s, TUB_F32, ITEMS, 1 << 20, &err), TUB_ERROR_MEMORY);
    assert_null(s->executable);
    assert_non_null(strstr(err.text, "the workspace"));
    stop(s);
}

// Wherever in a run memory is short, the same work is done again with half, and it stays so.
static void halves_in_a_run_and_remembers(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    wanted_rows(wanted);
    // Seven steps one by one, seven recorded, two replays.
    for (int call = 1; call <= 16; call++) {
        fake_gpu_reset();
        fake_gpu.short_call = call;
        subject *s = start(TUB_F32, 16, 0);
        run_all(s, 16);
        assert_int_equal(s->executable->wave, 8);
        assert_int_equal(s->warned, 1);
        assert_non_null(strstr(s->last, "8 items at once from now on instead of 16"));
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        stop(s);
    }
}

static void a_device_that_fails_is_said(void **state)
{
    (void)state;
    for (int call = 1; call <= 18; call++) {
        tub_error err = {0};
        fake_gpu_reset();
        fake_gpu.fail_call = call;
        subject *s = start(TUB_F32, 8, 0);
        tub_status status = TUB_OK;
        for (int first = 0; status == TUB_OK && first < ITEMS; first += 8)
            status = run(s, first, 8, &err);
        assert_int_equal(status, TUB_ERROR_DEVICE);
        assert_non_null(strstr(err.text, "fell off the bus"));
        stop(s);
    }
}

static void after_a_failed_copy_none_is_under_way(void **state)
{
    (void)state;
    tub_error err = {0};
    subject *s = start(TUB_F32, 8, 0);
    fake_gpu.fail_upload = fake_gpu_counted[0].uploads + 3;
    assert_int_equal(run(s, 0, 8, &err), TUB_ERROR_DEVICE);
    assert_non_null(strstr(err.text, "a copy failed"));
    assert_int_equal(fake_gpu_counted[0].copies, 2);
    assert_int_equal(fake_gpu_counted[0].pending, 0);
    stop(s);
}

static void what_float16_cannot_hold_is_computed_again(void **state)
{
    (void)state;
    tub_error err = {0};
    for (int major = 7; major <= 8; major++) {
        fake_gpu_reset();
        fake_gpu.major = major;
        subject *s = calloc(1, sizeof *s);
        build(s, 3e5f);
        assert_int_equal(open_with(s, TUB_F16, 8, 0, &err), TUB_OK);
        run_all(s, 8);
        for (int i = 0; i < ITEMS * COLS; i++)
            assert_true(isfinite(s->rows[i]));
        assert_int_equal(s->executable->rescued, ITEMS);
        assert_int_equal(s->executable->rescue->dtype, major == 7 ? TUB_F32 : TUB_BF16);
        assert_int_equal(s->warned, 1);
        stop(s);
    }
}

// Linear layers of whole 16 columns and of 16 rows or more; what a row is rounded to depends on that row.
static void fp8_is_for_linear_layers(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS], first[ITEMS * COLS];
    wanted_rows(wanted);
    for (int batch = ITEMS; batch > 0; batch -= 13) {
        fake_gpu_reset();
        subject *s = start(TUB_FP8, batch, 0);
        run_all(s, batch);
        double apart = 0, size = 0;
        for (int i = 0; i < ITEMS * COLS; i++) {
            apart += pow((double)s->rows[i] - (double)wanted[i], 2);
            size += pow((double)wanted[i], 2);
        }
        assert_true(sqrt(apart / size) > 1e-3); // it is fp8
        assert_true(sqrt(apart / size) < 5e-2);
        if (batch == ITEMS)
            memcpy(first, s->rows, sizeof first);
        assert_memory_equal(first, s->rows, sizeof first);
        assert_int_equal(s->informed + s->warned, 0);
        assert_true(fake_gpu_counted[0].kinds[TUB_GPU_QUANTISE] > 0);
        stop(s);
    }
}

static void fp8_falls_back_layer_by_layer_and_says_so_once(void **state)
{
    (void)state;
    subject *s = start(TUB_BF16, 8, 0);
    float wanted[ITEMS * COLS];
    run_all(s, 8);
    memcpy(wanted, s->rows, sizeof wanted);
    stop(s);
    fake_gpu_reset();
    fake_gpu.no_fp8 = true;
    s = start(TUB_FP8, 8, 0);
    run_all(s, 8);
    assert_int_equal(s->informed, 1);
    assert_non_null(strstr(s->last, "embed: in bf16: cuBLASLt has no fp8 product of 16 columns by 96 here"));
    assert_int_equal(fake_gpu_counted[0].kinds[TUB_GPU_QUANTISE], 0);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    stop(s);
}

static void stops_when_asked(void **state)
{
    (void)state;
    tub_error err = {0};
    atomic_int asked = 1;
    subject *s = start(TUB_F32, 8, 0);
    const tub_batch batch = {.items = 8, .frames = s->frames, .rows = s->rows, .stop = &asked};
    assert_int_equal(fake_gpu_backend.run(s->executable, &batch, &err), TUB_ERROR_CANCELLED);
    stop(s);
}

// ---- algorithms: 0 is the library's advice, 1 gives its bits faster, 2 is fastest and gives others, 3 can't ----

static int tune_setup(void **state)
{
    fake_gpu_reset();
    without = 0;
    *state = test_folder_make();
    setenv("XDG_CACHE_HOME", *state, 1);
    return 0;
}

static int tune_teardown(void **state)
{
    test_folder_remove(*state);
    unsetenv("XDG_CACHE_HOME");
    return 0;
}

static int products_of_compiling(void)
{
    fake_gpu_reset();
    subject *s = start(TUB_F32, 8, 0);
    const int count = fake_gpu_counted[0].multiplies;
    stop(s);
    return count;
}

static void the_fastest_of_the_same_bits_wins(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    without = TUB_GPU_WITHOUT_TUNING;
    wanted_rows(wanted);
    without = 0;
    subject *s = start(TUB_F32, 8, 0);
    run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].last_algorithm, 1);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    stop(s);
}

static void fp8_is_measured_too(void **state)
{
    (void)state;
    without = TUB_GPU_WITHOUT_TUNING;
    subject *s = start(TUB_FP8, 8, 0);
    float wanted[ITEMS * COLS];
    run_all(s, 8);
    memcpy(wanted, s->rows, sizeof wanted);
    stop(s);
    fake_gpu_reset();
    without = 0;
    s = start(TUB_FP8, 8, 0);
    run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].last_algorithm, 1);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    stop(s);
}

// With or without measuring: a product that the library's advice for many rows doesn't compute gets advice of its own.
static void advice_that_does_not_serve(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    wanted_rows(wanted);
    for (int i = 0; i < 2; i++) {
        without = i ? TUB_GPU_WITHOUT_TUNING : 0;
        fake_gpu_reset();
        fake_gpu.advice_rows = 8000;
        subject *s = start(TUB_F32, 8, 0);
        run_all(s, 8);
        assert_int_equal(fake_gpu_counted[0].last_algorithm, 1);
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        stop(s);
    }
}

static void what_was_measured_is_kept(void **state)
{
    (void)state;
    const int measured = products_of_compiling(), known = products_of_compiling();
    assert_true(known < measured / 3);
    char path[512];
    snprintf(path, sizeof path, "%s/tubelet/gpu-fake.txt", (const char *)*state);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
}

static void a_file_costs_no_bits(void **state)
{
    char path[512], line[512];
    products_of_compiling();
    snprintf(path, sizeof path, "%s/tubelet/gpu-fake.txt", (const char *)*state);
    // Every product by the algorithm of other bits, and a line of nonsense.
    FILE *in = fopen(path, "r"), *out = tmpfile();
    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        char *last = strchr(line, ':');
        assert_non_null(last);
        fprintf(out, "%.*s: 0000000000000002%s", (int)(last - line), line, strchr(last + 2, ' '));
    }
    fclose(in);
    fputs("1 2 three\n", out);
    rewind(out);
    in = fopen(path, "w");
    while (fgets(line, sizeof line, out))
        fputs(line, in);
    fclose(in);
    fclose(out);
    fake_gpu_reset();
    subject *s = start(TUB_F32, 8, 0);
    run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].last_algorithm, 1);
    stop(s);
}

// ---- what fitted, from one run to the next: with the folder of the algorithms ----

// `is_short`: in the run memory is short once.
static int wave_of_a_run(size_t memory, bool is_short)
{
    fake_gpu_reset();
    fake_gpu.memory = memory;
    subject *s = start(TUB_F32, 16, 0);
    fake_gpu.short_call = is_short;
    run_all(s, 16);
    const int wave = s->executable->wave;
    stop(s);
    return wave;
}

static void what_fitted_is_remembered(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    wanted_rows(wanted);
    assert_int_equal(wave_of_a_run(0, false), 16);
    assert_int_equal(wave_of_a_run(0, true), 8);
    assert_int_equal(wave_of_a_run(0, false), 8); // in no run after it: it begins with what fitted
    fake_gpu_reset();
    subject *s = start(TUB_F32, 16, 0);
    assert_int_equal(s->warned, 0);
    assert_non_null(strstr(s->last, "8 items at once, as more didn't fit in an earlier run"));
    run_all(s, 16);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    stop(s);
}

static void more_memory_is_tried_anew(void **state)
{
    (void)state;
    assert_int_equal(wave_of_a_run(0, true), 8);
    assert_int_equal(wave_of_a_run((size_t)2 << 30, false), 16);
    assert_int_equal(wave_of_a_run((size_t)1000 << 20, false), 8); // less than there was
}

static void other_programs_and_limits_know_nothing(void **state)
{
    (void)state;
    assert_int_equal(wave_of_a_run(0, true), 8);
    fake_gpu_reset();
    subject *s = start(TUB_F32, 15, 0);
    assert_int_equal(s->executable->wave, 15);
    stop(s);
    s = start(TUB_F16, 16, 0);
    assert_int_equal(s->executable->wave, 16);
    stop(s);
    s = start(TUB_F32, 16, (size_t)900 << 20);
    assert_int_equal(s->executable->wave, 16);
    stop(s);
    without = TUB_GPU_WITHOUT_TUNING;
    s = start(TUB_F32, 16, 0);
    assert_int_equal(s->executable->wave, 16);
    stop(s);
}

static void a_torn_file_of_fits_costs_nothing(void **state)
{
    char path[512];
    assert_int_equal(wave_of_a_run(0, true), 8);
    snprintf(path, sizeof path, "%s/tubelet/gpu-fits.txt", (const char *)*state);
    size_t bytes = 0;
    char *text = test_read_file(path, &bytes);
    assert_non_null(text);
    assert_true(bytes > 36);
    for (size_t cut = 0; cut < bytes; cut += 7) {
        test_write_file(path, text, cut);
        const int wave = wave_of_a_run(0, false);
        assert_true(wave == 16 || wave == 8);
    }
    test_write_file(path, "ffffffffffffffffffffffffffffffff -1 -1\n\n%s%n%d 1 1 1\n", 54);
    assert_int_equal(wave_of_a_run(0, false), 16);
    // Others' lines stay.
    char line[128];
    memset(line, 'a', 32);
    snprintf(line + 32, sizeof line - 32, " 77 3\n");
    test_write_file(path, line, strlen(line));
    assert_int_equal(wave_of_a_run(0, true), 8);
    free(text);
    text = test_read_file(path, &bytes);
    assert_non_null(strstr(text, " 77 3\n"));
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset)
#define TUNE(name) cmocka_unit_test_setup_teardown(name, tune_setup, tune_teardown)
    const struct CMUnitTest tests[] = {
        TEST(records_once_and_replays),
        TEST(runs_step_by_step_where_nothing_is_recorded),
        TEST(attention_falls_back_and_says_so),
        TEST(own_attention_is_on_tensor_cores_where_they_are),
        TEST(does_without_what_it_is_told),
        TEST(a_frame_is_uploaded_once),
        TEST(rows_are_the_same_in_any_batch),
        TEST(halves_until_it_fits),
        TEST(refuses_where_not_one_item_fits),
        TEST(halves_in_a_run_and_remembers),
        TEST(a_device_that_fails_is_said),
        TEST(after_a_failed_copy_none_is_under_way),
        TEST(what_float16_cannot_hold_is_computed_again),
        TEST(fp8_is_for_linear_layers),
        TEST(fp8_falls_back_layer_by_layer_and_says_so_once),
        TEST(stops_when_asked),
        TUNE(the_fastest_of_the_same_bits_wins),
        TUNE(fp8_is_measured_too),
        TUNE(advice_that_does_not_serve),
        TUNE(what_was_measured_is_kept),
        TUNE(a_file_costs_no_bits),
        TUNE(what_fitted_is_remembered),
        TUNE(more_memory_is_tried_anew),
        TUNE(other_programs_and_limits_know_nothing),
        TUNE(a_torn_file_of_fits_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
