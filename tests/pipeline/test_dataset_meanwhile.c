// What others do to videos and features during a run over toy videos.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tubelet/features.h>
#include <unistd.h>

#include "toy_run.h"

static void write_again(void)
{
    toy_write(toy.videos, "v00.mp4", "frames=%d seed=%d", 3, 9); // the same size as before
    toy_write(toy.videos, "sick.mp4", "bad");
}

// A file that is written while it is read can have its final size from the start: neither its features nor its failure
// count for the next run.
static void test_videos_that_are_written_to(void **state)
{
    (void)state;
    toy_make_videos(2);
    toy_write(toy.videos, "sick.mp4", "bad");
    const struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, toy_path(toy.videos, "v00.mp4"), long_ago, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, toy_path(toy.videos, "sick.mp4"), long_ago, 0), 0);
    toy.listed = write_again;
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(0, 2, 0, 1, 0);
    toy.listed = NULL;
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(1, 1, 0, 1, 0);
    assert_int_equal(toy.totals.recorded_failures, 0);
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(2, 0, 0, 1, 0);
    assert_int_equal(toy.totals.recorded_failures, 1);
}

// Another complete run in the same folder, while one goes on.
static int other_world;

static void run_other(void)
{
    const int own_world = toy.world;
    const tub_run_totals own_totals = toy.totals;
    toy.meanwhile = NULL;
    toy.world = other_world;
    assert_int_equal(toy_run(), TUB_OK);
    toy.world = own_world;
    toy.totals = own_totals;
}

// Two divisions of the same videos at once: each rewrites the other's failures, and none is lost by that.
static void test_failures_of_two_runs(void **state)
{
    (void)state;
    static const int worlds[][2] = {{0, 2}, {2, 0}, {2, 2}};
    toy.retry = true;
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
        toy_write(toy.videos, "sick.mp4", "bad");
        snprintf(toy.out, sizeof toy.out, "%s/two%zu", toy.root, i);
        mkdir(toy.out, 0777);
        toy_write(toy.out, "failures.jsonl", "{\"stem\": \"other\", \"video\": \"other\"}\n");
        toy_write(toy.out, "failures.0.jsonl", "{\"stem\": \"other\", \"video\": \"other\"}\n");
        toy.events = 0;
        toy.meanwhile = run_other;
        toy.world = worlds[i][0];
        other_world = worlds[i][1];
        assert_int_equal(toy_run(), TUB_OK);
        json_t *lines[] = {toy_line_about("failures.jsonl", "sick.mp4"),
                           toy_line_about("failures.0.jsonl", "sick.mp4")};
        assert_int_equal(!lines[0] + !lines[1], 1);
        json_decref(lines[0]);
        json_decref(lines[1]);
    }
}

// A file of failures that was there at the start, but of which another run left nothing.
static void test_failures_that_vanish(void **state)
{
    (void)state;
    toy_write(toy.videos, "ill.mp4", "bad");
    assert_int_equal(toy_run(), TUB_OK);
    assert_int_equal(toy_lines_of("failures.jsonl"), 1);
    toy_write(toy.videos, "ill.mp4", "frames=20 seed=1 now well");
    toy_make_videos(1);
    toy.events = 0;
    toy.meanwhile = run_other;
    toy.world = 2;
    other_world = 0;
    assert_int_equal(toy_run(), TUB_OK);
    assert_null(toy.meanwhile);
    assert_false(toy_exists(toy.out, "failures.jsonl"));
}

static void move_away(void)
{
    assert_int_equal(rename(toy.out, toy_path(toy.root, "elsewhere")), 0);
}

static void replace(void)
{
    move_away();
    assert_int_equal(mkdir(toy.out, 0777), 0);
    toy_write(toy.out, "features.json", "{}");
}

// Files appear during the removal, which may make it fail.
static void delete_all(void)
{
    for (int i = 0; i < 1000 && access(toy.out, F_OK) == 0; i++)
        toy_remove(toy.out);
}

static void empty(void)
{
    unlink(toy_path(toy.out, "features.json"));
}

// If features disappear with their folder, they aren't reported as done, and no new folder is made for the rest. With
// one video, which is also the last, this can be noticed only at the end.
static void test_folder_that_goes(void **state)
{
    (void)state;
    static void (*const ways[])(void) = {move_away, replace, delete_all, empty};
    for (size_t i = 0; i < 2 * sizeof ways / sizeof *ways; i++) {
        toy_make_videos(i % 2 ? 1 : 30);
        snprintf(toy.out, sizeof toy.out, "%s/going", toy.root);
        toy.events = 0;
        toy.meanwhile = ways[i / 2];
        const tub_status status = toy_run();
        if (status != TUB_ERROR_OUTPUT || !strstr(toy.err.text, "during the run"))
            fail_msg("way %zu: %d, %s", i, status, toy.err.text);
        assert_true(toy.meanwhile == empty || !toy_exists(toy.out, "v29.npy"));
        toy_remove(toy.out);
        toy_remove(toy_path(toy.root, "elsewhere"));
        toy_remove(toy.videos);
        mkdir(toy.videos, 0777);
    }
}

static void delete_split(void)
{
    for (int i = 0; i < 1000 && access(toy_path(toy.out, "train"), F_OK) == 0; i++)
        toy_remove(toy_path(toy.out, "train"));
}

// The same for a subfolder, which is made anew for the rest.
static void test_folder_inside_that_goes(void **state)
{
    (void)state;
    toy_write(toy.root, "splits.json",
              "{\"database\": {\"v00\": {\"subset\": \"train\"}, \"v01\": {\"subset\": \"train\"}}}");
    char path[128];
    snprintf(path, sizeof path, "%s/splits.json", toy.root);
    toy.annotations = path;
    toy.file_name = "{split}/{stem}";
    toy.meanwhile = delete_split;
    toy_make_videos(2);
    assert_int_equal(toy_run(), TUB_ERROR_OUTPUT);
    assert_non_null(strstr(toy.err.text, "during the run"));
    toy.meanwhile = NULL;
    assert_int_equal(toy_run(), TUB_OK);
    assert_true(toy.totals.ok > 0);
    assert_true(toy_exists(toy.out, "train/v00.npy") && toy_exists(toy.out, "train/v01.npy"));
}

static void move_resampled(void *user, const char *file, int64_t rows_in, int64_t rows_out, const char *error)
{
    (void)user, (void)file, (void)rows_in, (void)rows_out, (void)error;
    rename(toy_path(toy.root, "resampled"), toy_path(toy.root, "elsewhere"));
}

static void test_folder_that_goes_while_resampling(void **state)
{
    (void)state;
    toy_make_videos(3);
    assert_int_equal(toy_run(), TUB_OK);
    char to[80];
    snprintf(to, sizeof to, "%s/resampled", toy.root);
    const tub_resample_params params = {
        .size = sizeof params, .in = toy.out, .out = to, .stride = 4, .on_file = move_resampled};
    assert_int_equal(tub_features_resample(&params, NULL, &toy.err), TUB_ERROR_OUTPUT);
    assert_non_null(strstr(toy.err.text, "during the run"));
    assert_int_not_equal(access(to, F_OK), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, toy_set_up, toy_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_videos_that_are_written_to), TEST(test_failures_of_two_runs),
        TEST(test_failures_that_vanish),       TEST(test_folder_that_goes),
        TEST(test_folder_inside_that_goes),    TEST(test_folder_that_goes_while_resampling),
    };
    return cmocka_run_group_tests_name("dataset_meanwhile", tests, NULL, NULL);
}
