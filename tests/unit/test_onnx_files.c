// Which files a custom model consists of, and that none of them is elsewhere.
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

#include "memory.h"
#include "onnx_bytes.h"
#include "onnx_files.h"
#include "temp_folder.h"

static char *folder;

static void put(const char *name, const char *text)
{
    test_write_file(test_path(folder, name), text, strlen(text));
}

// model/ with model.onnx in it; secret.bin outside it.
static int make_folder(void **state)
{
    (void)state;
    folder = test_folder_make();
    return mkdir(test_path(folder, "model"), 0777);
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static void write_model(const char *location, const char *offset, const char *length)
{
    static onnx_bytes file;
    onnx_external_tensor(&file, location);
    if (offset)
        onnx_entry(&file, "offset", offset);
    if (length)
        onnx_entry(&file, "length", length);
    onnx_message(&file, 5, &file);
    onnx_message(&file, 7, &file);
    test_write_file(test_path(folder, "model/model.onnx"), file.data, file.size);
}

static tub_status open_model(tub_custom_files *files, tub_error *err)
{
    *err = (tub_error){0};
    return tub_custom_files_open(test_path(folder, "model/model.onnx"), files, err);
}

static void accepted(const char *location)
{
    tub_custom_files files;
    tub_error err;
    write_model(location, NULL, NULL);
    if (open_model(&files, &err) != TUB_OK)
        fail_msg("%s: %s", location, err.text);
    assert_int_equal(files.external_count, 1);
    tub_custom_files_finish(&files);
}

static void refused(const char *location, const char *why)
{
    tub_custom_files files;
    tub_error err;
    write_model(location, NULL, NULL);
    assert_int_equal(open_model(&files, &err), TUB_ERROR_MODEL);
    tub_custom_files_finish(&files);
    if (!strstr(err.text, why) || !strstr(err.text, "weight"))
        fail_msg("%s: \"%s\" doesn't say \"%s\"", location, err.text, why);
}

static void files_of_the_folder_are_taken(void **state)
{
    (void)state;
    assert_int_equal(mkdir(test_path(folder, "model/sub"), 0777), 0);
    put("model/weights.bin", "0123456789");
    put("model/sub/..weights", "0123456789");
    assert_int_equal(symlink("weights.bin", test_path(folder, "model/link.bin")), 0);
    accepted("weights.bin");
    accepted("./weights.bin");
    accepted("sub/..weights");
    accepted("link.bin");
}

static void files_elsewhere_are_refused(void **state)
{
    (void)state;
    put("secret.bin", "0123456789");
    put("model/weights.bin", "0123456789");
    assert_int_equal(mkdir(test_path(folder, "model/sub"), 0777), 0);
    assert_int_equal(mkdir(test_path(folder, "model2"), 0777), 0);
    put("model2/secret.bin", "0123456789");
    assert_int_equal(symlink("../secret.bin", test_path(folder, "model/link.bin")), 0);
    assert_int_equal(symlink("..", test_path(folder, "model/up")), 0);
    assert_int_equal(symlink("../model2/secret.bin", test_path(folder, "model/near.bin")), 0);
    refused("../secret.bin", "own folder");
    refused("sub/../../secret.bin", "own folder");
    refused("sub/..", "own folder");
    refused("..", "own folder");
    refused("", "own folder");
    refused(test_path(folder, "secret.bin"), "own folder");
    refused(test_path(folder, "model/weights.bin"), "own folder");
    refused("/etc/passwd", "own folder");
    refused("..\\secret.bin", "own folder");
    refused("link.bin", "link that leaves");
    refused("up/secret.bin", "link that leaves");
    refused("near.bin", "link that leaves");
    refused("sub", "no file");
    refused(".", "no file");
    refused("nothing.bin", "no file");
}

// Another runtime's keyword, which turns an offset into an address.
static void addresses_are_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(test_path(folder, "model/*"), 0777), 0);
    assert_int_equal(mkdir(test_path(folder, "model/*/_ORT_MEM_ADDR_"), 0777), 0);
    put("model/*/_ORT_MEM_ADDR_/*", "0123456789");
    refused("*/_ORT_MEM_ADDR_/*", "own folder");
}

