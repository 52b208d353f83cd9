// How the CUDA backend's executable chooses algorithms for products, by measuring or from an earlier run, on the fake
// device, and what it keeps of attention. The fake's algorithms: 0 is the library's advice, 1 gives the same bits
// faster, 2 is the fastest but gives other bits, 3 can't be used.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gpu_choices.h"
#include "gpu_subject.h"

static void forget(const char *folder)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf '%s'/tubelet", folder);
    assert_int_equal(system(command), 0);
}

static int products_of_compiling(void)
{
    fake_gpu_reset();
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    const int count = fake_gpu_counted[0].multiplies;
    gpu_subject_stop(s);
    return count;
}

static void the_fastest_of_the_same_bits_wins(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    gpu_subject_without = TUB_GPU_WITHOUT_TUNING;
    gpu_subject_wanted_rows(wanted);
    gpu_subject_without = 0;
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    gpu_subject_run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].last_algorithm, 1);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    gpu_subject_stop(s);
}

static void fp8_is_measured_too(void **state)
{
    (void)state;
    gpu_subject_without = TUB_GPU_WITHOUT_TUNING;
    gpu_subject *s = gpu_subject_start(TUB_FP8, 8, 0);
    float wanted[ITEMS * COLS];
    gpu_subject_run_all(s, 8);
    memcpy(wanted, s->rows, sizeof wanted);
    gpu_subject_stop(s);
    fake_gpu_reset();
    gpu_subject_without = 0;
    s = gpu_subject_start(TUB_FP8, 8, 0);
    gpu_subject_run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].last_algorithm, 1);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    gpu_subject_stop(s);
}

// Rounded to bfloat16, sums of random values in a similar order differ in a few of a million.
static void other_bits_are_seen_in_narrow_results(void **state)
{
    char path[512], line[512];
    int narrow = 0;
    fake_gpu.near_order = true;
    gpu_subject *s = gpu_subject_start(TUB_BF16, 8, 0);
    gpu_subject_stop(s);
    snprintf(path, sizeof path, "%s/tubelet/gpu-fake.txt", (const char *)*state);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        int m, n, k, flags;
        unsigned long long algorithm;
        assert_int_equal(sscanf(line, "%d %d %d %d : %llx", &m, &n, &k, &flags, &algorithm), 5);
        assert_int_equal(algorithm, 1);
        narrow += (flags >> 2 & 3) == TUB_GPU_BF16;
    }
    fclose(in);
    assert_true(narrow > 0);
}

// Trying out products leaves the weights unchanged.
static void weights_are_given_back(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const tub_dtype dtype = i ? TUB_F16 : TUB_F32;
        float wanted[ITEMS * COLS];
        fake_gpu_reset();
        gpu_subject_joins = true;
        gpu_subject_without = TUB_GPU_WITHOUT_TUNING;
        gpu_subject *s = gpu_subject_start(dtype, 8, 0);
        gpu_subject_run_all(s, 8);
        memcpy(wanted, s->rows, sizeof wanted);
        gpu_subject_stop(s);
        gpu_subject_without = 0;
        s = gpu_subject_start(dtype, 8, 0);
        gpu_subject_run_all(s, 8);
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        gpu_subject_stop(s);
    }
}

// Whichever copy fails, including the one that restores the weights, and however memory is short then: there are the
// right rows, or none.
static void no_run_goes_on_without_its_weights(void **state)
{
    enum { UPLOADS = 24 };
    float wanted[ITEMS * COLS];
    int failed[2] = {0, 0};
    gpu_subject_wanted_rows(wanted);
    for (int i = 0; i < 2 * UPLOADS; i++) {
        const bool by_copy = i >= UPLOADS; // the copy has no memory; else the kernel before it
        tub_error err = {0};
        fake_gpu_reset();
        fake_gpu.short_call = by_copy ? 0 : 1;
        fake_gpu.short_upload = by_copy;
        fake_gpu.fail_upload = 1 + i % UPLOADS;
        gpu_subject *s = calloc(1, sizeof *s);
        assert_non_null(s);
        gpu_subject_build(s, 1);
        tub_status status = gpu_subject_open(s, TUB_F32, 8, 0, &err);
        if (status == TUB_OK)
            status = gpu_subject_run(s, 0, 8, &err);
        if (status == TUB_OK)
            assert_memory_equal(s->rows, wanted, 8 * COLS * sizeof *wanted);
        failed[by_copy] += strstr(err.text, "weights didn't come back") != NULL;
        gpu_subject_stop(s);
        forget(*state);
    }
    assert_true(failed[0] > 0 && failed[1] > 0);
}

