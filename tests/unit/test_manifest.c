// What earlier runs recorded, and the settings that a folder is pinned to.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tubelet/features.h>
#include <tubelet/npy.h>
#include <unistd.h>

#include "encoder_impl.h"
#include "feature_folder.h"
#include "record_line.h"
#include "records.h"
#include "temp_folder.h"
#include "toy_videos.h"

static char *root;
static tub_error err;

static int set_up(void **state)
{
    (void)state;
    root = toy_folder();
    return root ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    toy_remove(root);
    return 0;
}

static void test_lines(void **state)
{
    (void)state;
    toy_write(root, "manifest.jsonl",
              "{\"video\":\"/x/a.mp4\",\"output\":\"a.npy\",\"status\":\"ok\",\"T\":3,\"C\":5,\"bytes\":188,\"settings\":\"s\","
              "\"model\":\"m\",\"time\":\"2030-01-01T00:00:00Z\"}\n"
              "{\"output\":\"b.npy\",\"T\":1}\n"
              "{\"output\":\"b.npy\",\"T\":2,\"status\":\"partial\",\"reason\":\"cut\",\"news\":[1,{}]}\n"
              "not json\n\n[1]\n{\"output\":7}\n{\"output\":\"c.npy\"}\n"
              "{\"output\":\"d.npy\",\"T\":9,\"C\":5,\"byt");
    toy_write(root, "manifest.3.jsonl", "{\"output\":\"a.npy\",\"T\":4,\"time\":\"2029-01-01T00:00:00Z\"}\n"
                                        "{\"output\":\"b.npy\",\"T\":5,\"time\":\"2029-01-01T00:00:00Z\"}\n");
    toy_write(root, "manifestx.jsonl", "{\"output\":\"e.npy\",\"T\":4}\n");
    tub_out_listing listing;
    tub_records r;
    assert_int_equal(tub_out_listing_read(root, &listing, &err), TUB_OK);
    assert_int_equal(listing.manifests.count, 2);
    assert_int_equal(tub_records_read_manifests(&listing.manifests, &r, &err), TUB_OK);
    tub_out_listing_finish(&listing);
    assert_int_equal(r.count, 2);
    const tub_record *a = tub_records_find(&r, "a"), *b = tub_records_find(&r, "b");
    assert_int_equal(a->rows, 3);       // between files, the later time wins
    assert_int_equal(a->bytes, 188);
    assert_string_equal(a->settings, "s");
    assert_int_equal(a->video_bytes, -1);
    assert_int_equal(b->rows, 5);
    assert_null(tub_records_find(&r, "d"));
    assert_null(tub_records_find(&r, "e"));
    tub_records_finish(&r);
    assert_int_equal(tub_out_listing_read("/nowhere", &listing, &err), TUB_OK);
    assert_int_equal(listing.manifests.count, 0);
    tub_out_listing_finish(&listing);
}

static void ask(tub_settings *out, int stride, double fps, tub_dtype dtype)
{
    tub_encoder *encoder = toy_encoder(0);
    const tub_layout layout = {.name = "{stem}", .container = TUB_CONTAINER_NPY, .dtype = TUB_F32};
    tub_run_params params = {.extractor.sampling = {.stride = stride, .fps = fps}};
    encoder->info.dtype = dtype;
    assert_int_equal(tub_settings_make(&encoder->info, &params, &layout, out, &err), TUB_OK);
    tub_encoder_close(&encoder);
}

