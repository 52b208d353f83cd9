// Checkpoint folders: what is refused and with which message, shards, the hash.
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

#include "checkpoint_folder.h"
#include "checkpoint_hash.h"
#include "safetensors.h"
#include "temp_folder.h"

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = test_folder_make();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static void write_text(const char *name, const char *text)
{
    test_write_file(test_path(folder, name), text, strlen(text));
}

static void write_tensors(const char *file, const char *first, const char *second)
{
    static const float data[4] = {1, 2, 3, 4};
    const tub_tensor t[2] = {{.name = first, .dtype = TUB_F32, .rank = 1, .dims = {4}, .data = data},
                             {.name = second, .dtype = TUB_F32, .rank = 2, .dims = {2, 2}, .data = data}};
    assert_int_equal(tub_safetensors_write(test_path(folder, file), t, second ? 2 : 1, NULL), TUB_OK);
}

static void refuses(const char *path, const char *first, const char *second)
{
    tub_checkpoint *c = NULL;
    tub_error err = {0};
    assert_int_equal(tub_checkpoint_open(path, &c, &err), TUB_ERROR_MODEL);
    assert_null(c);
    if (!strstr(err.text, first) || !strstr(err.text, second))
        fail_msg("expected \"%s\" and \"%s\", got \"%s\"", first, second, err.text);
}

static void names_what_is_wrong_with_a_folder(void **state)
{
    (void)state;
    refuses("/no/such/folder", "/no/such/folder", "no such model folder");
    refuses(folder, "no config.json", ".pth or .bin file");
    assert_int_equal(mkdir(test_path(folder, "snapshots"), 0700), 0);
    refuses(folder, "place in the Hugging Face cache", "name a folder in its snapshots");
    write_text("config.json", "{\"model_type\": ");
    refuses(folder, "config.json", "JSON");
    refuses(test_path(folder, "config.json"), "config.json", "isn't a folder");
    write_text("config.json", "[]");
    refuses(folder, "config.json", "isn't a JSON object");
    write_text("config.json", "{}");
    refuses(folder, "no model.safetensors", "download the rest");
    write_text("model.safetensors", "12345678");
    refuses(folder, "model.safetensors", "isn't a safetensors file");
    write_tensors("model.safetensors", "a", "b");
    write_text("preprocessor_config.json", "{");
    refuses(folder, "preprocessor_config.json", "JSON");
    static const char *const pipes[] = {"preprocessor_config.json", "config.json", "model.safetensors.index.json"};
    alarm(30); // in case it waits for pipes that nobody writes into
    for (int i = 0; i < 3; i++) {
        unlink(test_path(folder, pipes[i]));
        assert_int_equal(mkfifo(test_path(folder, pipes[i]), 0600), 0);
        if (i == 2)
            unlink(test_path(folder, "model.safetensors"));
        refuses(folder, pipes[i], "isn't a file");
        unlink(test_path(folder, pipes[i]));
        write_text(pipes[i], "{}");
    }
    alarm(0);
}

// The Hugging Face cache keeps links: a snapshot that was copied without their targets has none of its files.
static void names_links_to_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"config.json", "model.safetensors", "preprocessor_config.json"};
    write_text("config.json", "{}");
    write_text("preprocessor_config.json", "{}");
    write_tensors("model.safetensors", "a", "b");
    for (int i = 0; i < 3; i++) {
        char kept[512];
        snprintf(kept, sizeof kept, "%s", test_path(folder, "kept"));
        assert_int_equal(rename(test_path(folder, names[i]), kept), 0);
        assert_int_equal(symlink("../../blobs/4d7a", test_path(folder, names[i])), 0);
        refuses(folder, names[i], "links to ../../blobs/4d7a, which isn't there");
        assert_int_equal(unlink(test_path(folder, names[i])), 0);
        assert_int_equal(rename(kept, test_path(folder, names[i])), 0);
    }
    // A link that leads to a file is followed.
    assert_int_equal(rename(test_path(folder, "config.json"), test_path(folder, "blob")), 0);
    assert_int_equal(symlink("blob", test_path(folder, "config.json")), 0);
    tub_checkpoint *c = NULL;
    assert_int_equal(tub_checkpoint_open(folder, &c, NULL), TUB_OK);
    tub_checkpoint_close(&c);
}

