// Custom models as encoders. Tests that need OpenVINO are skipped without it (TUBELET_OPENVINO says where it is).
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/encoder.h>
#include <unistd.h>

#include <cmocka.h>

#include "encoder_impl.h"
#include "onnx_bytes.h"
#include "openvino_table.h"
#include "temp_folder.h"

enum { SIDE = 4, PLANE = SIDE * SIDE, FRAMES = 5, ITEMS = 7 };

static char *folder;
static char openvino[4096]; // TUBELET_OPENVINO as it was

static int make_folder(void **state)
{
    (void)state;
    const char *place = getenv("TUBELET_OPENVINO");
    snprintf(openvino, sizeof openvino, "%s", place ? place : "");
    folder = test_folder_make();
    // The place where `make deps-openvino` puts it: beside the command.
    char *path = realpath(TEST_TUBELET, NULL), found[4096] = "";
    if (path && strrchr(path, '/')) {
        *strrchr(path, '/') = 0;
        snprintf(found, sizeof found, "%s/openvino", path);
    }
    free(path);
    return openvino[0] || access(found, F_OK) != 0 ? 0 : setenv("TUBELET_OPENVINO", found, 1);
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return setenv("TUBELET_OPENVINO", openvino, 1);
}

// OpenVINO's libtbb doesn't work with sanitizers.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static void need_openvino(void)
{
    skip();
}
#else
static void need_openvino(void)
{
    static tub_openvino ov;
    tub_error err = {0};
    tub_status status = tub_openvino_load(&ov, &err);
    tub_openvino_unload(&ov);
    if (status != TUB_OK) {
        print_message("skipped: %s\n", err.text);
        skip();
    }
}
#endif

static const char *write_model(int batch, int frames, int half, int uneven)
{
    static onnx_bytes file;
    const char *path = test_path(folder, "model.onnx");
    onnx_means_model(&file, batch, frames, half, uneven);
    test_write_file(path, file.data, file.size);
    return path;
}

static tub_encoder_params params_of(const char *path)
{
    tub_encoder_params params = {.size = sizeof params, .model = path, .dtype = TUB_F32, .threads = 2};
    params.transform.has_mean = params.transform.has_std = true;
    for (int c = 0; c < 3; c++) {
        params.transform.mean[c] = 0.25f * (float)c;
        params.transform.std[c] = 0.5f;
    }
    return params;
}

static void refused(const tub_encoder_params *params, tub_status wanted, const char *why)
{
    tub_encoder *encoder = NULL;
    tub_error err = {0};
    tub_status status = tub_encoder_open(params, &encoder, &err);
    tub_encoder_close(&encoder);
    if (status != wanted || !strstr(err.text, why))
        fail_msg("%s \"%s\" isn't %s and doesn't say \"%s\"", tub_status_name(status), err.text,
                 tub_status_name(wanted), why);
}

static void an_absent_library_is_named(void **state)
{
    (void)state;
    tub_encoder_params params = params_of(write_model(0, 0, 0, 0));
    setenv("TUBELET_OPENVINO", "/nonexistent", 1);
    refused(&params, TUB_ERROR_DEVICE, "make deps-openvino");
    refused(&params, TUB_ERROR_DEVICE, "pip install openvino");
    refused(&params, TUB_ERROR_DEVICE, "TUBELET_OPENVINO=/nonexistent");
    // A folder without OpenVINO, and a file that isn't it.
    setenv("TUBELET_OPENVINO", folder, 1);
    refused(&params, TUB_ERROR_DEVICE, "no libopenvino_c.so");
    refused(&params, TUB_ERROR_DEVICE, "from 2024.3 on");
    test_write_file(test_path(folder, "libopenvino_c.so.1"), "not a library", 13);
    refused(&params, TUB_ERROR_DEVICE, "can't be loaded");
}

static void what_needs_no_library_is_refused_before(void **state)
{
    (void)state;
    static onnx_bytes file;
    setenv("TUBELET_OPENVINO", "/nonexistent", 1);
    tub_encoder_params params = params_of(write_model(0, 0, 0, 0));
    params.backend = "onednn";
    refused(&params, TUB_ERROR_DEVICE, "--backend openvino");
    params.backend = "openvino";
    params.device = "cuda";
    refused(&params, TUB_ERROR_DEVICE, "--device cpu");
    params.device = NULL;
    onnx_external_tensor(&file, "../../etc/passwd");
    onnx_message(&file, 5, &file);
    onnx_message(&file, 7, &file);
    test_write_file(params.model, file.data, file.size);
    refused(&params, TUB_ERROR_MODEL, "\"weight\"");
    test_write_file(params.model, file.data, file.size - 1);
    refused(&params, TUB_ERROR_MODEL, "isn't a sound ONNX file");
    params.model = test_path(folder, "none.onnx");
    refused(&params, TUB_ERROR_MODEL, "none.onnx");
}

