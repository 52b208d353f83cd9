// Whole runs over toy videos: what is written, what is skipped, what is made again, what is refused.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tubelet/features.h>
#include <tubelet/npy.h>
#include <unistd.h>

#include "encoder_impl.h"
#include "toy_videos.h"

static char root[64], out[128], videos[128];
static tub_error err;
static tub_run_totals totals;
static int events, ticks;
static volatile int stop;
static bool stop_at_first, stop_at_tick, retry, dry;
static void (*meanwhile)(void); // after the first video
static void (*listed)(void);    // before the first one is read
static int rank, world;
static const char *annotations;
static double delay;

static int set_up(void **state)
{
    (void)state;
    const char *folder = toy_folder();
    if (!folder)
        return -1;
    snprintf(root, sizeof root, "%s", folder);
    snprintf(out, sizeof out, "%s/out/deep", root);
    snprintf(videos, sizeof videos, "%s/videos", root);
    events = ticks = stop = rank = world = 0;
    stop_at_first = stop_at_tick = retry = dry = false;
    meanwhile = listed = NULL;
    annotations = NULL;
    delay = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(toy_count_temporary(out), 0);
    toy_remove(root);
    return 0;
}

static void on_event(void *user, const tub_event *event)
{
    (void)user;
    assert_non_null(event->totals);
    if (event->kind == TUB_EVENT_TICK) {
        assert_non_null(event->progress);
        ticks++;
        stop = stop || stop_at_tick;
        return;
    }
    if (events++ == 0 && meanwhile)
        meanwhile();
    assert_non_null(event->result);
    assert_true((event->output != NULL) == (event->result->status == TUB_OK));
    assert_true((event->item->state == TUB_ITEM_FAILED) == (event->result->status != TUB_OK));
    stop = stop || stop_at_first;
}

static tub_status open_set(tub_dataset **d)
{
    const char *inputs[] = {videos};
    tub_dataset_params params = {.size = sizeof params, .inputs = inputs, .input_count = 1, .out = out,
                                 .shard_rank = rank, .shard_world = world, .annotations = annotations,
                                 .retry_failed = retry, .dry_run = dry};
    return tub_dataset_open(&params, d, &err);
}

static tub_status run_with(tub_encoder *encoder, int stride)
{
    tub_dataset *d = NULL;
    totals = (tub_run_totals){0};
    tub_status status = open_set(&d);
    tub_run_params params = {.size = sizeof params, .on_event = on_event, .stop = &stop};
    params.extractor = (tub_extractor_params){.size = sizeof params.extractor, .decode_threads = 2,
                                              .sampling = {.stride = stride}};
    if (listed)
        listed();
    if (status == TUB_OK)
        status = tub_dataset_run_source(d, encoder, &params, &toy_source, &totals, &err);
    if (status == TUB_OK)
        assert_int_equal(totals.videos, totals.skipped + totals.ok + totals.partial + totals.failed + totals.pending);
    tub_dataset_close(&d);
    return status;
}

static tub_status run(void)
{
    tub_encoder *encoder = toy_encoder(delay);
    tub_status status = run_with(encoder, 2);
    tub_encoder_close(&encoder);
    return status;
}

static void expect(size_t skipped, size_t ok, size_t partial, size_t failed, size_t pending)
{
    assert_int_equal(totals.skipped, skipped);
    assert_int_equal(totals.ok, ok);
    assert_int_equal(totals.partial, partial);
    assert_int_equal(totals.failed, failed);
    assert_int_equal(totals.pending, pending);
}

static void make_videos(int count)
{
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "v%02d.mp4", i);
        toy_write(videos, name, "frames=%d seed=%d", 3 + 5 * i, i);
    }
}

static int lines_of(const char *name)
{
    char *text = toy_read(out, name);
    int lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    tub_free(text);
    return lines;
}

static json_t *line_about(const char *file, const char *video)
{
    char *text = toy_read(out, file), *rest;
    json_t *found = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *object = json_loads(line, 0, NULL);
        assert_non_null(object);
        if (strcmp(json_string_value(json_object_get(object, "video")), toy_path(videos, video)) == 0) {
            json_decref(found);
            found = json_incref(object);
        }
        json_decref(object);
    }
    tub_free(text);
    return found;
}