static void ranges_are_within_the_file(void **state)
{
    (void)state;
    static const struct {
        const char *offset, *length;
        bool good;
    } ranges[] = {{"0", "10", true},  {"10", NULL, true},  {"4", "6", true},
                  {"4", "7", false},  {"11", NULL, false}, {"9999999999999999999", "9", false},
                  {NULL, "11", false}};
    put("model/weights.bin", "0123456789");
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        tub_custom_files files;
        tub_error err;
        write_model("weights.bin", ranges[i].offset, ranges[i].length);
        assert_int_equal(open_model(&files, &err), ranges[i].good ? TUB_OK : TUB_ERROR_MODEL);
        assert_true(ranges[i].good || strstr(err.text, "beyond the end"));
        tub_custom_files_finish(&files);
    }
}

static void checksum(char out[TUB_HASH_TEXT])
{
    tub_custom_files files;
    tub_error err;
    tub_hash *hash = tub_hash_create();
    assert_int_equal(open_model(&files, &err), TUB_OK);
    assert_int_equal(tub_custom_files_hash(&files, hash, &err), TUB_OK);
    tub_hash_text(hash, out);
    tub_hash_destroy(&hash);
    tub_custom_files_finish(&files);
}

static void the_checksum_is_of_all_files(void **state)
{
    (void)state;
    char first[TUB_HASH_TEXT], again[TUB_HASH_TEXT], other[TUB_HASH_TEXT];
    put("model/weights.bin", "0123456789");
    write_model("weights.bin", NULL, NULL);
    checksum(first);
    checksum(again);
    assert_string_equal(first, again);
    put("model/weights.bin", "0123456780");
    checksum(other);
    assert_string_not_equal(first, other);
}

static tub_status find(const char *name, char **file, tub_error *err)
{
    *err = (tub_error){0};
    return tub_custom_find(test_path(folder, name), file, err);
}

static void models_are_found(void **state)
{
    (void)state;
    char *file = NULL;
    tub_error err;
    assert_int_equal(find("model", &file, &err), TUB_END);
    assert_int_equal(find("nothing", &file, &err), TUB_END);
    assert_int_equal(find("nothing.onnx", &file, &err), TUB_ERROR_MODEL);
    put("model/.hidden.onnx", "");
    put("model/notes.txt", "");
    assert_int_equal(find("model", &file, &err), TUB_END);
    put("model/Net.ONNX", "");
    assert_int_equal(find("model", &file, &err), TUB_OK);
    assert_non_null(strstr(file, "model/Net.ONNX"));
    tub_free(file);
    assert_int_equal(find("model/Net.ONNX", &file, &err), TUB_OK);
    tub_free(file);
    put("model/net.xml", "");
    assert_int_equal(find("model", &file, &err), TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "Net.ONNX"));
    assert_non_null(strstr(err.text, "net.xml"));
    assert_null(file);
    // A folder that is a checkpoint's, and an exporter's that only looks like one.
    put("model/config.json", "{}");
    assert_int_equal(unlink(test_path(folder, "model/net.xml")), 0);
    assert_int_equal(find("model", &file, &err), TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "Net.ONNX: give that file's path"));
    put("model/model.safetensors", "");
    assert_int_equal(find("model", &file, &err), TUB_END);
    assert_null(file);
}

static void ir_needs_its_weights(void **state)
{
    (void)state;
    tub_custom_files files;
    tub_error err = {0};
    put("model/net.xml", "<html/>");
    assert_int_equal(tub_custom_files_open(test_path(folder, "model/net.xml"), &files, &err), TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "no <net>"));
    tub_custom_files_finish(&files);
    put("model/net.xml", "<net/>");
    assert_int_equal(tub_custom_files_open(test_path(folder, "model/net.xml"), &files, &err), TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "net.bin"));
    tub_custom_files_finish(&files);
    put("model/net.bin", "1");
    assert_int_equal(tub_custom_files_open(test_path(folder, "model/net.xml"), &files, &err), TUB_OK);
    assert_false(files.is_onnx);
    assert_non_null(strstr(files.weights, "model/net.bin"));
    tub_custom_files_finish(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_of_the_folder_are_taken, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(files_elsewhere_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(addresses_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(ranges_are_within_the_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_checksum_is_of_all_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(models_are_found, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(ir_needs_its_weights, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
