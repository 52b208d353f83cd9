// Whole runs over toy videos: what is written, and how a run ends.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tubelet/npy.h>
#include <unistd.h>

#include "encoder_impl.h"
#include "toy_run.h"

static void test_written(void **state)
{
    (void)state;
    toy_make_videos(6);
    toy_write(toy.videos, "cut.mp4", "frames=30 seed=9 partial");
    toy_write(toy.videos, "broken.mp4", "bad");
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(0, 6, 1, 1, 0);
    assert_int_equal(toy.events, 8);
    assert_int_equal(toy_lines_of("manifest.jsonl"), 7);
    assert_int_equal(toy_lines_of("failures.jsonl"), 1);
    assert_false(toy_exists(toy.out, "broken.npy"));

    tub_array a;
    assert_int_equal(tub_npy_read(toy_path(toy.out, "v04.npy"), &a, &toy.err), TUB_OK);
    assert_int_equal(a.dims[0], (23 - 4) / 2 + 1);
    assert_int_equal(a.dims[1], TOY_DIM);
    tub_array_finish(&a);

    json_t *line = toy_line_about("manifest.jsonl", "v04.mp4");
    json_int_t rows, dim, frames, bytes;
    const char *status, *output, *checksum, *settings, *align;
    int is_short;
    double init;
    assert_int_equal(json_unpack(line, "{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:{s:F}}", "status", &status,
                                 "output", &output, "short", &is_short, "T", &rows, "C", &dim, "frames", &frames,
                                 "bytes", &bytes, "checksum", &checksum, "settings", &settings, "align", &align,
                                 "seconds", "init", &init),
                     0);
    assert_string_equal(status, "ok");
    assert_string_equal(output, "v04.npy");
    assert_string_equal(align, "valid");
    assert_int_equal(rows, 10);
    assert_int_equal(frames, 23);
    char *data = NULL, hash[TUB_HASH_TEXT];
    struct stat info;
    assert_int_equal(stat(toy_path(toy.out, output), &info), 0);
    assert_int_equal(info.st_size, bytes);
    data = toy_read(toy.out, output);
    tub_hash_bytes(data, (size_t)bytes, hash);
    assert_string_equal(hash, checksum);
    tub_free(data);
    json_decref(line);

    line = toy_line_about("manifest.jsonl", "v00.mp4");
    assert_true(json_is_true(json_object_get(line, "short")));
    json_decref(line);
    line = toy_line_about("manifest.jsonl", "cut.mp4");
    assert_string_equal(json_string_value(json_object_get(line, "status")), "partial");
    assert_non_null(strstr(json_string_value(json_object_get(line, "reason")), "it ends early"));
    json_decref(line);
    line = toy_line_about("failures.jsonl", "broken.mp4");
    assert_non_null(strstr(json_string_value(json_object_get(line, "reason")), "nothing in it can be decoded"));
    json_decref(line);

    // Run again: nothing is decoded, no byte changes, the failure still counts.
    char before[TUB_HASH_TEXT], after[TUB_HASH_TEXT];
    toy_digest(toy.out, before);
    toy.events = 0;
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(7, 0, 0, 1, 0);
    assert_int_equal(toy.totals.recorded_failures, 1);
    assert_int_equal(toy.events, 0);
    toy_digest(toy.out, after);
    assert_string_equal(before, after);
}

