// Checkpoints that aren't folders with safetensors: torch.save files, single files, names in the Hugging Face cache;
// and their conversion.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tubelet/checkpoint.h>
#include <unistd.h>

#include "checkpoint_folder.h"
#include "checkpoint_hash.h"
#include "safetensors.h"
#include "temp_folder.h"

#define TORCH TEST_DATA "/data/torch/"

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

static void copy_file(const char *from, const char *name)
{
    size_t bytes;
    char *data = test_read_file(from, &bytes);
    assert_non_null(data);
    test_write_file(test_path(folder, name), data, bytes);
    free(data);
}

static void refuses(const char *name, const char *words)
{
    tub_checkpoint *c = NULL;
    tub_error err = {0};
    assert_int_equal(tub_checkpoint_open(name, &c, &err), TUB_ERROR_MODEL);
    assert_null(c);
    if (!strstr(err.text, words))
        fail_msg("expected \"%s\", got \"%s\"", words, err.text);
}

// Opens it and reads one tensor that it must have; `type`: config.json's model_type, NULL for an empty config.
static void opens(const char *name, const char *type, const char *path)
{
    tub_checkpoint *c = NULL;
    tub_error err = {0};
    if (tub_checkpoint_open(name, &c, &err) != TUB_OK)
        fail_msg("%s: %s", name, err.text);
    const char *has = json_string_value(json_object_get(tub_checkpoint_config(c), "model_type"));
    assert_true(json_is_object(tub_checkpoint_config(c)));
    assert_true(type ? has && strcmp(has, type) == 0 : json_object_size(tub_checkpoint_config(c)) == 0);
    assert_string_equal(tub_checkpoint_path(c), path);
    assert_int_equal(tub_checkpoint_count(c), 20);
    long i = tub_checkpoint_find(c, "views.transposed");
    assert_true(i >= 0);
    tub_arena arena;
    tub_arena_init(&arena);
    tub_tensor t;
    assert_int_equal(tub_checkpoint_read(c, (size_t)i, &arena, &t, &err), TUB_OK);
    assert_int_equal(t.dims[0], 8);
    assert_true(((const float *)t.data)[1] == 8 * 0.75f - 3);
    tub_arena_finish(&arena);
    tub_checkpoint_close(&c);
}

static void opens_folders_of_torch_files(void **state)
{
    (void)state;
    assert_int_equal(mkdir(test_path(folder, "sub"), 0700), 0);
    const char *sub = test_path(folder, "sub");
    refuses(sub, "no config.json");
    copy_file(TORCH "good/zip_nested.pth", "sub/backbone.pth");
    opens(sub, NULL, sub);
    write_text("sub/config.json", "{\"model_type\": \"x\"}");
    opens(sub, "x", sub);
    copy_file(TORCH "good/legacy_plain.pt", "sub/another.pt");
    refuses(sub, "There are another.pt and backbone.pth: name one of them");
    copy_file(TORCH "good/legacy_plain.pt", "sub/pytorch_model.bin");
    opens(sub, "x", sub);
    copy_file(TORCH "bad/global_system.pt", "sub/pytorch_model.bin");
    refuses(sub, "refuses to load posix.system");
    copy_file(TORCH "expected.safetensors", "sub/model.safetensors");
    opens(sub, "x", sub);
}

static void opens_sharded_torch_files(void **state)
{
    (void)state;
    assert_int_equal(mkdir(test_path(folder, "shards"), 0700), 0);
    write_text("shards/config.json", "{\"model_type\": \"x\"}");
    copy_file(TORCH "good/legacy_plain.pt", "shards/pytorch_model-1.bin");
    tub_checkpoint *c = NULL;
    json_t *map = json_object();
    assert_int_equal(tub_checkpoint_open(test_path(folder, "shards/pytorch_model-1.bin"), &c, NULL), TUB_OK);
    for (size_t i = 0; i < tub_checkpoint_count(c); i++) {
        tub_tensor t;
        tub_checkpoint_tensor(c, i, &t);
        json_object_set_new(map, t.name, json_string("pytorch_model-1.bin"));
    }
    tub_checkpoint_close(&c);
    json_t *index = json_pack("{s:o}", "weight_map", map);
    assert_int_equal(json_dump_file(index, test_path(folder, "shards/pytorch_model.bin.index.json"), 0), 0);
    json_decref(index);
    const char *shards = test_path(folder, "shards");
    opens(shards, "x", shards);
}