static void what_a_model_cant_take_is_refused(void **state)
{
    (void)state;
    need_openvino();
    tub_encoder_params params = params_of(write_model(0, FRAMES, 0, 0));
    params.output = "logits";
    refused(&params, TUB_ERROR_ARGUMENT, "means");
    params.output = "means";
    params.clip_length = 16;
    refused(&params, TUB_ERROR_MODEL, "clips of 5 frames");
    params.clip_length = 0;
    params.transform.has_size = true;
    params.transform.height = params.transform.width = 8;
    refused(&params, TUB_ERROR_MODEL, "[4, 4]");
    params.transform.has_size = false;
    params.pool = TUB_POOL_POOLER;
    refused(&params, TUB_ERROR_MODEL, "--pool mean");
    params.pool = TUB_POOL_DEFAULT;
    params.input_layout = "NCTHW";
    refused(&params, TUB_ERROR_MODEL, "NCTHW");
    params.input_layout = NULL;
    params.transform.has_std = false;
    refused(&params, TUB_ERROR_ARGUMENT, "preprocessor_config.json");
    test_write_file(test_path(folder, "preprocessor_config.json"), "{}", 2);
    refused(&params, TUB_ERROR_MODEL, "image_processor_type");
    write_model(0, FRAMES, 2, 0);
    refused(&params, TUB_ERROR_MODEL, "input \"pixel_values\" isn't of type f32, f16 or bf16");
    write_model(0, FRAMES, 0, 0);
    // What OpenVINO itself refuses: an operation that doesn't exist.
    size_t bytes;
    char *model = test_read_file(test_path(folder, "model.onnx"), &bytes), *name;
    assert_non_null(name = memmem(model, bytes, "ReduceMean", 10));
    memcpy(name, "ReduceMoan", 10);
    params = params_of(test_path(folder, "model.onnx"));
    test_write_file(params.model, model, bytes);
    free(model);
    refused(&params, TUB_ERROR_MODEL, "ReduceMoan");
}

// uint8 pixels of ITEMS * frames frames, and each frame's mean per channel after the transform.
static void make_frames(int count, unsigned char *pixels, const void **frames, float *means)
{
    unsigned state = 7;
    for (int f = 0; f < count; f++) {
        double sum[3] = {0};
        frames[f] = pixels + f * PLANE * 3;
        for (int i = 0; i < PLANE * 3; i++) {
            state = state * 1664525u + 1013904223u;
            pixels[f * PLANE * 3 + i] = (unsigned char)(state >> 24);
            sum[i % 3] += state >> 24;
        }
        for (int c = 0; c < 3; c++)
            means[3 * f + c] = (float)((sum[c] / PLANE / 255 - 0.25 * c) / 0.5);
    }
}

static void near(const float *have, const float *want, int count, float most)
{
    for (int i = 0; i < count; i++)
        if (!(fabsf(have[i] - want[i]) <= most))
            fail_msg("value %d is %g, not %g", i, (double)have[i], (double)want[i]);
}

// A frame model with any batch, with batch 1 and with batch 3, in float32 and float16: the same bytes in batches of any
// size.
static void frames_give_rows(void **state)
{
    (void)state;
    need_openvino();
    static const int batches[] = {0, 1, 3};
    unsigned char pixels[ITEMS * PLANE * 3];
    const void *frames[ITEMS];
    float means[ITEMS * 3];
    make_frames(ITEMS, pixels, frames, means);
    for (int i = 0; i < 6; i++) {
        tub_encoder *encoder = NULL;
        tub_error err = {0};
        tub_encoder_params params = params_of(write_model(batches[i % 3], 0, i / 3, 0));
        params.batch = ITEMS;
        if (tub_encoder_open(&params, &encoder, &err) != TUB_OK)
            fail_msg("batch %d: %s", batches[i % 3], err.text);
        const tub_encoder_info *info = tub_encoder_get_info(encoder);
        assert_true(info->per_frame && info->frames == 1 && info->dim == 3 && info->tokens == 1);
        assert_string_equal(info->family, "onnx");
        assert_string_equal(info->backend, "openvino");
        float rows[ITEMS * 3], alone[3], tokens[ITEMS * 3];
        assert_int_equal(tub_encoder_run(encoder, frames, ITEMS, rows, tokens, &err), TUB_OK);
        near(rows, means, ITEMS * 3, i / 3 ? 4e-3f : 1e-6f);
        assert_memory_equal(rows, tokens, sizeof rows);
        for (int item = 0; item < ITEMS; item++) {
            assert_int_equal(tub_encoder_run(encoder, frames + item, 1, alone, NULL, &err), TUB_OK);
            assert_memory_equal(alone, rows + 3 * item, sizeof alone);
        }
        tub_encoder_close(&encoder);
    }
}

