// Runs over toy videos in a folder with earlier runs: what is skipped, what is made again, what is refused.
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
#include <tubelet/npy.h>
#include <unistd.h>

#include "encoder_impl.h"
#include "toy_run.h"

// Everything that isn't valid by header, size and manifest is made again, and is then the same as before.
static void test_resume(void **state)
{
    (void)state;
    toy_make_videos(8);
    assert_int_equal(toy_run(), TUB_OK);
    char before[TUB_HASH_TEXT], after[TUB_HASH_TEXT];
    assert_int_equal(toy_digest(toy.out, before), 8);
    unlink(toy_path(toy.out, "v01.npy"));
    assert_int_equal(truncate(toy_path(toy.out, "v02.npy"), 100), 0);
    struct stat info;
    assert_int_equal(stat(toy_path(toy.out, "v03.npy"), &info), 0);
    assert_int_equal(truncate(toy_path(toy.out, "v03.npy"), info.st_size + 4), 0);
    // A whole file of another shape, which no manifest line describes.
    const int64_t dims[] = {1, TOY_DIM};
    const float row[TOY_DIM] = {0};
    assert_int_equal(tub_npy_write(toy_path(toy.out, "v04.npy"), TUB_F32, 2, dims, row, &toy.err), TUB_OK);
    toy_write(toy.out, ".v05.npy.otherhost.1.0.tmp", "another host's: left alone");
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(4, 4, 0, 0, 0);
    assert_true(toy_exists(toy.out, ".v05.npy.otherhost.1.0.tmp"));
    unlink(toy_path(toy.out, ".v05.npy.otherhost.1.0.tmp"));
    toy_digest(toy.out, after);
    assert_string_equal(before, after);

    // Without the manifest, no file is known to be whole; a torn manifest counts as far as it goes.
    char *manifest = toy_read(toy.out, "manifest.jsonl");
    unlink(toy_path(toy.out, "manifest.jsonl"));
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(0, 8, 0, 0, 0);
    char *second = strchr(manifest, '\n') + 1;
    toy_write(toy.out, "manifest.jsonl", "%.*s", (int)(second - manifest) + 20, manifest);
    tub_free(manifest);
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(1, 7, 0, 0, 0);
    toy_digest(toy.out, after);
    assert_string_equal(before, after);
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(8, 0, 0, 0, 0);

    // A video that was replaced is another video.
    toy_write(toy.videos, "v06.mp4", "frames=60 seed=66 longer");
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(7, 1, 0, 0, 0);
}

// If two folders have the same names, the later one doesn't take the first one's features over; a moved folder does.
static void test_like_names_of_another_folder(void **state)
{
    (void)state;
    char first[128];
    toy_make_videos(2);
    assert_int_equal(toy_run(), TUB_OK);
    snprintf(first, sizeof first, "%s", toy.videos);
    snprintf(toy.videos, sizeof toy.videos, "%s/others", toy.root);
    assert_int_equal(mkdir(toy.videos, 0777), 0);
    toy_write(toy.videos, "v01.mp4", "frames=60 seed=66 longer");
    assert_int_equal(toy_run(), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(toy.err.text, "others/v01.mp4 and "));
    assert_non_null(strstr(toy.err.text, "videos/v01.mp4, whose features are in "));
    assert_int_equal(unlink(toy_path(first, "v01.mp4")), 0);
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(0, 1, 0, 0, 0);
}

static void note_warning(void *user, int level, const char *text)
{
    if (level == 0) {
        ++*(int *)user;
        snprintf(toy.err.text, sizeof toy.err.text, "%s", text);
    }
}

// A collection that was encoded anew: its videos are counted, but not all of them are named.
static void test_replaced_videos_are_no_flood(void **state)
{
    (void)state;
    enum { VIDEOS = 40, LINES = 9 };
    const char *inputs[] = {toy.videos};
    int warnings = 0;
    tub_dataset_params params = {
        .size = sizeof params, .inputs = inputs, .input_count = 1, .out = toy.out, .log = {note_warning, &warnings}};
    tub_dataset *d;
    toy_make_videos(VIDEOS);
    assert_int_equal(toy_run(), TUB_OK);
    for (int i = 0; i < VIDEOS; i++) {
        char name[32];
        snprintf(name, sizeof name, "v%02d.mp4", i);
        toy_write(toy.videos, name, "frames=60 seed=66 longer");
    }
    assert_int_equal(tub_dataset_open(&params, &d, &toy.err), TUB_OK);
    tub_dataset_close(&d);
    assert_int_equal(warnings, LINES);
    assert_string_equal(toy.err.text,
                        "32 more videos have another size than when their features were made: they are made again");
}