static void opens_single_files(void **state)
{
    (void)state;
    assert_int_equal(mkdir(test_path(folder, "files"), 0700), 0);
    copy_file(TORCH "good/zip_prefixed.pt", "files/a.pt");
    copy_file(TORCH "expected.safetensors", "files/b.safetensors");
    write_text("files/c.onnx", "?");
    const char *a = test_path(folder, "files/a.pt"), *b = test_path(folder, "files/b.safetensors");
    opens(a, NULL, a);
    opens(b, NULL, b);
    write_text("files/config.json", "{\"model_type\": \"beside\"}");
    write_text("files/preprocessor_config.json", "{\"k\": 1}");
    opens(a, "beside", a);
    refuses(test_path(folder, "files/c.onnx"), "isn't a folder, nor a .safetensors, .pt, .pth or .bin file");
    refuses(test_path(folder, "files/d.pt"), "no such model folder or file");
    char back[1024];
    assert_non_null(getcwd(back, sizeof back));
    assert_int_equal(chdir(test_path(folder, "files")), 0);
    opens("a.pt", "beside", "a.pt");
    assert_int_equal(chdir(back), 0);
}

static void refuses_huge_descriptions(void **state)
{
    (void)state;
    assert_int_equal(mkdir(test_path(folder, "huge"), 0700), 0);
    write_text("huge/config.json", "{}");
    assert_int_equal(truncate(test_path(folder, "huge/config.json"), 9 << 20), 0);
    refuses(test_path(folder, "huge"), "config.json: has 9437184 bytes");
}

static void hash_of(const char *name, char out[TUB_HASH_TEXT])
{
    tub_checkpoint *c = NULL;
    assert_int_equal(tub_checkpoint_open(name, &c, NULL), TUB_OK);
    assert_int_equal(tub_checkpoint_hash(c, out, NULL), TUB_OK);
    tub_checkpoint_close(&c);
}

static void hashes_what_it_uses(void **state)
{
    (void)state;
    char one[TUB_HASH_TEXT], two[TUB_HASH_TEXT], three[TUB_HASH_TEXT];
    assert_int_equal(mkdir(test_path(folder, "hash"), 0700), 0);
    copy_file(TORCH "good/legacy_plain.pt", "hash/a.pt");
    hash_of(test_path(folder, "hash/a.pt"), one);
    hash_of(test_path(folder, "hash"), two);
    assert_string_equal(one, two);
    write_text("hash/config.json", "{}");
    hash_of(test_path(folder, "hash/a.pt"), two);
    assert_string_not_equal(one, two);
    copy_file(TORCH "good/legacy_nested.pt", "hash/a.pt");
    hash_of(test_path(folder, "hash/a.pt"), three);
    assert_string_not_equal(two, three);
}