// Nothing is written if the params make no sense.
static void test_wrong_params(void **state)
{
    (void)state;
    toy_make_videos(1);
    tub_encoder *encoder = toy_encoder(0);
    tub_run_params wrong[] = {{.size = 8},
                              {.extractor.size = 8},
                              {.pool = (tub_pool)9},
                              {.extractor.video_stream = -1},
                              {.preset = "caf\xe9"}};
    static const char *const says[] = {"tub_run_params.size is 8", "tub_extractor_params.size is 8",
                                       "tub_run_params.pool is 9", "video_stream is -1", "\"caf?\" isn't UTF-8"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tub_dataset *d = NULL;
        assert_int_equal(toy_open_set(&d), TUB_OK);
        assert_int_equal(tub_dataset_run_source(d, encoder, &wrong[i], &toy_source, &toy.totals, &toy.err),
                         TUB_ERROR_ARGUMENT);
        assert_non_null(strstr(toy.err.text, says[i]));
        assert_false(toy_exists(toy.out, "features.json"));
        tub_dataset_close(&d);
    }
    // An encoder with another pooling than the recorded one: folders couldn't be told apart.
    tub_dataset *d = NULL;
    encoder->pool = TUB_POOL_MEAN;
    const tub_run_params silent = {.size = sizeof silent};
    assert_int_equal(toy_open_set(&d), TUB_OK);
    assert_int_equal(tub_dataset_run_source(d, encoder, &silent, &toy_source, &toy.totals, &toy.err),
                     TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(toy.err.text, "pool is default, but the encoder's is mean"));
    assert_false(toy_exists(toy.out, "features.json"));
    tub_dataset_close(&d);
    tub_encoder_close(&encoder);
}

static void test_annotations(void **state)
{
    (void)state;
    toy_make_videos(3);
    toy_write(toy.videos, "v_bad.mp4", "bad");
    toy_write(toy.videos, "unwanted.mp4", "frames=9 a stem that collides concerns nobody here");
    toy_write(toy.videos, "unwanted.mkv", "frames=9");
    toy_write(toy.root, "anno.json", "{\"database\": {\"v00\": {}, \"v02\": {}, \"bad\": {}, \"gone\": {}}}");
    char path[128];
    snprintf(path, sizeof path, "%s/anno.json", toy.root);
    toy.annotations = path;
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(0, 2, 0, 1, 0);
    char *missing = toy_read(toy.out, "missing_files.txt");
    assert_string_equal(missing, "bad\ngone\n");
    tub_free(missing);
}

static void test_stopped(void **state)
{
    (void)state;
    toy_make_videos(30);
    toy.stop_at_first = true;
    toy.delay = 0.002;
    assert_int_equal(toy_run(), TUB_ERROR_CANCELLED);
    assert_int_equal(toy.totals.videos, 30);
    // What was complete by then is published and counted; the rest is left for later.
    const size_t ok = toy.totals.ok;
    assert_in_range(ok, 1, 29);
    assert_int_equal(toy.totals.pending, 30 - ok);
    assert_int_equal(toy_count_temporary(toy.out), 0);
    assert_int_equal(toy_lines_of("manifest.jsonl"), ok);
    toy.stop_at_first = false;
    toy.stop = 0;
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(ok, 30 - ok, 0, 0, 0);
    char resumed[TUB_HASH_TEXT], whole[TUB_HASH_TEXT];
    toy_digest(toy.out, resumed);
    snprintf(toy.out, sizeof toy.out, "%s/again", toy.root);
    toy.delay = 0;
    assert_int_equal(toy_run(), TUB_OK);
    toy_digest(toy.out, whole);
    assert_string_equal(resumed, whole);
}

// Ticks come, and a stop is noticed, while the extractor has nothing to report.
static void test_ticks(void **state)
{
    (void)state;
    toy_write(toy.videos, "long.mp4", "frames=200 seed=1 slow");
    toy.stop_at_tick = true;
    assert_int_equal(toy_run(), TUB_ERROR_CANCELLED);
    assert_int_equal(toy.ticks, 1);
    toy_expect(0, 0, 0, 0, 1);
    assert_false(toy_exists(toy.out, "long.npy"));
}

static void test_dry_run(void **state)
{
    (void)state;
    toy_make_videos(3);
    toy.dry = true;
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(0, 0, 0, 0, 3);
    assert_int_equal(access(toy.out, F_OK), -1);
}