static tub_status settle(int stride, const char *stamp)
{
    tub_encoder *encoder = toy_encoder(0);
    tub_run_params params = {.size = sizeof params};
    tub_dataset *d = NULL;
    params.extractor.sampling.stride = stride;
    snprintf(encoder->info.model_stamp, sizeof encoder->info.model_stamp, "%s", stamp);
    memset(&toy.totals, 0x7f, sizeof toy.totals);
    assert_int_equal(toy_open_set(&d), TUB_OK);
    tub_status status = tub_dataset_settle(d, &encoder->info, &params, &toy.totals, &toy.err);
    tub_dataset_close(&d);
    tub_encoder_close(&encoder);
    return status;
}

// If there is nothing to do, no encoder is needed; other settings are still refused.
static void test_settled(void **state)
{
    (void)state;
    tub_dataset *d;
    const char *stamp, *hash;
    toy_make_videos(3);
    assert_int_equal(settle(2, ""), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(toy.err.text, "v00.mp4: is to do yet"));
    toy_expect(0, 0, 0, 0, 0); // filled in even if it fails
    assert_int_equal(toy_run(), TUB_OK);
    assert_int_equal(toy_open_set(&d), TUB_OK);
    assert_false(tub_dataset_known_model(d, &stamp, &hash));
    tub_dataset_close(&d);
    assert_int_equal(settle(2, "5555"), TUB_OK);
    toy_expect(3, 0, 0, 0, 0);
    assert_int_equal(settle(16, "6666"), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(toy.err.text, "stride: 2 there, 16 asked"));
    assert_int_equal(toy_open_set(&d), TUB_OK);
    assert_true(tub_dataset_known_model(d, &stamp, &hash));
    assert_string_equal(stamp, "5555");
    assert_string_equal(hash, "0123456789abcdef0123456789abcdef");
    tub_dataset_close(&d);
}

static void overwrite(const char *name, long at, char byte)
{
    FILE *file = fopen(toy_path(toy.out, name), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    fputc(byte, file);
    fclose(file);
}

// A file with the time that its line states isn't opened. One that was written to is, and counts if its header is
// right.
static void test_touched(void **state)
{
    (void)state;
    toy_make_videos(4);
    assert_int_equal(toy_run(), TUB_OK);
    const struct timespec other[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, toy_path(toy.out, "v00.npy"), other, 0), 0);
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(4, 0, 0, 0, 0);
    overwrite("v01.npy", 0, 'X');
    assert_int_equal(truncate(toy_path(toy.out, "v02.npy"), 130), 0);
    unlink(toy_path(toy.out, "v03.npy"));
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(1, 3, 0, 0, 0);
}

static void test_mixing_refused(void **state)
{
    (void)state;
    toy_make_videos(2);
    assert_int_equal(toy_run(), TUB_OK);
    tub_encoder *encoder = toy_encoder(0);
    assert_int_equal(toy_run_with(encoder, 16), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(toy.err.text, "stride: 2 there, 16 asked"));
    encoder->info.dtype = TUB_BF16;
    assert_int_equal(toy_run_with(encoder, 2), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(toy.err.text, "dtype: f32 there, bf16 asked"));
    encoder->info.dtype = TUB_F32;
    encoder->info.model_hash[0] = 'f';
    assert_int_equal(toy_run_with(encoder, 2), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(toy.err.text, "model hash"));
    // Nor is it forgotten if features.json is gone.
    unlink(toy_path(toy.out, "features.json"));
    assert_int_equal(toy_run_with(encoder, 2), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(toy.err.text, "another model"));
    tub_encoder_close(&encoder);
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(2, 0, 0, 0, 0);
    // Batch and threads don't count as settings.
    encoder = toy_encoder(0);
    encoder->info.batch = 1;
    assert_int_equal(toy_run_with(encoder, 2), TUB_OK);
    tub_encoder_close(&encoder);

    tub_dataset *d;
    tub_dtype dtype = TUB_DTYPE_AUTO;
    const char *backend = NULL;
    assert_int_equal(toy_open_set(&d), TUB_OK);
    assert_true(tub_dataset_pinned(d, &dtype, &backend));
    assert_int_equal(dtype, TUB_F32);
    assert_string_equal(backend, "reference");
    tub_dataset_close(&d);
}