static void test_written(void **state)
{
    (void)state;
    make_videos(6);
    toy_write(videos, "cut.mp4", "frames=30 seed=9 partial");
    toy_write(videos, "broken.mp4", "bad");
    assert_int_equal(run(), TUB_OK);
    expect(0, 6, 1, 1, 0);
    assert_int_equal(events, 8);
    assert_int_equal(lines_of("manifest.jsonl"), 7);
    assert_int_equal(lines_of("failures.jsonl"), 1);
    assert_false(toy_exists(out, "broken.npy"));

    tub_array a;
    assert_int_equal(tub_npy_read(toy_path(out, "v04.npy"), &a, &err), TUB_OK);
    assert_int_equal(a.dims[0], (23 - 4) / 2 + 1);
    assert_int_equal(a.dims[1], TOY_DIM);
    tub_array_finish(&a);

    json_t *line = line_about("manifest.jsonl", "v04.mp4");
    json_int_t rows, dim, frames, bytes;
    const char *status, *output, *checksum, *settings, *align;
    int is_short;
    double init;
    assert_int_equal(json_unpack(line, "{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:{s:F}}", "status", &status,
                                 "output", &output, "short", &is_short, "T", &rows, "C", &dim, "frames", &frames,
                                 "bytes", &bytes, "checksum", &checksum, "settings", &settings, "align", &align,
                                 "seconds", "init", &init), 0);
    assert_string_equal(status, "ok");
    assert_string_equal(output, "v04.npy");
    assert_string_equal(align, "valid");
    assert_int_equal(rows, 10);
    assert_int_equal(frames, 23);
    char *data = NULL, hash[TUB_HASH_TEXT];
    struct stat info;
    assert_int_equal(stat(toy_path(out, output), &info), 0);
    assert_int_equal(info.st_size, bytes);
    data = toy_read(out, output);
    tub_hash_bytes(data, (size_t)bytes, hash);
    assert_string_equal(hash, checksum);
    tub_free(data);
    json_decref(line);

    line = line_about("manifest.jsonl", "v00.mp4");
    assert_true(json_is_true(json_object_get(line, "short")));
    json_decref(line);
    line = line_about("manifest.jsonl", "cut.mp4");
    assert_string_equal(json_string_value(json_object_get(line, "status")), "partial");
    assert_non_null(strstr(json_string_value(json_object_get(line, "reason")), "it ends early"));
    json_decref(line);
    line = line_about("failures.jsonl", "broken.mp4");
    assert_non_null(strstr(json_string_value(json_object_get(line, "reason")), "nothing in it can be decoded"));
    json_decref(line);

    // Again: nothing is decoded, no byte changes, the failure still counts.
    char before[TUB_HASH_TEXT], after[TUB_HASH_TEXT];
    toy_digest(out, before);
    events = 0;
    assert_int_equal(run(), TUB_OK);
    expect(7, 0, 0, 1, 0);
    assert_int_equal(totals.recorded_failures, 1);
    assert_int_equal(events, 0);
    toy_digest(out, after);
    assert_string_equal(before, after);
}

// Everything that isn't valid by header, size and manifest is made again, and becomes what it was.
static void test_resume(void **state)
{
    (void)state;
    make_videos(8);
    assert_int_equal(run(), TUB_OK);
    char before[TUB_HASH_TEXT], after[TUB_HASH_TEXT];
    assert_int_equal(toy_digest(out, before), 8);
    unlink(toy_path(out, "v01.npy"));
    assert_int_equal(truncate(toy_path(out, "v02.npy"), 100), 0);
    struct stat info;
    assert_int_equal(stat(toy_path(out, "v03.npy"), &info), 0);
    assert_int_equal(truncate(toy_path(out, "v03.npy"), info.st_size + 4), 0);
    // A whole file of another shape, which no manifest line tells of.
    const int64_t dims[] = {1, TOY_DIM};
    const float row[TOY_DIM] = {0};
    assert_int_equal(tub_npy_write(toy_path(out, "v04.npy"), TUB_F32, 2, dims, row, &err), TUB_OK);
    toy_write(out, ".v05.npy.otherhost.1.0.tmp", "another host's: left alone");
    assert_int_equal(run(), TUB_OK);
    expect(4, 4, 0, 0, 0);
    assert_true(toy_exists(out, ".v05.npy.otherhost.1.0.tmp"));
    unlink(toy_path(out, ".v05.npy.otherhost.1.0.tmp"));
    toy_digest(out, after);
    assert_string_equal(before, after);

    // Without the manifest nothing is known to be whole; a torn one tells what it still tells.
    char *manifest = toy_read(out, "manifest.jsonl");
    unlink(toy_path(out, "manifest.jsonl"));
    assert_int_equal(run(), TUB_OK);
    expect(0, 8, 0, 0, 0);
    char *second = strchr(manifest, '\n') + 1;
    toy_write(out, "manifest.jsonl", "%.*s", (int)(second - manifest) + 20, manifest);
    tub_free(manifest);
    assert_int_equal(run(), TUB_OK);
    expect(1, 7, 0, 0, 0);
    toy_digest(out, after);
    assert_string_equal(before, after);
    assert_int_equal(run(), TUB_OK);
    expect(8, 0, 0, 0, 0);

    // A video that was replaced is another video.
    toy_write(videos, "v06.mp4", "frames=60 seed=66 longer");
    assert_int_equal(run(), TUB_OK);
    expect(7, 1, 0, 0, 0);
}