// Runs in a child; if we are root, as another user, because root may read and write everywhere.
static void expect_as_reader(tub_status status)
{
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(0);
        if (access(toy.out, R_OK | X_OK) != 0) // not everyone may enter the temporary folder
            _exit(0);
        _exit(access(toy.out, W_OK) != 0 && toy_run() == status && toy.totals.pending == (status == TUB_OK ? 3 : 0)
                  ? 0
                  : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

// Looking needs no write permission.
static void test_dry_run_in_a_folder_to_read(void **state)
{
    (void)state;
    toy_make_videos(3);
    toy.dry = true;
    snprintf(toy.out, sizeof toy.out, "%s/bare", toy.root);
    assert_int_equal(mkdir(toy.out, 0555), 0);
    assert_int_equal(chmod(toy.root, 0755), 0);
    expect_as_reader(TUB_OK);
    // The settings can't be read: that doesn't mean that the request is wrong.
    assert_int_equal(chmod(toy.out, 0777), 0);
    toy_write(toy.out, "features.json", "{}");
    assert_int_equal(chmod(toy_path(toy.out, "features.json"), 0), 0);
    assert_int_equal(chmod(toy.out, 0555), 0);
    expect_as_reader(TUB_ERROR_OUTPUT);
    toy.dry = false;
    assert_int_equal(chmod(toy.out, 0777), 0);
}

static void test_bad_output(void **state)
{
    (void)state;
    toy_make_videos(2);
    toy_write(toy.root, "file", "x");
    snprintf(toy.out, sizeof toy.out, "%s/file", toy.root);
    assert_int_equal(toy_run(), TUB_ERROR_OUTPUT);
    assert_non_null(strstr(toy.err.text, "file"));
    snprintf(toy.out, sizeof toy.out, "%s/file/sub", toy.root);
    assert_int_equal(toy_run(), TUB_ERROR_OUTPUT);
    // A folder in the place of a file of features: the run ends, and what is done stays done.
    snprintf(toy.out, sizeof toy.out, "%s/good", toy.root);
    mkdir(toy.out, 0777);
    mkdir(toy_path(toy.out, "v01.npy"), 0777);
    assert_int_equal(toy_run(), TUB_ERROR_OUTPUT);
    assert_non_null(strstr(toy.err.text, "v01.npy"));
    assert_int_equal(toy_count_temporary(toy.out), 0);
    rmdir(toy_path(toy.out, "v01.npy"));
    assert_int_equal(toy_run(), TUB_OK);
    assert_int_equal(toy.totals.pending + toy.totals.failed, 0);
}

// Names of all kinds: nothing is written outside the folder, the manifest stays JSON, and resuming recognizes them.
static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"caf\xe9.mp4", "-rf.mp4",        "new\nline.mp4", "\xe8\xa5\xbf %s.mp4",
                                        "a.b.c.mp4",   "quote\"s\\.mp4", " .mp4"};
    enum { NAMES = sizeof names / sizeof *names };
    char longest[300] = "", longer[300] = "";
    memset(longest, 'x', 251);
    strcpy(longest + 251, ".mp4");
    memset(longer, 'y', 252);
    strcpy(longer + 252, ".ts");
    for (int i = 0; i < NAMES; i++)
        toy_write(toy.videos, names[i], "frames=%d seed=%d", 20 + i, i);
    toy_write(toy.videos, longest, "frames=9");
    toy_write(toy.videos, longer, "frames=9");
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(0, NAMES + 1, 0, 1, 0);
    assert_true(toy_exists(toy.out, "caf\xe9.npy"));
    assert_true(toy_exists(toy.out, "a.b.c.npy"));
    assert_true(toy_exists(toy.out, "new\nline.npy"));
    assert_int_equal(toy_lines_of("manifest.jsonl"), NAMES + 1);
    toy.events = 0;
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(NAMES + 1, 0, 0, 1, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, toy_set_up, toy_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_written),    TEST(test_annotations), TEST(test_stopped),
        TEST(test_ticks),      TEST(test_dry_run),     TEST(test_dry_run_in_a_folder_to_read),
        TEST(test_bad_output), TEST(test_names),       TEST(test_wrong_params),
    };
    return cmocka_run_group_tests_name("dataset_run", tests, NULL, NULL);
}