// Two runs that start together in a new folder: the second learns what the first has chosen.
static void test_the_first_run_decides(void **state)
{
    (void)state;
    tub_dataset *d[2];
    tub_dtype dtype;
    const char *backend;
    toy_make_videos(2);
    tub_encoder *encoder = toy_encoder(0);
    const tub_run_params params = {.size = sizeof params,
                                   .extractor = {.size = sizeof params.extractor, .sampling = {.stride = 2}}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(toy_open_set(&d[i]), TUB_OK);
        assert_false(tub_dataset_pinned(d[i], &dtype, &backend));
    }
    for (int i = 0; i < 2; i++) {
        encoder->info.dtype = i ? TUB_BF16 : TUB_F32;
        assert_int_equal(tub_dataset_pin(d[i], &encoder->info, &params, &toy.err), TUB_OK);
        assert_true(tub_dataset_pinned(d[i], &dtype, &backend));
        assert_int_equal(dtype, TUB_F32);
        assert_string_equal(backend, "reference");
    }
    encoder->info.dtype = TUB_F32;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tub_dataset_run_source(d[i], encoder, &params, &toy_source, &toy.totals, &toy.err), TUB_OK);
        assert_int_equal(toy.totals.ok, 2);
        tub_dataset_close(&d[i]);
    }
    tub_encoder_close(&encoder);
}

static void test_failures(void **state)
{
    (void)state;
    toy_make_videos(2);
    toy_write(toy.videos, "sick.mp4", "bad");
    toy_write(toy.videos, "ill.mp4", "bad");
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(0, 2, 0, 2, 0);
    toy.retry = true;
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(2, 0, 0, 2, 0);
    assert_int_equal(toy.totals.recorded_failures, 0);
    assert_int_equal(toy_lines_of("failures.jsonl"), 2);
    // Replaced: tried without being asked. Its success then takes it off the list.
    toy.retry = false;
    toy_write(toy.videos, "sick.mp4", "frames=20 seed=1 now well");
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(2, 1, 0, 1, 0);
    assert_int_equal(toy_lines_of("failures.jsonl"), 1);
    json_t *line = toy_line_about("failures.jsonl", "sick.mp4");
    assert_null(line);
    // Also in a run of shards, which have other files of failures.
    toy_write(toy.videos, "ill.mp4", "frames=20 seed=1 now well");
    toy.world = 2;
    for (toy.rank = 0; toy.rank < 2; toy.rank++)
        assert_int_equal(toy_run(), TUB_OK);
    assert_false(toy_exists(toy.out, "failures.jsonl"));
    // Features of a video that now fails are removed.
    toy.world = 0;
    toy.rank = 0;
    toy_write(toy.videos, "sick.mp4", "bad");
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(3, 0, 0, 1, 0);
    assert_false(toy_exists(toy.out, "sick.npy"));
}

// A file system that is away for a while: the same videos are tried again when it is back.
static void test_failures_of_the_machine(void **state)
{
    (void)state;
    toy_make_videos(2);
    toy_write(toy.videos, "far.mp4", "frames=20 away");
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(0, 2, 0, 1, 0);
    toy_write(toy.videos, "far.mp4", "frames=20     "); // the same size
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(2, 1, 0, 0, 0);
    assert_false(toy_exists(toy.out, "failures.jsonl"));
}

// A file that was missing and is there now, for example on a server that was away, is tried without being asked.
static void test_videos_that_come_later(void **state)
{
    (void)state;
    toy_make_videos(1);
    assert_int_equal(symlink(toy_path(toy.root, "away.mp4"), toy_path(toy.videos, "away.mp4")), 0);
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(0, 1, 0, 1, 0);
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(1, 0, 0, 1, 0);
    assert_int_equal(toy.totals.recorded_failures, 1);
    toy_write(toy.root, "away.mp4", "frames=20 seed=1");
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(1, 1, 0, 0, 0);
    assert_false(toy_exists(toy.out, "failures.jsonl"));
}