static tub_status settle(int stride, const char *stamp)
{
    tub_encoder *encoder = toy_encoder(0);
    tub_run_params params = {.size = sizeof params};
    tub_dataset *d = NULL;
    params.extractor.sampling.stride = stride;
    snprintf(encoder->info.model_stamp, sizeof encoder->info.model_stamp, "%s", stamp);
    memset(&totals, 0x7f, sizeof totals);
    assert_int_equal(open_set(&d), TUB_OK);
    tub_status status = tub_dataset_settle(d, &encoder->info, &params, &totals, &err);
    tub_dataset_close(&d);
    tub_encoder_close(&encoder);
    return status;
}

// Where nothing is to do no encoder is needed, and other settings are refused all the same.
static void test_settled(void **state)
{
    (void)state;
    tub_dataset *d;
    const char *stamp, *hash;
    make_videos(3);
    assert_int_equal(settle(2, ""), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "v00.mp4: is to do yet"));
    expect(0, 0, 0, 0, 0); // filled in also when it fails
    assert_int_equal(run(), TUB_OK);
    assert_int_equal(open_set(&d), TUB_OK);
    assert_false(tub_dataset_known_model(d, &stamp, &hash));
    tub_dataset_close(&d);
    assert_int_equal(settle(2, "5555"), TUB_OK);
    expect(3, 0, 0, 0, 0);
    assert_int_equal(settle(16, "6666"), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "stride: 2 there, 16 asked"));
    assert_int_equal(open_set(&d), TUB_OK);
    assert_true(tub_dataset_known_model(d, &stamp, &hash));
    assert_string_equal(stamp, "5555");
    assert_string_equal(hash, "0123456789abcdef0123456789abcdef");
    tub_dataset_close(&d);
}

// Nothing is written where the params can't be meant.
static void test_wrong_params(void **state)
{
    (void)state;
    make_videos(1);
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
        assert_int_equal(open_set(&d), TUB_OK);
        assert_int_equal(tub_dataset_run_source(d, encoder, &wrong[i], &toy_source, &totals, &err), TUB_ERROR_ARGUMENT);
        assert_non_null(strstr(err.text, says[i]));
        assert_false(toy_exists(out, "features.json"));
        tub_dataset_close(&d);
    }
    // An encoder of another pooling than what is recorded: folders couldn't be kept apart.
    tub_dataset *d = NULL;
    encoder->pool = TUB_POOL_MEAN;
    const tub_run_params silent = {.size = sizeof silent};
    assert_int_equal(open_set(&d), TUB_OK);
    assert_int_equal(tub_dataset_run_source(d, encoder, &silent, &toy_source, &totals, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "pool is default, but the encoder's is mean"));
    assert_false(toy_exists(out, "features.json"));
    tub_dataset_close(&d);
    tub_encoder_close(&encoder);
}

static void overwrite(const char *name, long at, char byte)
{
    FILE *file = fopen(toy_path(out, name), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    fputc(byte, file);
    fclose(file);
}

// A file as old as its line tells isn't opened; one that was written to is, and counts if its header is right.
static void test_touched(void **state)
{
    (void)state;
    make_videos(4);
    assert_int_equal(run(), TUB_OK);
    const struct timespec other[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, toy_path(out, "v00.npy"), other, 0), 0);
    assert_int_equal(run(), TUB_OK);
    expect(4, 0, 0, 0, 0);
    overwrite("v01.npy", 0, 'X');
    assert_int_equal(truncate(toy_path(out, "v02.npy"), 130), 0);
    unlink(toy_path(out, "v03.npy"));
    assert_int_equal(run(), TUB_OK);
    expect(1, 3, 0, 0, 0);
}

