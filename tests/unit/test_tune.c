// Tuning: what is tried, what is kept, and the profile that connects them.
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <tubelet/plan.h>

#include "atomic_file.h"
#include "profile_folder.h"
#include "temp_folder.h"
#include "tune_impl.h"
#include "tune_ranges.h"

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = test_folder_make();
    return setenv("XDG_CACHE_HOME", folder, 1);
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static void check_range(const tub_range *r, int first, int last)
{
    assert_int_equal(r->values[0], first);
    assert_int_equal(r->values[r->count - 1], last);
    for (int i = 1; i < r->count; i++)
        assert_true(r->values[i] > r->values[i - 1]);
    assert_true(r->note[0]);
}

static void ranges_are_the_guides_cut_to_the_machine(void **state)
{
    (void)state;
    static const struct {
        int processors, first, last;
    } threads[] = {{1, 1, 2}, {2, 1, 4}, {4, 1, 8}, {6, 1, 12}, {8, 8, 16}, {16, 8, 32}, {64, 16, 128}, {256, 64, 128}};
    tub_range r;
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        tub_range_of_decode_threads(threads[i].processors, false, &r);
        check_range(&r, threads[i].first, threads[i].last);
        tub_range_of_decode_threads(threads[i].processors, true, &r);
        check_range(&r, threads[i].first < 8 ? threads[i].first : 8, 128);
    }
    tub_range_of_prefetch(&r);
    check_range(&r, 4, 16);
    tub_encoder_info info = {.device = "cuda"};
    tub_range_of_batch(&info, 0, 0, false, &r);
    check_range(&r, 16, 128);
    tub_range_of_batch(&info, 1 << 20, (size_t)80 << 20, false, &r); // half of the memory holds 40 items
    check_range(&r, 16, 32);
    info.device = "cpu";
    tub_range_of_batch(&info, 1 << 20, 1 << 20, false, &r); // something is always tried
    check_range(&r, 1, 1);
    tub_range_of_batch(&info, 0, 0, false, &r);
    check_range(&r, 1, 16);
    tub_range_of_batch(&info, 0, 0, true, &r);
    check_range(&r, 1, 128);
    info.per_frame = true;
    tub_range_of_batch(&info, 0, 0, false, &r);
    check_range(&r, 8, 128);
    tub_range_sort(&r, 32);
    assert_int_equal(r.values[0], 32);
    assert_true(r.values[1] == 16 || r.values[1] == 64);
}

static void the_median_counts(void **state)
{
    (void)state;
    tub_tune_entry e = {0};
    tub_tune_note(&e, 10);
    tub_tune_note(&e, 90);
    tub_tune_note(&e, 20);
    assert_true(e.row.rate == 20 && e.row.runs == 3);
    for (int i = 0; i < 2 * TUB_TUNE_RUNS_MOST; i++)
        tub_tune_note(&e, 5);
    assert_int_equal(e.row.runs, TUB_TUNE_RUNS_MOST);
}

static void noise_doesnt_win_against_the_defaults(void **state)
{
    (void)state;
    tub_tune_entry e[3] = {{.row.rate = 100}, {.row.rate = 103}, {.row.rate = 90}};
    assert_int_equal(tub_tune_choose(e, 3), 0);
    e[2].row.rate = 110;
    assert_int_equal(tub_tune_choose(e, 3), 2);
    assert_int_equal(tub_tune_choose(e, 1), 0);
}

static void write_profile(const char *path, const char *text)
{
    assert_int_equal(tub_atomic_save(path, text, strlen(text), NULL), TUB_OK);
}

static void profiles_are_found_again(void **state)
{
    (void)state;
    tub_profile p, again;
    tub_error err;
    assert_int_equal(tub_profile_at(0, &p, &err), TUB_END);
    tub_tuning *t = calloc(1, sizeof *t);
    t->count = 1;
    t->profile = (tub_profile){.dtype = TUB_BF16, .batch = 8, .prefetch = 16, .rate = 12.5, .default_rate = 10};
    snprintf(t->profile.backend, sizeof t->profile.backend, "onednn");
    snprintf(t->profile.name, sizeof t->profile.name, "a \"model\"");
    tub_profile_model(&(tub_encoder_info){.model_hash = "abc", .frames = 16, .height = 224, .width = 224},
                      t->profile.model);
    assert_int_equal(tub_tuning_save(t, &err), TUB_OK);
    assert_int_equal(tub_profile_at(0, &again, &err), TUB_OK);
    assert_int_equal(tub_profile_at(1, &p, &err), TUB_END);
    assert_memory_equal(&again, &t->profile, sizeof again);
    assert_true(again.build[0] && !again.other_build);
    char other[40];
    tub_profile_model(&(tub_encoder_info){.model_hash = "abc", .frames = 8, .height = 224, .width = 224}, other);
    assert_string_not_equal(other, again.model);
    free(t);
}