// The file has its full size, but not all its bytes yet.
static void refuses_what_is_being_downloaded(void **state)
{
    (void)state;
    write_text("config.json", "{}");
    write_tensors("model.safetensors", "a", "b");
    write_text("model.safetensors.aria2", "");
    refuses(folder, "model.safetensors: its download isn't finished", "model.safetensors.aria2");
    refuses(test_path(folder, "model.safetensors"), "isn't finished", "aria2c -c");
    assert_int_equal(unlink(test_path(folder, "model.safetensors.aria2")), 0);
    tub_checkpoint *c = NULL;
    assert_int_equal(tub_checkpoint_open(folder, &c, NULL), TUB_OK);
    tub_checkpoint_close(&c);
}

static void reads_tensors_by_name(void **state)
{
    (void)state;
    write_text("config.json", "{}");
    write_tensors("model.safetensors", "z", "a");
    tub_checkpoint *c = NULL;
    assert_int_equal(tub_checkpoint_open(folder, &c, NULL), TUB_OK);
    assert_int_equal(tub_checkpoint_count(c), 2);
    assert_int_equal(tub_checkpoint_find(c, "m"), -1);
    long z = tub_checkpoint_find(c, "z"), a = tub_checkpoint_find(c, "a");
    assert_true(z >= 0 && a >= 0 && z != a);
    assert_null(tub_checkpoint_preprocessor(c, false));
    tub_arena arena;
    tub_arena_init(&arena);
    tub_tensor t;
    assert_int_equal(tub_checkpoint_read(c, (size_t)a, &arena, &t, NULL), TUB_OK);
    tub_checkpoint_close(&c);
    // Tensors that were read before are kept.
    assert_string_equal(t.name, "a");
    assert_int_equal(t.rank, 2);
    assert_true(((const float *)t.data)[3] == 4);
    tub_arena_finish(&arena);
}

static void prefers_the_right_preprocessor(void **state)
{
    (void)state;
    write_text("config.json", "{}");
    write_tensors("model.safetensors", "a", NULL);
    write_text("processor_config.json", "{\"image_processor\": {\"k\": 3}}");
    tub_checkpoint *c = NULL;
    assert_int_equal(tub_checkpoint_open(folder, &c, NULL), TUB_OK);
    assert_int_equal(json_integer_value(json_object_get(tub_checkpoint_preprocessor(c, true), "k")), 3);
    tub_checkpoint_close(&c);
    // Nested settings take precedence over the files of older versions; each kind is looked up separately.
    write_text("preprocessor_config.json", "{\"k\": 1}");
    write_text("video_preprocessor_config.json", "{\"k\": 2}");
    assert_int_equal(tub_checkpoint_open(folder, &c, NULL), TUB_OK);
    assert_int_equal(json_integer_value(json_object_get(tub_checkpoint_preprocessor(c, false), "k")), 3);
    assert_int_equal(json_integer_value(json_object_get(tub_checkpoint_preprocessor(c, true), "k")), 2);
    tub_checkpoint_close(&c);
    write_text("processor_config.json", "{\"image_processor\": null, \"video_processor\": {\"k\": 4}}");
    assert_int_equal(tub_checkpoint_open(folder, &c, NULL), TUB_OK);
    assert_int_equal(json_integer_value(json_object_get(tub_checkpoint_preprocessor(c, false), "k")), 1);
    assert_int_equal(json_integer_value(json_object_get(tub_checkpoint_preprocessor(c, true), "k")), 4);
    tub_checkpoint_close(&c);
}

static void write_index(const char *map)
{
    char text[512];
    snprintf(text, sizeof text, "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {%s}}", map);
    write_text("model.safetensors.index.json", text);
}

static void opens_shards(void **state)
{
    (void)state;
    write_text("config.json", "{}");
    write_tensors("one.safetensors", "a", "b");
    write_tensors("two.safetensors", "c", NULL);
    write_index("\"a\": \"one.safetensors\", \"b\": \"one.safetensors\", \"c\": \"two.safetensors\"");
    tub_checkpoint *c = NULL;
    tub_error err;
    assert_int_equal(tub_checkpoint_open(folder, &c, &err), TUB_OK);
    assert_int_equal(tub_checkpoint_count(c), 3);
    assert_true(tub_checkpoint_find(c, "c") >= 0);
    tub_checkpoint_close(&c);

    write_index("\"a\": \"one.safetensors\", \"b\": \"one.safetensors\"");
    assert_int_equal(tub_checkpoint_open(folder, &c, &err), TUB_OK); // a file that the index doesn't name is ignored
    tub_checkpoint_close(&c);
    write_index("\"a\": \"one.safetensors\", \"c\": \"two.safetensors\"");
    refuses(folder, "one.safetensors: holds tensor \"b\"", "doesn't name");
    write_index("\"a\": \"one.safetensors\", \"b\": \"two.safetensors\", \"c\": \"two.safetensors\"");
    refuses(folder, "tensor \"b\"", "says is in two.safetensors");
    write_index("\"a\": \"one.safetensors\", \"b\": \"one.safetensors\", \"d\": \"one.safetensors\"");
    refuses(folder, "tensor \"d\" is missing", "one.safetensors");
    write_index("\"a\": \"absent.safetensors\"");
    refuses(folder, "absent.safetensors", "can't be opened");
    write_index("");
    refuses(folder, "index.json", "no weight_map");
}