static void test_mixing_refused(void **state)
{
    (void)state;
    make_videos(2);
    assert_int_equal(run(), TUB_OK);
    tub_encoder *encoder = toy_encoder(0);
    assert_int_equal(run_with(encoder, 16), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "stride: 2 there, 16 asked"));
    encoder->info.dtype = TUB_BF16;
    assert_int_equal(run_with(encoder, 2), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "dtype: f32 there, bf16 asked"));
    encoder->info.dtype = TUB_F32;
    encoder->info.model_hash[0] = 'f';
    assert_int_equal(run_with(encoder, 2), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "model hash"));
    // Nor is it forgotten with features.json.
    unlink(toy_path(out, "features.json"));
    assert_int_equal(run_with(encoder, 2), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "another model"));
    tub_encoder_close(&encoder);
    assert_int_equal(run(), TUB_OK);
    expect(2, 0, 0, 0, 0);
    // Batch and threads are no settings.
    encoder = toy_encoder(0);
    encoder->info.batch = 1;
    assert_int_equal(run_with(encoder, 2), TUB_OK);
    tub_encoder_close(&encoder);

    tub_dataset *d;
    tub_dtype dtype = TUB_DTYPE_AUTO;
    const char *backend = NULL;
    assert_int_equal(open_set(&d), TUB_OK);
    assert_true(tub_dataset_pinned(d, &dtype, &backend));
    assert_int_equal(dtype, TUB_F32);
    assert_string_equal(backend, "reference");
    tub_dataset_close(&d);
}

static void test_failures(void **state)
{
    (void)state;
    make_videos(2);
    toy_write(videos, "sick.mp4", "bad");
    toy_write(videos, "ill.mp4", "bad");
    assert_int_equal(run(), TUB_OK);
    expect(0, 2, 0, 2, 0);
    retry = true;
    assert_int_equal(run(), TUB_OK);
    expect(2, 0, 0, 2, 0);
    assert_int_equal(totals.recorded_failures, 0);
    assert_int_equal(lines_of("failures.jsonl"), 2);
    // Replaced: tried without being asked. A later success takes it off the list.
    retry = false;
    toy_write(videos, "sick.mp4", "frames=20 seed=1 now well");
    assert_int_equal(run(), TUB_OK);
    expect(2, 1, 0, 1, 0);
    assert_int_equal(lines_of("failures.jsonl"), 1);
    json_t *line = line_about("failures.jsonl", "sick.mp4");
    assert_null(line);
    // In a run of shards too, whose own files are others.
    toy_write(videos, "ill.mp4", "frames=20 seed=1 now well");
    world = 2;
    for (rank = 0; rank < 2; rank++)
        assert_int_equal(run(), TUB_OK);
    assert_false(toy_exists(out, "failures.jsonl"));
    // Failed features don't lie about.
    world = 0;
    rank = 0;
    toy_write(videos, "sick.mp4", "bad");
    assert_int_equal(run(), TUB_OK);
    expect(3, 0, 0, 1, 0);
    assert_false(toy_exists(out, "sick.npy"));
}

// What wasn't there and is now, on a server that was away say, is tried without being asked.
static void test_videos_that_come_later(void **state)
{
    (void)state;
    make_videos(1);
    assert_int_equal(symlink(toy_path(root, "away.mp4"), toy_path(videos, "away.mp4")), 0);
    assert_int_equal(run(), TUB_OK);
    expect(0, 1, 0, 1, 0);
    assert_int_equal(run(), TUB_OK);
    expect(1, 0, 0, 1, 0);
    assert_int_equal(totals.recorded_failures, 1);
    toy_write(root, "away.mp4", "frames=20 seed=1");
    assert_int_equal(run(), TUB_OK);
    expect(1, 1, 0, 0, 0);
    assert_false(toy_exists(out, "failures.jsonl"));
}

static void write_again(void)
{
    toy_write(videos, "v00.mp4", "frames=%d seed=%d", 3, 9); // as long as before
    toy_write(videos, "sick.mp4", "bad");
}