static void test_settings(void **state)
{
    (void)state;
    tub_settings a, b, c;
    char text[400];
    ask(&a, 4, 30000 / 1001.0, TUB_F32);
    ask(&b, 16, 30000 / 1001.0, TUB_BF16);
    ask(&c, 4, 0, TUB_F32);
    assert_int_equal(tub_settings_compare(a.root, a.root, text, sizeof text), 0);
    assert_int_equal(tub_settings_compare(a.root, b.root, text, sizeof text), 2);
    assert_string_equal(text, "stride: 4 there, 16 asked; dtype: f32 there, bf16 asked");
    assert_string_not_equal(a.settings, b.settings);
    assert_string_not_equal(a.settings, c.settings);
    assert_string_equal(a.model, b.model);

    // Nothing changes on the way through the file, even for odd numbers.
    assert_int_equal(tub_settings_agree(root, &a, true, &err), TUB_OK);
    assert_int_equal(tub_settings_agree(root, &a, true, &err), TUB_OK);
    tub_settings read;
    assert_int_equal(tub_settings_load(root, &read, &err), TUB_OK);
    assert_string_equal(read.settings, a.settings);
    tub_settings_finish(&read);
    assert_int_equal(tub_settings_agree(root, &b, true, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "stride: 4 there, 16 asked; dtype: f32 there, bf16 asked"));
    assert_int_equal(tub_settings_agree(root, &c, true, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "native asked"));
    char *json = toy_read(root, "features.json");
    assert_non_null(strstr(json, "0.485"));
    assert_null(strstr(json, "0.48500"));
    tub_free(json);

    assert_int_equal(tub_settings_load("/nowhere", &read, &err), TUB_OK);
    assert_null(read.root);
    toy_write(root, "features.json", "{\"settings\": {");
    assert_int_equal(tub_settings_load(root, &read, &err), TUB_ERROR_ARGUMENT);
    toy_write(root, "features.json", "{}");
    assert_int_equal(tub_settings_load(root, &read, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "features.json"));
    tub_settings_finish(&a);
    tub_settings_finish(&b);
    tub_settings_finish(&c);
}

// A table of names has at most four places for each name, however many there are.
static void test_names_in_memory(void **state)
{
    (void)state;
    enum { NAMES = 5000 };
    static char names[NAMES][8];
    tub_stem_map map = {0};
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof names[i], "v%zu", i);
        assert_true(tub_stem_map_set(&map, names[i], i));
        assert_in_range(map.capacity, map.count + 1, 4 * map.count + 64);
    }
    for (size_t i = 0; i < NAMES; i++)
        assert_int_equal(tub_stem_map_get(&map, names[i]), i);
    assert_int_equal(tub_stem_map_get(&map, "v5000"), (size_t)TUB_NO_STEM);
    tub_stem_map_finish(&map);
}

// With a million videos, a login node holds only what it is asked, not the manifest, and nothing a million times.
static void test_a_folder_in_memory(void **state)
{
    (void)state;
    enum { VIDEOS = 1000, LONGEST = 150 };
    static const char line[] = "{\"video\":\"/x/v%04d.mp4\",\"output\":\"v%04d.npy\",\"T\":3,\"align\":\"valid\",\"pad\":\"%0500d\",\"settings\":"
                               "\"948a88502151efed7937717827b43c3b\",\"model\":\"4bfb3e6cae8be9d20257ada3e2e7d0ba\",\"checksum\":"
                               "\"a7122a2c3da12ca48e46913370ef9b%02d\",\"time\":\"2029-01-01T00:00:%02dZ\"}\n";
    FILE *file = fopen(test_path(root, "manifest.jsonl"), "w");
    assert_non_null(file);
    for (int i = 0; i < VIDEOS; i++)
        fprintf(file, line, i, i, 0, i % 90, i / 20);
    assert_int_equal(fclose(file), 0);
    tub_feature_folder f;
    assert_int_equal(tub_feature_folder_open(root, false, &f, &err), TUB_OK);
    assert_int_equal(f.told.count, VIDEOS);
    const tub_told *told = tub_told_find(&f.told, "v0777.npy");
    assert_string_equal(told->time, "2029-01-01T00:00:38Z");
    assert_string_equal(told->settings, "948a88502151efed7937717827b43c3b");
    assert_null(told->line);
    assert_in_range(f.arena.bytes, 0, VIDEOS * LONGEST);
    tub_feature_folder_finish(&f);
    assert_int_equal(tub_feature_folder_open(root, true, &f, &err), TUB_OK);
    assert_in_range(strlen(tub_told_find(&f.told, "v0777.npy")->line), 500, 1000);
    tub_feature_folder_finish(&f);
}

// A line is valid JSON whatever bytes the name and the reason have.
static void test_line_bytes(void **state)
{
    (void)state;
    const tub_entry entry = {.path = "/v/caf\xe9 \"1\"\n.mp4", .stem = "", .key = "caf\xef\xbf\xbd" "e9", .bytes = 7};
    tub_result result = {.status = TUB_ERROR_VIDEO, .text = "caf\xe9: no"};
    char *line = tub_failure_line(&entry, &result);
    assert_non_null(line);
    assert_null(strchr(line, '\n'));
    json_t *object = json_loads(line, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(object, "video")), "/v/caf\xef\xbf\xbd" "e9 \"1\"\n.mp4");
    assert_string_equal(json_string_value(json_object_get(object, "reason")), "caf\xef\xbf\xbd" "e9: no");
    json_decref(object);
    tub_free(line);
}