// With or without measuring: if the library's advice for many rows doesn't fit a product, it gets its own advice.
static void advice_that_does_not_serve(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    gpu_subject_wanted_rows(wanted);
    for (int i = 0; i < 2; i++) {
        gpu_subject_without = i ? TUB_GPU_WITHOUT_TUNING : 0;
        fake_gpu_reset();
        fake_gpu.advice_rows = 8000;
        gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
        gpu_subject_run_all(s, 8);
        assert_int_equal(fake_gpu_counted[0].last_algorithm, 1);
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        gpu_subject_stop(s);
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

// Gives every question the answer, as 16 digits; adds a line of nonsense.
static void answer_all(const char *folder, const char *answer)
{
    char path[512], line[512];
    snprintf(path, sizeof path, "%s/tubelet/gpu-fake.txt", folder);
    FILE *in = fopen(path, "r"), *out = tmpfile();
    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        char *last = strchr(line, ':');
        assert_non_null(last);
        fprintf(out, "%.*s: %s%s", (int)(last - line), line, answer, strchr(last + 2, ' '));
    }
    fclose(in);
    fputs("1 2 three\n", out);
    rewind(out);
    in = fopen(path, "w");
    while (fgets(line, sizeof line, out))
        fputs(line, in);
    fclose(in);
    fclose(out);
}

// Uses the algorithm with other bits.
static void a_file_costs_no_bits(void **state)
{
    products_of_compiling();
    answer_all(*state, "0000000000000002");
    fake_gpu_reset();
    gpu_subject *s = gpu_subject_start(TUB_F32, 8, 0);
    gpu_subject_run_all(s, 8);
    assert_int_equal(fake_gpu_counted[0].last_algorithm, 1);
    gpu_subject_stop(s);
}

static tub_gpu_choices *opened_choices(void)
{
    tub_gpu_choices *c = NULL;
    assert_int_equal(tub_gpu_choices_open("shared", true, &c, NULL), TUB_OK);
    return c;
}

static void save_choice(tub_gpu_choices *c, int m, uint64_t algorithm, bool measured)
{
    const tub_gpu_answer answer = {.question = {m, 1, 1, 0}, .algorithm = {{algorithm}}};
    assert_int_equal(tub_gpu_choices_keep(c, &answer, measured, NULL), TUB_OK);
    assert_int_equal(tub_gpu_choices_save(c, NULL), TUB_OK);
}

static uint64_t choice_of(const tub_gpu_choices *c, int m)
{
    const tub_gpu_question q = {m, 1, 1, 0};
    const tub_gpu_answer *answer = tub_gpu_choices_find(c, &q);
    return answer ? answer->algorithm.data[0] : 0;
}

// Several GPUs, or processes, begin at the same time: what one has measured the others keep, even if they have read an
// earlier answer.
static void a_shared_file_keeps_what_each_measured(void **state)
{
    (void)state;
    tub_gpu_choices *first = opened_choices();
    save_choice(first, 1, 11, true);
    tub_gpu_choices *second = opened_choices();
    save_choice(first, 1, 12, true);
    save_choice(second, 2, 21, true);
    save_choice(second, 1, 11, false);
    save_choice(first, 3, 31, true);
    save_choice(second, 3, 32, true);
    tub_gpu_choices *third = opened_choices();
    assert_int_equal(choice_of(third, 1), 12);
    assert_int_equal(choice_of(third, 2), 21);
    assert_int_equal(choice_of(third, 3), 32); // both measured: the last one counts
    tub_gpu_choices_close(&first);
    tub_gpu_choices_close(&second);
    tub_gpu_choices_close(&third);
}

// ---- products joined with the step behind them ----

// The rows and launches of a program in `dtype`: kinds[JOINED], kinds[ROTATE] and kinds[ACTIVATE] of its runs only.
static void joined_rows(tub_dtype dtype, float *rows, int kinds[3])
{
    gpu_subject *s = gpu_subject_start(dtype, 8, 0);
    const int of[] = {TUB_GPU_JOINED, TUB_GPU_ROTATE, TUB_GPU_ACTIVATE};
    for (int i = 0; i < 3; i++)
        kinds[i] = -fake_gpu_counted[0].kinds[of[i]];
    gpu_subject_run_all(s, 8);
    for (int i = 0; i < 3; i++)
        kinds[i] += fake_gpu_counted[0].kinds[of[i]];
    memcpy(rows, s->rows, sizeof s->rows);
    gpu_subject_stop(s);
}

static void joined_where_faster_and_the_same(void **state)
{
    (void)state;
    static const tub_dtype dtypes[] = {TUB_F16, TUB_BF16};
    float wanted[ITEMS * COLS], rows[ITEMS * COLS];
    int kinds[3];
    gpu_subject_joins = true;
    for (int i = 0; i < 2; i++) {
        fake_gpu_reset();
        gpu_subject_without = TUB_GPU_WITHOUT_TUNING;
        joined_rows(dtypes[i], wanted, kinds);
        assert_int_equal(kinds[0], 0);
        assert_true(kinds[1] > 0 && kinds[2] > 0);
        gpu_subject_without = 0;
        for (int again = 0; again < 2; again++) { // measured, then from the file
            joined_rows(dtypes[i], rows, kinds);
            assert_true(kinds[0] > 0 && kinds[1] == 0 && kinds[2] == 0);
            assert_memory_equal(rows, wanted, sizeof wanted);
        }
    }
}

// Not used if slower, with other bits, in float32, on a card without such tensor cores or that doesn't take the kernel,
// or with code for an older card.
static void apart_where_not(void **state)
{
    (void)state;
    float rows[ITEMS * COLS], wanted[ITEMS * COLS];
    gpu_subject_joins = true;
    for (int i = 0; i < 6; i++) {
        const tub_dtype dtype = i == 2 ? TUB_F32 : TUB_F16;
        int kinds[3];
        fake_gpu_reset();
        fake_gpu.slow_joined = i == 0;
        fake_gpu.other_joined = i == 1;
        fake_gpu.major = i == 3 ? 7 : 9;
        fake_gpu.no_joined = i == 4;
        fake_gpu.major = i == 5 ? 8 : fake_gpu.major;
        fake_gpu.code = i == 5 ? 70 : 0;
        gpu_subject_without = TUB_GPU_WITHOUT_TUNING;
        joined_rows(dtype, wanted, kinds);
        gpu_subject_without = 0;
        joined_rows(dtype, rows, kinds);
        assert_true(kinds[0] == 0 && kinds[1] > 0 && kinds[2] > 0);
        assert_memory_equal(rows, wanted, sizeof wanted);
    }
}

// Every process checks again that the bits are the same, but only the first measures.
static void a_known_join_is_checked(void **state)
{
    (void)state;
    float rows[ITEMS * COLS];
    int kinds[3];
    gpu_subject_joins = true;
    joined_rows(TUB_F16, rows, kinds);
    const int measured = fake_gpu_counted[0].kinds[TUB_GPU_JOINED];
    fake_gpu_reset();
    joined_rows(TUB_F16, rows, kinds);
    assert_true(kinds[0] > 0 && fake_gpu_counted[0].kinds[TUB_GPU_JOINED] < measured);
    fake_gpu.other_joined = true;
    for (int again = 0; again < 2; again++) {
        fake_gpu_counted[0].kinds[TUB_GPU_JOINED] = 0;
        joined_rows(TUB_F16, rows, kinds);
        assert_true(kinds[0] == 0 && kinds[1] > 0);
        assert_int_equal(fake_gpu_counted[0].kinds[TUB_GPU_JOINED], again ? 0 : 2); // one per product
    }
}

// An answer that isn't one of ours.
static void a_foreign_join_is_measured_again(void **state)
{
    float rows[ITEMS * COLS], wanted[ITEMS * COLS];
    int kinds[3];
    gpu_subject_joins = true;
    joined_rows(TUB_F16, wanted, kinds);
    answer_all(*state, "0123456789abcdef");
    joined_rows(TUB_F16, rows, kinds);
    assert_true(kinds[0] > 0 && kinds[1] == 0 && kinds[2] == 0);
    assert_memory_equal(rows, wanted, sizeof wanted);
}

// Takes the faster of both kernels. Without the warpgroups' kernel, it takes the other one, and says so once.
static void by_warpgroups_where_they_are(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    int kinds[3];
    gpu_subject_joins = true;
    gpu_subject_without = TUB_GPU_WITHOUT_TUNING;
    joined_rows(TUB_F16, wanted, kinds);
    gpu_subject_without = 0;
    for (int i = 0; i < 3; i++) {
        fake_gpu_reset();
        fake_gpu.major = i == 1 ? 8 : 9;
        fake_gpu.no_wide = i == 2;
        gpu_subject *s = gpu_subject_start(TUB_F16, 8, 0);
        const int before = fake_gpu_counted[0].wide;
        gpu_subject_run_all(s, 8);
        assert_int_equal(fake_gpu_counted[0].wide > before, i == 0);
        assert_true(fake_gpu_counted[0].kinds[TUB_GPU_JOINED] > 0);
        assert_int_equal(s->informed, i == 2);
        assert_memory_equal(s->rows, wanted, sizeof wanted);
        gpu_subject_stop(s);
        forget(*state);
    }
}

static tub_status start_and_stop(tub_error *err)
{
    gpu_subject *s = calloc(1, sizeof *s);
    assert_non_null(s);
    gpu_subject_build(s, 1);
    const tub_status status = gpu_subject_open(s, TUB_F16, 8, 0, err);
    gpu_subject_stop(s);
    return status;
}

// A kernel that makes the GPU fail for good is tried twice, as somebody may have stopped the first run. Later runs do
// without it.
static void a_deadly_kernel_is_left(void **state)
{
    (void)state;
    float rows[ITEMS * COLS], wanted[ITEMS * COLS];
    int kinds[3];
    tub_error err = {0};
    gpu_subject_joins = true;
    gpu_subject_without = TUB_GPU_WITHOUT_TUNING;
    joined_rows(TUB_F16, wanted, kinds);
    gpu_subject_without = 0;
    fake_gpu.deadly_joined = true;
    for (int product = 0; product < 2; product++)
        for (int attempt = 0; attempt < 2; attempt++) {
            assert_int_equal(start_and_stop(&err), TUB_ERROR_DEVICE);
            assert_non_null(strstr(err.text, "--no-autotune"));
        }
    joined_rows(TUB_F16, rows, kinds);
    assert_true(kinds[0] == 0 && kinds[1] > 0 && kinds[2] > 0);
    assert_memory_equal(rows, wanted, sizeof wanted);
}

// GPUs that are opened together try the same kernel at the same time: that counts as one attempt.
static void a_group_makes_one_attempt(void **state)
{
    (void)state;
    float rows[ITEMS * COLS];
    int kinds[3];
    tub_error err = {0};
    gpu_subject_joins = true;
    for (int opening = 0; opening < 2; opening++) {
        fake_gpu.deadly_joined = true;
        gpu_subject_group = 7 + (uint64_t)opening;
        for (int gpu = 0; gpu < 4; gpu++)
            assert_int_equal(start_and_stop(&err), TUB_ERROR_DEVICE);
    }
    gpu_subject_group = 9;
    fake_gpu.deadly_joined = false;
    joined_rows(TUB_F16, rows, kinds);
    assert_true(kinds[1] > 0); // the first product stays as it is
}

// If memory is short during a trial, that says nothing about the kernel.
static void short_memory_is_no_attempt(void **state)
{
    float rows[ITEMS * COLS];
    char path[512];
    int kinds[3];
    gpu_subject_joins = true;
    snprintf(path, sizeof path, "%s/tubelet/gpu-fits.txt", (const char *)*state);
    for (int call = 20; call < 80; call += 2) {
        for (int i = 0; i < 4; i++) {
            fake_gpu_reset();
            fake_gpu.short_call = i < 3 ? call : 0;
            joined_rows(TUB_F16, rows, kinds);
            remove(path); // each run begins with the same number of items
        }
        assert_true(kinds[0] > 0 && kinds[1] == 0 && kinds[2] == 0);
        forget(*state);
    }
}

// A run goes on with half as many items, whose products must be measured: that they were measured is kept.
// If any launch fails once, the program is still compiled, with the same rows, or an error says why not.
static void a_launch_that_fails_on_trial(void **state)
{
    float wanted[ITEMS * COLS];
    int kinds[3], tried = 0;
    gpu_subject_joins = true;
    joined_rows(TUB_F16, wanted, kinds);
    for (int call = 1, calls = 1; call <= calls; call++) {
        tub_error err = {0};
        gpu_subject *s = calloc(1, sizeof *s);
        assert_non_null(s);
        forget(*state);
        fake_gpu_reset();
        fake_gpu.refuse_kinds = 1u << FAKE_GPU_LAUNCH;
        fake_gpu.refuse_call = call;
        gpu_subject_build(s, 1);
        const tub_status status = gpu_subject_open(s, TUB_F16, 8, 0, &err);
        if (status != TUB_OK && (status != TUB_ERROR_DEVICE || err.status != status))
            fail_msg("launch %d: %d: %s", call, (int)status, err.text);
        if (status == TUB_OK) {
            calls = fake_gpu_calls;
            gpu_subject_run_all(s, 8);
            assert_memory_equal(s->rows, wanted, sizeof wanted);
            tried++;
        } else {
            calls++;
        }
        gpu_subject_stop(s);
    }
    assert_true(tried > 2);
}

static void what_a_run_measures_is_kept(void **state)
{
    float rows[ITEMS * COLS];
    char path[512];
    int kinds[3];
    gpu_subject_joins = true;
    snprintf(path, sizeof path, "%s/tubelet/gpu-fits.txt", (const char *)*state);
    for (int i = 0; i < 2; i++) {
        fake_gpu_reset();
        gpu_subject *s = gpu_subject_start(TUB_F16, 16, 0);
        fake_gpu.short_call = 1;
        gpu_subject_run_all(s, 16);
        assert_int_equal(s->executable->wave, 8);
        gpu_subject_stop(s);
        assert_int_equal(remove(path), 0);
    }
    fake_gpu_reset();
    const int once = 5 * 2; // per product: timed, as one of its ways, and compared
    joined_rows(TUB_F16, rows, kinds);
    assert_true(kinds[0] > 0 && kinds[1] == 0 && kinds[2] == 0);
    assert_true(fake_gpu_counted[0].kinds[TUB_GPU_JOINED] - kinds[0] < once);
}

// Products that no kernel of the kind supports aren't tried out.
static void nothing_is_tried_of_other_types(void **state)
{
    (void)state;
    static const tub_dtype dtypes[] = {TUB_F32, TUB_TF32, TUB_FP8};
    gpu_subject_joins = true;
    for (int i = 0; i < 3; i++) {
        gpu_subject *s = gpu_subject_start(dtypes[i], 8, 0);
        assert_int_equal(fake_gpu_counted[0].kinds[TUB_GPU_ACTIVATE], 0);
        gpu_subject_run_all(s, 8);
        assert_true(fake_gpu_counted[0].kinds[TUB_GPU_ACTIVATE] > 0);
        gpu_subject_stop(s);
        fake_gpu_counted[0].kinds[TUB_GPU_ACTIVATE] = 0;
    }
}

// ---- plans of attention ----

// The path of the folder's only plan.
static void plan_path(const char *folder, char *out, size_t bytes)
{
    char command[512];
    snprintf(command, sizeof command, "ls '%s'/tubelet/gpu-fake-*.plan", folder);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_non_null(fgets(out, (int)bytes, f));
    assert_int_equal(pclose(f), 0);
    out[strcspn(out, "\n")] = 0;
}

static void write_over(const char *path, long at, int whence)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, whence), 0);
    assert_true(fputc('!', f) == '!' && fclose(f) == 0);
}