static void keeps_shards_inside_the_folder(void **state)
{
    (void)state;
    write_text("config.json", "{}");
    static const char *const names[] = {"../one.safetensors", "/etc/passwd", "..", "", ".hidden",
                                        "sub/one.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char map[128];
        snprintf(map, sizeof map, "\"a\": \"%s\"", names[i]);
        write_index(map);
        refuses(folder, "tensor \"a\"", "isn't the plain name");
    }
    write_index("\"a\": 3");
    refuses(folder, "tensor \"a\"", "isn't the plain name");
}

static void hashes_config_and_weights(void **state)
{
    (void)state;
    char first[TUB_HASH_TEXT], again[TUB_HASH_TEXT];
    tub_checkpoint *c = NULL;
    write_text("config.json", "{}");
    write_tensors("model.safetensors", "a", "b");
    assert_int_equal(tub_checkpoint_open(folder, &c, NULL), TUB_OK);
    assert_int_equal(tub_checkpoint_hash(c, first, NULL), TUB_OK);
    assert_int_equal(tub_checkpoint_hash(c, again, NULL), TUB_OK);
    tub_checkpoint_close(&c);
    assert_int_equal(strlen(first), 32);
    assert_string_equal(first, again);
    static const char *const configs[] = {"{ }", "{}"}, *const tensors[] = {"a", "c"};
    for (int i = 0; i < 2; i++) {
        write_text("config.json", configs[i]);
        write_tensors("model.safetensors", tensors[i], "b");
        assert_int_equal(tub_checkpoint_open(folder, &c, NULL), TUB_OK);
        assert_int_equal(tub_checkpoint_hash(c, again, NULL), TUB_OK);
        tub_checkpoint_close(&c);
        assert_string_not_equal(first, again);
    }
}

static void stamp_of_folder(char out[TUB_HASH_TEXT])
{
    tub_checkpoint *c = NULL;
    assert_int_equal(tub_checkpoint_open(folder, &c, NULL), TUB_OK);
    tub_checkpoint_stamp(c, out);
    tub_checkpoint_close(&c);
}

// A file written within the last two seconds has no stamp: another change could leave its times as they are.
static void stamps_files_that_rest(void **state)
{
    (void)state;
    char first[TUB_HASH_TEXT], again[TUB_HASH_TEXT];
    write_text("config.json", "{}");
    write_tensors("model.safetensors", "a", "b");
    stamp_of_folder(first);
    assert_string_equal(first, "");
    usleep(2100000);
    stamp_of_folder(first);
    stamp_of_folder(again);
    assert_int_equal(strlen(first), 32);
    assert_string_equal(first, again);
    write_tensors("model.safetensors", "a", "b");
    stamp_of_folder(again);
    assert_string_equal(again, "");
    usleep(2100000);
    stamp_of_folder(again);
    assert_int_equal(strlen(again), 32);
    assert_string_not_equal(first, again);
}

static void notices_a_change_while_open(void **state)
{
    (void)state;
    tub_checkpoint *c = NULL;
    tub_error err;
    write_text("config.json", "{}");
    write_tensors("model.safetensors", "a", "b");
    assert_int_equal(tub_checkpoint_open(folder, &c, NULL), TUB_OK);
    assert_int_equal(tub_checkpoint_unchanged(c, &err), TUB_OK);
    FILE *file = fopen(test_path(folder, "model.safetensors"), "a");
    assert_non_null(file);
    fputc('x', file);
    fclose(file);
    assert_int_equal(tub_checkpoint_unchanged(c, &err), TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "model.safetensors"));
    tub_checkpoint_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_what_is_wrong_with_a_folder),
        TEST(names_links_to_nothing),
        TEST(refuses_what_is_being_downloaded),
        TEST(reads_tensors_by_name),
        TEST(prefers_the_right_preprocessor),
        TEST(opens_shards),
        TEST(keeps_shards_inside_the_folder),
        TEST(hashes_config_and_weights),
        TEST(stamps_files_that_rest),
        TEST(notices_a_change_while_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