static tub_item_state state_for_others(size_t i)
{
    tub_item item;
    tub_dataset *d = NULL;
    const uid_t user = geteuid();
    assert_int_equal(user ? 0 : seteuid(65534), 0); // root may read everything
    assert_int_equal(toy_open_set(&d), TUB_OK);
    tub_dataset_item(d, i, &item);
    tub_dataset_close(&d);
    assert_int_equal(user ? 0 : seteuid(user), 0);
    return item.state;
}

// A video that may not be read isn't to do, as that would load a model in every run; once it may be read, it is.
static void test_videos_that_may_not_be_read(void **state)
{
    (void)state;
    toy_make_videos(1);
    toy_write(toy.videos, "own.mp4", "frames=20 away");
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(0, 1, 0, 1, 0);
    assert_int_equal(chmod(toy.root, 0755), 0);
    assert_int_equal(state_for_others(0), TUB_ITEM_TODO);
    assert_int_equal(chmod(toy_path(toy.videos, "own.mp4"), 0), 0);
    assert_int_equal(state_for_others(0), TUB_ITEM_FAILED);
    toy.retry = true;
    assert_int_equal(state_for_others(0), TUB_ITEM_TODO);
}

static void test_shards(void **state)
{
    (void)state;
    char whole[TUB_HASH_TEXT], parts[TUB_HASH_TEXT];
    toy_make_videos(12);
    assert_int_equal(toy_run(), TUB_OK);
    assert_int_equal(toy_digest(toy.out, whole), 12);
    snprintf(toy.out, sizeof toy.out, "%s/shards", toy.root);
    toy.world = 3;
    size_t all = 0;
    for (toy.rank = 0; toy.rank < 3; toy.rank++) {
        assert_int_equal(toy_run(), TUB_OK);
        assert_int_equal(toy.totals.ok, toy.totals.videos);
        all += toy.totals.videos;
    }
    assert_int_equal(all, 12);
    assert_int_equal(toy_digest(toy.out, parts), 12);
    assert_string_equal(whole, parts);
    assert_int_equal(
        toy_lines_of("manifest.0.jsonl") + toy_lines_of("manifest.1.jsonl") + toy_lines_of("manifest.2.jsonl"), 12);
    // Another division resumes from all of their files.
    toy.world = toy.rank = 0;
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(12, 0, 0, 0, 0);
    toy.world = 4;
    toy.rank = 4;
    assert_int_equal(toy_run(), TUB_ERROR_ARGUMENT);
}

// Renames the manifest to another shard's, and dates its lines to the end of the century, as with a wrong clock.
static void leave_to_a_later_clock(void)
{
    char *text = toy_read(toy.out, "manifest.jsonl");
    for (char *time = text; (time = strstr(time, "\"time\":\"20"));)
        memcpy(time += strlen("\"time\":\"20"), "99", 2);
    toy_write(toy.out, "manifest.7.jsonl", "%s", text);
    unlink(toy_path(toy.out, "manifest.jsonl"));
    tub_free(text);
}

// If clocks disagree, the file itself shows which line is about it.
static void test_clocks_that_differ(void **state)
{
    (void)state;
    toy_make_videos(3);
    assert_int_equal(toy_run(), TUB_OK);
    leave_to_a_later_clock();
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(3, 0, 0, 0, 0);
    toy_write(toy.videos, "v01.mp4", "frames=60 seed=66 longer");
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(2, 1, 0, 0, 0);
    assert_int_equal(toy_run(), TUB_OK);
    toy_expect(3, 0, 0, 0, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, toy_set_up, toy_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_resume),
        TEST(test_like_names_of_another_folder),
        TEST(test_replaced_videos_are_no_flood),
        TEST(test_settled),
        TEST(test_touched),
        TEST(test_mixing_refused),
        TEST(test_the_first_run_decides),
        TEST(test_failures),
        TEST(test_failures_of_the_machine),
        TEST(test_videos_that_come_later),
        TEST(test_videos_that_may_not_be_read),
        TEST(test_shards),
        TEST(test_clocks_that_differ),
    };
    return cmocka_run_group_tests_name("dataset_resume", tests, NULL, NULL);
}