// Runs in a child process, as root may list everything. Returns the number of the first failed check.
static int look_without_permission(void)
{
    const char *inside = test_path(root, "training");
    if (geteuid() == 0 && (chown(root, 65534, 65534) || chown(inside, 65534, 65534) || setuid(65534)))
        return 1;
    tub_verify_params params = {.size = sizeof params, .folder = root};
    tub_out_listing listing;
    if (chmod(inside, 0300) || tub_features_verify(&params, NULL, &err) != TUB_ERROR_OUTPUT || chmod(inside, 0700))
        return 2;
    if (!strstr(err.text, "training/: this folder can't be listed"))
        return 3;
    if (chmod(root, 0300) || tub_features_verify(&params, NULL, &err) != TUB_ERROR_OUTPUT)
        return 4;
    if (tub_out_listing_read(root, &listing, &err) != TUB_ERROR_OUTPUT || !strstr(err.text, "can't be listed"))
        return 5;
    return access(test_path(root, "missing_files.txt"), F_OK) == 0 ? 6 : 0;
}

static void test_what_cant_be_listed_isnt_empty(void **state)
{
    (void)state;
    int status;
    toy_write(root, "manifest.jsonl", "{\"video\":\"/x/a.mp4\",\"output\":\"a.npy\",\"T\":3}\n");
    assert_int_equal(mkdir(test_path(root, "training"), 0700), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(look_without_permission());
    assert_int_equal(waitpid(child, &status, 0), child);
    chmod(root, 0700);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

// Nobody writes into these pipes: an ordinary open would wait forever.
static void test_pipes_are_not_waited_for(void **state)
{
    (void)state;
    const char *names[] = {"manifest.jsonl", "features.json"};
    tub_verify_params params = {.size = sizeof params, .folder = root};
    alarm(30);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mkfifo(test_path(root, names[i]), 0600), 0);
        assert_true(tub_features_verify(&params, NULL, &err) < 0);
        assert_non_null(strstr(err.text, names[i]));
        assert_non_null(strstr(err.text, "not a regular file"));
    }
    alarm(0);
}

static void ignore_line(void *user, const char *line)
{
    (void)user;
    (void)line;
}