// What is written to while it is read can have its final size from the beginning: neither its features nor its failure
// count for the next run.
static void test_videos_that_are_written_to(void **state)
{
    (void)state;
    make_videos(2);
    toy_write(videos, "sick.mp4", "bad");
    const struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, toy_path(videos, "v00.mp4"), long_ago, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, toy_path(videos, "sick.mp4"), long_ago, 0), 0);
    listed = write_again;
    assert_int_equal(run(), TUB_OK);
    expect(0, 2, 0, 1, 0);
    listed = NULL;
    assert_int_equal(run(), TUB_OK);
    expect(1, 1, 0, 1, 0);
    assert_int_equal(totals.recorded_failures, 0);
    assert_int_equal(run(), TUB_OK);
    expect(2, 0, 0, 1, 0);
    assert_int_equal(totals.recorded_failures, 1);
}

// Another run in the same folder, from its beginning to its end, while one goes on.
static int other_world;

static void run_other(void)
{
    const int own_world = world;
    const tub_run_totals own_totals = totals;
    meanwhile = NULL;
    world = other_world;
    assert_int_equal(run(), TUB_OK);
    world = own_world;
    totals = own_totals;
}

// Two divisions of the same videos at once: each puts the other's failures in order, and none is lost by that.
static void test_failures_of_two_runs(void **state)
{
    (void)state;
    static const int worlds[][2] = {{0, 2}, {2, 0}, {2, 2}};
    retry = true;
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
        toy_write(videos, "sick.mp4", "bad");
        snprintf(out, sizeof out, "%s/two%zu", root, i);
        mkdir(out, 0777);
        toy_write(out, "failures.jsonl", "{\"stem\": \"other\", \"video\": \"other\"}\n");
        toy_write(out, "failures.0.jsonl", "{\"stem\": \"other\", \"video\": \"other\"}\n");
        events = 0;
        meanwhile = run_other;
        world = worlds[i][0];
        other_world = worlds[i][1];
        assert_int_equal(run(), TUB_OK);
        json_t *lines[] = {line_about("failures.jsonl", "sick.mp4"), line_about("failures.0.jsonl", "sick.mp4")};
        assert_int_equal(!lines[0] + !lines[1], 1);
        json_decref(lines[0]);
        json_decref(lines[1]);
    }
}

// A file of failures that was there at the start, of which another run left nothing.
static void test_failures_that_vanish(void **state)
{
    (void)state;
    toy_write(videos, "ill.mp4", "bad");
    assert_int_equal(run(), TUB_OK);
    assert_int_equal(lines_of("failures.jsonl"), 1);
    toy_write(videos, "ill.mp4", "frames=20 seed=1 now well");
    make_videos(1);
    events = 0;
    meanwhile = run_other;
    world = 2;
    other_world = 0;
    assert_int_equal(run(), TUB_OK);
    assert_null(meanwhile);
    assert_false(toy_exists(out, "failures.jsonl"));
}

static void test_shards(void **state)
{
    (void)state;
    char whole[TUB_HASH_TEXT], parts[TUB_HASH_TEXT];
    make_videos(12);
    assert_int_equal(run(), TUB_OK);
    assert_int_equal(toy_digest(out, whole), 12);
    snprintf(out, sizeof out, "%s/shards", root);
    world = 3;
    size_t all = 0;
    for (rank = 0; rank < 3; rank++) {
        assert_int_equal(run(), TUB_OK);
        assert_int_equal(totals.ok, totals.videos);
        all += totals.videos;
    }
    assert_int_equal(all, 12);
    assert_int_equal(toy_digest(out, parts), 12);
    assert_string_equal(whole, parts);
    assert_int_equal(lines_of("manifest.0.jsonl") + lines_of("manifest.1.jsonl") + lines_of("manifest.2.jsonl"), 12);
    // Another division resumes from all of them.
    world = rank = 0;
    assert_int_equal(run(), TUB_OK);
    expect(12, 0, 0, 0, 0);
    world = 4;
    rank = 4;
    assert_int_equal(run(), TUB_ERROR_ARGUMENT);
}

static void test_annotations(void **state)
{
    (void)state;
    make_videos(3);
    toy_write(videos, "v_bad.mp4", "bad");
    toy_write(videos, "unwanted.mp4", "frames=9 a stem that collides concerns nobody here");
    toy_write(videos, "unwanted.mkv", "frames=9");
    toy_write(root, "anno.json", "{\"database\": {\"v00\": {}, \"v02\": {}, \"bad\": {}, \"gone\": {}}}");
    char path[128];
    snprintf(path, sizeof path, "%s/anno.json", root);
    annotations = path;
    assert_int_equal(run(), TUB_OK);
    expect(0, 2, 0, 1, 0);
    char *missing = toy_read(out, "missing_files.txt");
    assert_string_equal(missing, "bad\ngone\n");
    tub_free(missing);
}