static void unset_all(void)
{
    static const char *const names[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"};
    for (size_t i = 0; i < 4; i++)
        unsetenv(names[i]);
}

static void opens_names_in_the_cache(void **state)
{
    (void)state;
    const char *made[] = {"hub", "hub/models--org--some.name-1", "hub/models--org--some.name-1/refs",
                          "hub/models--org--some.name-1/snapshots", "hub/models--org--some.name-1/snapshots/0123abc"};
    unset_all();
    setenv("HOME", folder, 1);
    refuses("org/some.name-1", "/.cache/huggingface/hub); this downloads it: hf download org/some.name-1");
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(mkdir(test_path(folder, made[i]), 0700), 0);
    setenv("HF_HOME", folder, 1);
    refuses("org/some.name-1", "hf download org/some.name-1");
    write_text("hub/models--org--some.name-1/refs/main", "0123abc\n");
    copy_file(TORCH "expected.safetensors", "hub/models--org--some.name-1/snapshots/0123abc/model.safetensors");
    write_text("hub/models--org--some.name-1/snapshots/0123abc/config.json", "{\"model_type\": \"cached\"}");
    const char *snapshot = test_path(folder, made[4]);
    opens("org/some.name-1", "cached", snapshot);
    setenv("HF_HOME", "~", 1);
    opens("org/some.name-1", "cached", snapshot);
    // The variable's former name, which huggingface_hub still reads.
    setenv("HF_HOME", "/nowhere", 1);
    setenv("HUGGINGFACE_HUB_CACHE", test_path(folder, "hub"), 1);
    opens("org/some.name-1", "cached", snapshot);
    setenv("HF_HUB_CACHE", "/nowhere", 1);
    refuses("org/some.name-1", "(/nowhere)");
    unsetenv("HUGGINGFACE_HUB_CACHE");
    unsetenv("HF_HOME");
    setenv("HF_HUB_CACHE", test_path(folder, "hub"), 1);
    opens("org/some.name-1", "cached", snapshot);
    // A revision is a name; it must not lead out of the cache.
    write_text("hub/models--org--some.name-1/refs/main", "../../../../files");
    refuses("org/some.name-1", "hf download");
    assert_int_equal(unlink(test_path(folder, "hub/models--org--some.name-1/refs/main")), 0);
    refuses("org/some.name-1", "hub/models--org--some.name-1/snapshots; this downloads the main one: hf download");
    refuses("org/other", "hf download org/other");
    refuses("org/some/name", "no such model folder or file");
    refuses("../name", "no such model folder or file");
    unset_all();
}

static void check_converted(const char *out, const char *config)
{
    char *text = test_read_file(test_path(out, "config.json"), NULL);
    assert_string_equal(text, config);
    free(text);
    tub_tensor_file a, b;
    assert_int_equal(tub_safetensors_open(test_path(out, "model.safetensors"), &a, NULL), TUB_OK);
    assert_int_equal(tub_safetensors_open(TORCH "expected.safetensors", &b, NULL), TUB_OK);
    assert_int_equal(a.count, b.count);
    for (size_t i = 0, k; i < a.count; i++) {
        const tub_tensor_entry *x = &a.entries[i];
        for (k = 0; k < b.count && strcmp(b.entries[k].name, x->name) != 0; k++)
            ;
        assert_true(k < b.count && b.entries[k].bytes == x->bytes && !strcmp(b.entries[k].type, x->type));
        char one[512], other[512];
        assert_true(x->bytes <= 512);
        assert_int_equal(tub_tensor_file_values(&a, x, one, NULL), TUB_OK);
        assert_int_equal(tub_tensor_file_values(&b, &b.entries[k], other, NULL), TUB_OK);
        assert_memory_equal(one, other, (size_t)x->bytes);
    }
    tub_tensor_file_finish(&a);
    tub_tensor_file_finish(&b);
}

static void converts_any_layout(void **state)
{
    (void)state;
    tub_error err = {0};
    const char *out = test_path(folder, "converted/bare");
    if (tub_checkpoint_convert(TORCH "good/zip_nested_twice.bin", out, &err) != TUB_OK)
        fail_msg("%s", err.text);
    check_converted(out, "{}\n");
    assert_int_equal(test_count_files(out, ""), 2);
    // The result opens, and can itself be converted.
    const char *again = test_path(folder, "converted/again");
    assert_int_equal(tub_checkpoint_convert(out, again, NULL), TUB_OK);
    check_converted(again, "{}\n");
    // Descriptions are copied as they are.
    assert_int_equal(mkdir(test_path(folder, "described"), 0700), 0);
    copy_file(TORCH "good/legacy_nested.pt", "described/pytorch_model.bin");
    write_text("described/config.json", "{ \"model_type\":  \"x\" }");
    write_text("described/video_preprocessor_config.json", "{\"k\": 1.50}");
    const char *third = test_path(folder, "converted/third");
    assert_int_equal(tub_checkpoint_convert(test_path(folder, "described"), third, NULL), TUB_OK);
    check_converted(third, "{ \"model_type\":  \"x\" }");
    char *text = test_read_file(test_path(third, "video_preprocessor_config.json"), NULL);
    assert_string_equal(text, "{\"k\": 1.50}");
    free(text);
}

static void converts_into_unused_folders_only(void **state)
{
    (void)state;
    tub_error err = {0};
    const char *out = test_path(folder, "used");
    assert_int_equal(mkdir(out, 0700), 0);
    write_text("used/model.safetensors", "x");
    assert_int_equal(tub_checkpoint_convert(TORCH "good/zip_plain.pt", out, &err), TUB_ERROR_OUTPUT);
    assert_non_null(strstr(err.text, "holds a model.safetensors already"));
    assert_int_equal(tub_checkpoint_convert(TORCH "bad/global_system.pt", test_path(folder, "not"), &err),
                     TUB_ERROR_MODEL);
    assert_int_equal(access(test_path(folder, "not"), F_OK), -1);
    assert_int_equal(tub_checkpoint_convert("", out, &err), TUB_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_folders_of_torch_files), cmocka_unit_test(opens_sharded_torch_files),
        cmocka_unit_test(opens_single_files),           cmocka_unit_test(refuses_huge_descriptions),
        cmocka_unit_test(hashes_what_it_uses),          cmocka_unit_test(opens_names_in_the_cache),
        cmocka_unit_test(converts_any_layout),          cmocka_unit_test(converts_into_unused_folders_only),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