static void clips_give_pooled_tokens(void **state)
{
    (void)state;
    need_openvino();
    static const tub_pool pools[] = {TUB_POOL_DEFAULT, TUB_POOL_CLS, TUB_POOL_PATCH_MEAN};
    unsigned char pixels[ITEMS * FRAMES * PLANE * 3];
    const void *frames[ITEMS * FRAMES];
    float means[ITEMS * FRAMES * 3];
    make_frames(ITEMS * FRAMES, pixels, frames, means);
    for (int p = 0; p < 3; p++) {
        tub_encoder *encoder = NULL;
        tub_error err = {0};
        tub_encoder_params params = params_of(write_model(2, FRAMES, 0, 0));
        params.pool = pools[p];
        params.batch = ITEMS;
        if (tub_encoder_open(&params, &encoder, &err) != TUB_OK)
            fail_msg("%s", err.text);
        const tub_encoder_info *info = tub_encoder_get_info(encoder);
        assert_true(!info->per_frame && info->frames == FRAMES && info->clip_length == FRAMES);
        assert_true(info->dim == 3 && info->tokens == FRAMES && info->token_dim == 3 && info->height == SIDE);
        float rows[ITEMS * 3], tokens[ITEMS * FRAMES * 3], want[ITEMS * 3];
        assert_int_equal(tub_encoder_run(encoder, frames, ITEMS, rows, tokens, &err), TUB_OK);
        near(tokens, means, ITEMS * FRAMES * 3, 1e-6f);
        int first = p == 2, last = p == 1 ? 1 : FRAMES;
        for (int i = 0; i < ITEMS * 3; i++) {
            want[i] = 0;
            for (int t = first; t < last; t++)
                want[i] += means[(i / 3 * FRAMES + t) * 3 + i % 3] / (float)(last - first);
        }
        near(rows, want, ITEMS * 3, 2e-6f);
        tub_encoder_close(&encoder);
    }
}

// 8-bit weights don't mean that pixels are rounded to 8 bits, which would show in the third digit.
static void compressed_weights_meet_exact_pixels(void **state)
{
    (void)state;
    need_openvino();
    static onnx_bytes file;
    unsigned char pixels[FRAMES * PLANE * 3];
    const void *frames[FRAMES];
    float means[FRAMES * 3], row[32], tokens[FRAMES * 32], want[FRAMES * 32];
    tub_encoder *encoder = NULL;
    tub_encoder_params params = params_of(test_path(folder, "model.onnx"));
    onnx_compressed_model(&file, FRAMES);
    test_write_file(params.model, file.data, file.size);
    make_frames(FRAMES, pixels, frames, means);
    for (int i = 0; i < FRAMES * 32; i++) {
        double sum = 0;
        for (int k = 0; k < 48; k++) {
            int channel = k / PLANE;
            double level = pixels[i / 32 * PLANE * 3 + k % PLANE * 3 + channel];
            sum += (level / 255 - 0.25 * channel) / 0.5 * onnx_weight(k, i % 32) / 128;
        }
        want[i] = (float)sum;
    }
    assert_int_equal(tub_encoder_open(&params, &encoder, NULL), TUB_OK);
    assert_int_equal(tub_encoder_run(encoder, frames, 1, row, tokens, NULL), TUB_OK);
    near(tokens, want, FRAMES * 32, 1e-5f);
    tub_encoder_close(&encoder);
}

// If the position in an export's batch matters, every item is run in the first one.
static void places_that_matter_arent_used(void **state)
{
    (void)state;
    need_openvino();
    unsigned char pixels[ITEMS * FRAMES * PLANE * 3];
    const void *frames[ITEMS * FRAMES];
    float means[ITEMS * FRAMES * 3], rows[ITEMS * FRAMES * 3], tokens[ITEMS * FRAMES * 3];
    make_frames(ITEMS * FRAMES, pixels, frames, means);
    for (int clips = 0; clips < 2; clips++) {
        tub_encoder *encoder = NULL;
        tub_error err = {0};
        tub_encoder_params params = params_of(write_model(3, clips ? FRAMES : 0, 0, 1));
        params.batch = ITEMS;
        if (tub_encoder_open(&params, &encoder, &err) != TUB_OK)
            fail_msg("%s", err.text);
        assert_int_equal(tub_encoder_run(encoder, frames, ITEMS, rows, tokens, &err), TUB_OK);
        near(tokens, means, ITEMS * 3 * (clips ? FRAMES : 1), 1e-6f);
        tub_encoder_close(&encoder);
    }
}