static void check_plans(int compiled, int read)
{
    fake_gpu_reset();
    gpu_subject *s = gpu_subject_start(TUB_F16, 8, 0);
    assert_int_equal(fake_gpu_counted[0].compiled, compiled);
    assert_int_equal(fake_gpu_counted[0].read, read);
    gpu_subject_run_all(s, 8);
    gpu_subject_stop(s);
    assert_int_equal(fake_gpu_counted[0].plans, 0);
}

// Compiled once. Compiled again, and written again, if the text is damaged, has another name, is cut off or missing. If
// measurements aren't kept, it is compiled each time.
static void attention_is_made_of_its_text(void **state)
{
    char path[512];
    check_plans(1, 0);
    check_plans(0, 1);
    plan_path(*state, path, sizeof path);
    for (int i = 0; i < 4; i++) {
        if (i < 2)
            write_over(path, i ? 0 : -1, i ? SEEK_SET : SEEK_END);
        else
            assert_int_equal(i == 2 ? truncate(path, 50) : remove(path), 0);
        check_plans(1, 0);
        check_plans(0, 1);
    }
    gpu_subject_without = TUB_GPU_WITHOUT_TUNING;
    check_plans(1, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, gpu_subject_enter, gpu_subject_leave)
    const struct CMUnitTest tests[] = {
        TEST(the_fastest_of_the_same_bits_wins),
        TEST(other_bits_are_seen_in_narrow_results),
        TEST(weights_are_given_back),
        TEST(no_run_goes_on_without_its_weights),
        TEST(fp8_is_measured_too),
        TEST(advice_that_does_not_serve),
        TEST(what_was_measured_is_kept),
        TEST(a_file_costs_no_bits),
        TEST(a_shared_file_keeps_what_each_measured),
        TEST(joined_where_faster_and_the_same),
        TEST(apart_where_not),
        TEST(a_known_join_is_checked),
        TEST(a_foreign_join_is_measured_again),
        TEST(by_warpgroups_where_they_are),
        TEST(a_deadly_kernel_is_left),
        TEST(a_group_makes_one_attempt),
        TEST(short_memory_is_no_attempt),
        TEST(a_launch_that_fails_on_trial),
        TEST(what_a_run_measures_is_kept),
        TEST(nothing_is_tried_of_other_types),
        TEST(attention_is_made_of_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