static void test_stopped(void **state)
{
    (void)state;
    make_videos(30);
    stop_at_first = true;
    delay = 0.002;
    assert_int_equal(run(), TUB_ERROR_CANCELLED);
    assert_int_equal(totals.videos, 30);
    // What was complete by then is published and counted, the rest is left.
    const size_t ok = totals.ok;
    assert_in_range(ok, 1, 29);
    assert_int_equal(totals.pending, 30 - ok);
    assert_int_equal(toy_count_temporary(out), 0);
    assert_int_equal(lines_of("manifest.jsonl"), ok);
    stop_at_first = false;
    stop = 0;
    assert_int_equal(run(), TUB_OK);
    expect(ok, 30 - ok, 0, 0, 0);
    char resumed[TUB_HASH_TEXT], whole[TUB_HASH_TEXT];
    toy_digest(out, resumed);
    snprintf(out, sizeof out, "%s/again", root);
    delay = 0;
    assert_int_equal(run(), TUB_OK);
    toy_digest(out, whole);
    assert_string_equal(resumed, whole);
}

// Ticks come, and a stop is heard, while the extractor has nothing to say.
static void test_ticks(void **state)
{
    (void)state;
    toy_write(videos, "long.mp4", "frames=200 seed=1 slow");
    stop_at_tick = true;
    assert_int_equal(run(), TUB_ERROR_CANCELLED);
    assert_int_equal(ticks, 1);
    expect(0, 0, 0, 0, 1);
    assert_false(toy_exists(out, "long.npy"));
}

static void test_dry_run(void **state)
{
    (void)state;
    make_videos(3);
    dry = true;
    assert_int_equal(run(), TUB_OK);
    expect(0, 0, 0, 0, 3);
    assert_int_equal(access(out, F_OK), -1);
}