// A setting without a default must be there, wherever it is missing.
static void test_what_is_missing_is_told(void **state)
{
    (void)state;
    tub_resample_params resample = {.size = sizeof resample, .in = root};
    toy_write(root, "features.json",
              "{\"settings\":{\"clip_length\":16,\"stride\":4,\"interval\":1,\"align\":\"valid\",\"dtype\":\"f32\","
              "\"backend\":\"native\"},\"model\":{\"hash\":\"h\",\"dim\":3}}");
    assert_int_equal(tub_features_resample(&resample, NULL, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "no output folder"));
    assert_int_equal(tub_consumer_config(root, NULL, (tub_consumer)7, ignore_line, NULL, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_consumer_config(root, NULL, TUB_CONSUMER_OPENTAD, NULL, NULL, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_features_resample(NULL, NULL, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_features_compare(NULL, NULL, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_features_verify(NULL, NULL, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_dataset_run(NULL, NULL, NULL, NULL, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_dataset_settle(NULL, NULL, NULL, NULL, &err), TUB_ERROR_ARGUMENT);
}

static void keep_numbers(void *user, const char *text)
{
    char *all = user;
    if (strstr(text, "fps=") || strstr(text, "default_fps:") || strstr(text, "offset_frames=") || strstr(text, "Row i"))
        strcat(strcat(all, text), "|");
}

// From our own source, because real locales are in a package that may be missing.
static void make_comma_locale(void)
{
    char command[600];
    toy_write(root, "comma.charmap",
              "<code_set_name> MINI\n<mb_cur_min> 1\n<mb_cur_max> 1\n<comment_char> %%\n<escape_char> /\n"
              "CHARMAP\n<U0000>..<U007E> /x00 CHARS\nEND CHARMAP\n");
    toy_write(root, "comma.source",
              "LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \"\"\ngrouping -1\nEND LC_NUMERIC\n");
    snprintf(command, sizeof command, "localedef -c -f %s/comma.charmap -i %s/comma.source %s/comma 2>/dev/null", root,
             root, root);
    (void)!system(command); // warns about what else the locale lacks
}

// A program that embeds the library may have set a locale whose decimal point is a comma.
static void test_numbers_have_a_point_in_any_locale(void **state)
{
    (void)state;
    char text[1000] = "";
    toy_write(root, "features.json",
              "{\"settings\":{\"clip_length\":15,\"stride\":4,\"interval\":1,\"align\":\"valid\",\"fps\":12.5,"
              "\"dtype\":\"f32\",\"backend\":\"native\"},\"model\":{\"hash\":\"h\",\"dim\":3}}");
    toy_write(root, "a.json", "{\"database\":{\"v\":{\"duration\":\"13.5\"}}}");
    const int64_t dims[] = {2, 3};
    assert_int_equal(tub_npy_write(test_path(root, "v.npy"), TUB_F32, 2, dims, (float[6]){0}, &err), TUB_OK);
    make_comma_locale();
    setenv("LOCPATH", root, 1);
    assert_non_null(setlocale(LC_NUMERIC, "comma"));
    assert_string_equal(localeconv()->decimal_point, ",");
    tub_verify_totals totals;
    tub_verify_params params = {.folder = root, .annotations = test_path(root, "a.json"), .read_only = true};
    tub_status verified = tub_features_verify(&params, &totals, &err);
    tub_status told = tub_consumer_config(root, NULL, TUB_CONSUMER_OPENTAD, keep_numbers, text, &err);
    if (told == TUB_OK)
        told = tub_consumer_config(root, NULL, TUB_CONSUMER_ACTIONFORMER, keep_numbers, text, &err);
    json_t *consumers = tub_settings_consumers(&(tub_grid){4, 7.5, 15}, 0, 3, 12.5);
    assert_string_equal(localeconv()->decimal_point, ","); // still the program's
    setlocale(LC_NUMERIC, "C");
    unsetenv("LOCPATH");
    assert_int_equal(verified, TUB_OK);
    assert_int_equal(totals.without_length, 0);
    assert_int_equal(told, TUB_OK);
    assert_string_equal(text, "# Row i stands at second (i * 4 + 7.5) / fps.|"
                              "    offset_frames=7.5,  # OpenTAD rounds it down|    fps=12.5,|"
                              "# Row i stands at second (i * 4 + 7.5) / fps.|  default_fps: 12.5|");
    assert_string_equal(json_string_value(json_object_get(consumers, "time")),
                        "row i stands at second (i * 4 + 7.5) / fps");
    json_decref(consumers);
}

static int json_calls, json_fails_at;

static void *json_memory(size_t bytes)
{
    return json_calls++ == json_fails_at ? NULL : malloc(bytes);
}

// Settings that lacked one because memory was short would be other settings, and would stay in the folder.
static void test_settings_are_whole_or_none(void **state)
{
    (void)state;
    tub_settings usual, got;
    tub_encoder *encoder = toy_encoder(0);
    const tub_layout layout = {.name = "{stem}", .container = TUB_CONTAINER_NPY, .dtype = TUB_F32};
    const tub_run_params params = {.extractor.sampling = {.stride = 4}};
    tub_transform *t = &encoder->info.transform;
    t->normalize = t->rescale = true;
    t->resize = TUB_RESIZE_EXACT;
    t->height = t->width = t->crop_height = t->crop_width = 8;
    assert_int_equal(tub_settings_make(&encoder->info, &params, &layout, &usual, &err), TUB_OK);
    bool reached = true;
    for (json_fails_at = 0; reached; json_fails_at++) {
        json_calls = 0;
        json_set_alloc_funcs(json_memory, free);
        tub_status status = tub_settings_make(&encoder->info, &params, &layout, &got, &err);
        json_set_alloc_funcs(malloc, free);
        reached = json_calls > json_fails_at;
        if (status == TUB_OK)
            assert_true(json_equal(got.root, usual.root));
        else
            assert_true(reached && status == TUB_ERROR_MEMORY);
        tub_settings_finish(&got);
    }
    assert_true(json_fails_at > 50);
    tub_settings_finish(&usual);
    tub_encoder_close(&encoder);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_lines),
                                       TEST(test_settings),
                                       TEST(test_settings_are_whole_or_none),
                                       TEST(test_names_in_memory),
                                       TEST(test_a_folder_in_memory),
                                       TEST(test_line_bytes),
                                       TEST(test_what_cant_be_listed_isnt_empty),
                                       TEST(test_what_is_missing_is_told),
                                       TEST(test_pipes_are_not_waited_for),
                                       TEST(test_numbers_have_a_point_in_any_locale)};
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