// If an item's neighbors in an export's batch matter, they are copies of it: each of three gets a third.
static char last_line[512];

static void keep_line(void *user, int level, const char *text)
{
    (void)user;
    (void)level;
    snprintf(last_line, sizeof last_line, "%s", text);
}

static void neighbours_that_matter_arent_there(void **state)
{
    (void)state;
    need_openvino();
    unsigned char pixels[ITEMS * PLANE * 3];
    const void *frames[ITEMS];
    float means[ITEMS * 3], rows[ITEMS * 3], third[ITEMS * 3];
    tub_encoder *encoder = NULL;
    tub_encoder_params params = params_of(write_model(3, 0, 0, 2));
    params.batch = ITEMS;
    make_frames(ITEMS, pixels, frames, means);
    for (int i = 0; i < ITEMS * 3; i++)
        third[i] = 1.0f / 3;
    params.log = (tub_log){.write = keep_line};
    assert_int_equal(tub_encoder_open(&params, &encoder, NULL), TUB_OK);
    assert_non_null(strstr(last_line, "each inference takes one item"));
    assert_int_equal(tub_encoder_run(encoder, frames, ITEMS, rows, NULL, NULL), TUB_OK);
    near(rows, third, ITEMS * 3, 1e-6f);
    tub_encoder_close(&encoder);
}

static void interrupted_runs_end(void **state)
{
    (void)state;
    need_openvino();
    unsigned char pixels[ITEMS * PLANE * 3];
    const void *frames[ITEMS];
    float means[ITEMS * 3], rows[ITEMS * 3];
    tub_encoder *encoder = NULL;
    tub_encoder_params params = params_of(write_model(0, 0, 0, 0));
    params.batch = ITEMS;
    make_frames(ITEMS, pixels, frames, means);
    assert_int_equal(tub_encoder_open(&params, &encoder, NULL), TUB_OK);
    tub_encoder_interrupt(encoder, true);
    assert_int_equal(tub_encoder_run(encoder, frames, ITEMS, rows, NULL, NULL), TUB_ERROR_CANCELLED);
    assert_int_equal(encoder->ops->run(encoder, frames, ITEMS, rows, NULL, NULL), TUB_ERROR_CANCELLED);
    tub_encoder_interrupt(encoder, false);
    assert_int_equal(tub_encoder_run(encoder, frames, ITEMS, rows, NULL, NULL), TUB_OK);
    near(rows, means, ITEMS * 3, 1e-6f);
    tub_encoder_close(&encoder);
}

// The file beside the model says what pixels it takes; another layout or output makes it another model.
static void files_beside_the_model_count(void **state)
{
    (void)state;
    need_openvino();
    static const char text[] = "{\"image_processor_type\": \"ViTImageProcessor\", \"size\": {\"height\": 4, \"width\": "
                               "4}, \"image_mean\": [0, 0.25, 0.5], \"image_std\": [0.5, 0.5, 0.5]}";
    tub_encoder *encoder = NULL;
    tub_encoder_params params = {.size = sizeof params, .model = folder, .dtype = TUB_F32, .batch = 1};
    unsigned char pixels[PLANE * 3];
    const void *frames[1];
    float means[3], row[3];
    write_model(0, 0, 0, 0);
    test_write_file(test_path(folder, "preprocessor_config.json"), text, sizeof text - 1);
    make_frames(1, pixels, frames, means);
    assert_int_equal(tub_encoder_open(&params, &encoder, NULL), TUB_OK);
    assert_int_equal(strlen(tub_encoder_get_info(encoder)->model_hash), 32);
    assert_int_equal(tub_encoder_run(encoder, frames, 1, row, NULL, NULL), TUB_OK);
    near(row, means, 3, 1e-6f);
    tub_encoder_close(&encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_absent_library_is_named, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_needs_no_library_is_refused_before, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_a_model_cant_take_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(frames_give_rows, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(clips_give_pooled_tokens, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(compressed_weights_meet_exact_pixels, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(places_that_matter_arent_used, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(neighbours_that_matter_arent_there, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(interrupted_runs_end, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(files_beside_the_model_count, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