// In a child, as another user where we are root, who may read and write everywhere.
static void expect_as_reader(tub_status status)
{
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(0);
        if (access(out, R_OK | X_OK) != 0) // the folder for temporary files isn't for everyone
            _exit(0);
        _exit(access(out, W_OK) != 0 && run() == status && totals.pending == (status == TUB_OK ? 3 : 0) ? 0 : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

// Looking needs no right to write.
static void test_dry_run_in_a_folder_to_read(void **state)
{
    (void)state;
    make_videos(3);
    dry = true;
    snprintf(out, sizeof out, "%s/bare", root);
    assert_int_equal(mkdir(out, 0555), 0);
    assert_int_equal(chmod(root, 0755), 0);
    expect_as_reader(TUB_OK);
    // Whose settings can't be read: that is no fault of what was asked for.
    assert_int_equal(chmod(out, 0777), 0);
    toy_write(out, "features.json", "{}");
    assert_int_equal(chmod(toy_path(out, "features.json"), 0), 0);
    assert_int_equal(chmod(out, 0555), 0);
    expect_as_reader(TUB_ERROR_OUTPUT);
    dry = false;
    assert_int_equal(chmod(out, 0777), 0);
}

static void test_bad_output(void **state)
{
    (void)state;
    make_videos(2);
    toy_write(root, "file", "x");
    snprintf(out, sizeof out, "%s/file", root);
    assert_int_equal(run(), TUB_ERROR_OUTPUT);
    assert_non_null(strstr(err.text, "file"));
    snprintf(out, sizeof out, "%s/file/sub", root);
    assert_int_equal(run(), TUB_ERROR_OUTPUT);
    // A folder where a file of features must go: the run ends, what is done stays done.
    snprintf(out, sizeof out, "%s/good", root);
    mkdir(out, 0777);
    mkdir(toy_path(out, "v01.npy"), 0777);
    assert_int_equal(run(), TUB_ERROR_OUTPUT);
    assert_non_null(strstr(err.text, "v01.npy"));
    assert_int_equal(toy_count_temporary(out), 0);
    rmdir(toy_path(out, "v01.npy"));
    assert_int_equal(run(), TUB_OK);
    assert_int_equal(totals.pending + totals.failed, 0);
}

static void move_away(void)
{
    assert_int_equal(rename(out, toy_path(root, "elsewhere")), 0);
}

static void replace(void)
{
    move_away();
    assert_int_equal(mkdir(out, 0777), 0);
    toy_write(out, "features.json", "{}");
}

// Files come and go meanwhile, of which a removal may trip.
static void delete_all(void)
{
    for (int i = 0; i < 1000 && access(out, F_OK) == 0; i++)
        toy_remove(out);
}

static void empty(void)
{
    unlink(toy_path(out, "features.json"));
}

// Features that are gone with their folder aren't told as done, nor is a folder made anew for the rest of them. The
// first video is the last, too: then only the end can tell.
static void test_folder_that_goes(void **state)
{
    (void)state;
    static void (*const ways[])(void) = {move_away, replace, delete_all, empty};
    for (size_t i = 0; i < 2 * sizeof ways / sizeof *ways; i++) {
        make_videos(i % 2 ? 1 : 30);
        snprintf(out, sizeof out, "%s/going", root);
        events = 0;
        meanwhile = ways[i / 2];
        const tub_status status = run();
        if (status != TUB_ERROR_OUTPUT || !strstr(err.text, "during the run"))
            fail_msg("way %zu: %d, %s", i, status, err.text);
        assert_true(meanwhile == empty || !toy_exists(out, "v29.npy"));
        toy_remove(out);
        toy_remove(toy_path(root, "elsewhere"));
        toy_remove(videos);
        mkdir(videos, 0777);
    }
}

static void move_resampled(void *user, const char *file, int64_t rows_in, int64_t rows_out, const char *error)
{
    (void)user, (void)file, (void)rows_in, (void)rows_out, (void)error;
    rename(toy_path(root, "resampled"), toy_path(root, "elsewhere"));
}

static void test_folder_that_goes_while_resampling(void **state)
{
    (void)state;
    make_videos(3);
    assert_int_equal(run(), TUB_OK);
    char to[80];
    snprintf(to, sizeof to, "%s/resampled", root);
    const tub_resample_params params = {
        .size = sizeof params, .in = out, .out = to, .stride = 4, .on_file = move_resampled};
    assert_int_equal(tub_features_resample(&params, NULL, &err), TUB_ERROR_OUTPUT);
    assert_non_null(strstr(err.text, "during the run"));
    assert_int_not_equal(access(to, F_OK), 0);
}

// Names of all sorts: nothing outside the folder, the manifest stays JSON, resume knows them again.
static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"caf\xe9.mp4", "-rf.mp4", "new\nline.mp4", "\xe8\xa5\xbf %s.mp4", "a.b.c.mp4",
                                        "quote\"s\\.mp4", " .mp4"};
    enum { NAMES = sizeof names / sizeof *names };
    char longest[300] = "", longer[300] = "";
    memset(longest, 'x', 251);
    strcpy(longest + 251, ".mp4");
    memset(longer, 'y', 252);
    strcpy(longer + 252, ".ts");
    for (int i = 0; i < NAMES; i++)
        toy_write(videos, names[i], "frames=%d seed=%d", 20 + i, i);
    toy_write(videos, longest, "frames=9");
    toy_write(videos, longer, "frames=9");
    assert_int_equal(run(), TUB_OK);
    expect(0, NAMES + 1, 0, 1, 0);
    assert_true(toy_exists(out, "caf\xe9.npy"));
    assert_true(toy_exists(out, "a.b.c.npy"));
    assert_true(toy_exists(out, "new\nline.npy"));
    assert_int_equal(lines_of("manifest.jsonl"), NAMES + 1);
    events = 0;
    assert_int_equal(run(), TUB_OK);
    expect(NAMES + 1, 0, 0, 1, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_written),
        TEST(test_resume),
        TEST(test_settled),
        TEST(test_touched),
        TEST(test_mixing_refused),
        TEST(test_failures),
        TEST(test_videos_that_come_later),
        TEST(test_videos_that_are_written_to),
        TEST(test_failures_of_two_runs),
        TEST(test_failures_that_vanish),
        TEST(test_shards),
        TEST(test_annotations),
        TEST(test_stopped),
        TEST(test_ticks),
        TEST(test_dry_run),
        TEST(test_dry_run_in_a_folder_to_read),
        TEST(test_bad_output),
        TEST(test_folder_that_goes),
        TEST(test_folder_that_goes_while_resampling),
        TEST(test_names),
        TEST(test_wrong_params),
    };
    return cmocka_run_group_tests_name("dataset_run", tests, NULL, NULL);
}