static void broken_profiles_are_named(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "[1]",
                                        "{\"settings\": 3}",
                                        "{\"machine\": 3, \"settings\": {\"dtype\": \"bf16\"}}",
                                        "{\"settings\": {\"dtype\": \"bf61\"}}",
                                        "{\"settings\": {\"dtype\": \"bf16\", \"batch\": -1}}",
                                        "{\"settings\": {\"dtype\": \"bf16\", \"batch\": 1e9}}"};
    char path[4096];
    snprintf(path, sizeof path, "%s/broken.json", folder);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tub_profile p;
        tub_error err = {0};
        write_profile(path, texts[i]);
        assert_int_equal(tub_profile_read(path, &p, &err), TUB_ERROR_INPUT);
        assert_non_null(strstr(err.text, path));
    }
    // A pipe in its place, from which nothing comes.
    tub_profile p;
    tub_error err = {0};
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(tub_profile_read(path, &p, &err), TUB_ERROR_INPUT);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(unlink(path), 0);
}

static void the_guides_presets(void **state)
{
    (void)state;
    static const int numbers[][3] = {{64, 64, 8}, {32, 64, 6}, {96, 64, 12}};
    for (size_t i = 0; i < 3; i++) {
        const tub_device_preset *p = tub_device_preset_at(i);
        assert_true(p->batch == numbers[i][0] && p->decode_threads == numbers[i][1] && p->prefetch == numbers[i][2]);
        assert_ptr_equal(tub_device_preset_find(p->name), p);
    }
    assert_null(tub_device_preset_find(NULL));
}

static const tub_plan_bound *find_bound(const tub_plan *plan, const char *name, tub_plan_bound *out)
{
    for (size_t i = 0; tub_plan_bound_at(plan, i, out); i++)
        if (strcmp(out->name, name) == 0)
            return out;
    return NULL;
}

// An extractor makes the same of such numbers as the plan says.
static void plans_of_extreme_numbers(void **state)
{
    (void)state;
    test_write_file(test_path(folder, "a.mp4"), "no video", 8);
    const char *inputs[] = {folder};
    tub_dataset_params set = {
        .size = sizeof set, .inputs = inputs, .input_count = 1, .out = test_path(folder, "out"), .dry_run = true};
    tub_encoder_info info = {.family = "x", .backend = "native", .device = "cpu", .per_frame = true, .frames = 1,
                             .dim = 4, .batch = 32, .pixel_bytes = 192, .dtype = TUB_F32};
    tub_plan_params params = {.size = sizeof params, .info = &info};
    params.extractor = (tub_extractor_params){.prefetch = INT_MAX, .slot_memory = 1 << 14};
    tub_dataset *d = NULL;
    tub_plan *plan = NULL;
    tub_plan_bound bound;
    assert_int_equal(tub_dataset_open(&set, &d, NULL), TUB_OK);
    params.dataset = d;
    assert_int_equal(tub_plan_make(&params, &plan, NULL), TUB_OK);
    assert_int_equal(tub_plan_get_info(plan)->unreadable, 1);
    assert_non_null(strstr(find_bound(plan, "frame slots", &bound)->reason, "as the slot memory holds no more"));
    tub_plan_close(&plan);
    params.extractor.decode_threads = -1; // the extractor refuses this, too
    assert_int_equal(tub_plan_make(&params, &plan, NULL), TUB_ERROR_ARGUMENT);
    params.extractor.decode_threads = 0;
    params.seconds = NAN;
    assert_int_equal(tub_plan_make(&params, &plan, NULL), TUB_ERROR_ARGUMENT);
    params.seconds = 0;
    params.size = params.asked.size = 8;
    assert_int_equal(tub_plan_make(&params, &plan, NULL), TUB_ERROR_ARGUMENT);
    params.size = 0;
    assert_int_equal(tub_plan_make(&params, &plan, NULL), TUB_ERROR_ARGUMENT);
    params.asked.size = 0;
    params.extractor.prefetch = 0;
    assert_int_equal(tub_plan_make(&params, &plan, NULL), TUB_OK);
    assert_string_equal(find_bound(plan, "prefetch", &bound)->value, "32 frames");
    tub_plan_close(&plan);
    tub_dataset_close(&d);
}

static void tuning_refuses_such_params(void **state)
{
    (void)state;
    tub_tune_params params = {.size = 8};
    static char never;
    tub_tuning *t = (tub_tuning *)(void *)&never;
    tub_error err = {0};
    assert_int_equal(tub_tune(NULL, &t, &err), TUB_ERROR_ARGUMENT);
    assert_null(t); // closing it is allowed
    assert_int_equal(tub_tune(&params, &t, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "tub_tune_params.size is 8"));
    params = (tub_tune_params){.budget = -1};
    assert_int_equal(tub_tune(&params, &t, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "budget is -1"));
    params = (tub_tune_params){.extractor.decoder = (tub_decoder)9};
    assert_int_equal(tub_tune(&params, &t, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "decoder is 9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_the_guides_cut_to_the_machine),
        cmocka_unit_test(the_median_counts),
        cmocka_unit_test(noise_doesnt_win_against_the_defaults),
        cmocka_unit_test(profiles_are_found_again),
        cmocka_unit_test(broken_profiles_are_named),
        cmocka_unit_test(the_guides_presets),
        cmocka_unit_test(plans_of_extreme_numbers),
        cmocka_unit_test(tuning_refuses_such_params),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
