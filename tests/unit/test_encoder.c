// Encoders of tiny random checkpoints on the reference backend: what the info says, what is refused, and that a row
// depends on its item alone.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <tubelet/checkpoint.h>
#include <tubelet/encoder.h>

#include "backend.h"
#include "temp_folder.h"

static char *folder;
static char warning[512];
static int warnings;

static void note(void *user, int level, const char *text)
{
    (void)user;
    if (level == 0) {
        warnings++;
        snprintf(warning, sizeof warning, "%s", text);
    }
}

static int make_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"videomae", "onevision", "dinov3", "dinov2"};
    folder = test_folder_make();
    for (int i = 0; i < 4; i++) {
        char what[32];
        snprintf(what, sizeof what, "%s:tiny", names[i]);
        if (tub_checkpoint_init(what, test_path(folder, names[i]), 1, NULL) != TUB_OK)
            return 1;
    }
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static tub_encoder_params params_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    warnings = 0;
    return (tub_encoder_params){.size = sizeof(tub_encoder_params),
                                .model = path,
                                .backend = "reference",
                                .threads = 2,
                                .log = {.write = note}};
}

static tub_encoder *open_encoder(const tub_encoder_params *params)
{
    tub_encoder *e = NULL;
    tub_error err = {0};
    if (tub_encoder_open(params, &e, &err) != TUB_OK)
        fail_msg("%s: %s", params->model, err.text);
    return e;
}

static void refuses(const tub_encoder_params *params, tub_status status, const char *why)
{
    tub_encoder *e = NULL;
    tub_error err = {0};
    tub_status got = tub_encoder_open(params, &e, &err);
    assert_null(e);
    if (got != status || !strstr(err.text, why))
        fail_msg("expected %d \"%s\", got %d \"%s\"", (int)status, why, (int)got, err.text);
}

static void tells_what_it_is(void **state)
{
    (void)state;
    tub_encoder_params params = params_of("videomae");
    tub_encoder *e = open_encoder(&params);
    const tub_encoder_info *info = tub_encoder_get_info(e);
    assert_string_equal(info->family, "videomae");
    assert_string_equal(info->backend, "reference");
    assert_string_equal(info->device, "cpu");
    assert_string_equal(info->feature, "mean of all tokens of the last hidden state");
    assert_false(info->per_frame);
    assert_true(info->frames == 16 && info->clip_length == 16 && info->dim == 64 && info->tokens == 128);
    assert_true(info->token_dim == 64 && info->height == 32 && info->width == 32 && info->dtype == TUB_F32);
    assert_true(info->batch == 4 && info->eager && !info->pixels_are_float && info->pixel_bytes == 32 * 32 * 3);
    assert_int_equal(strlen(info->model_hash), 32);
    assert_true(info->flops > 1e7 && info->isa[0]);
    assert_int_equal(info->transform.crop_height, 32);
    tub_encoder_close(&e);
    assert_null(e);
    tub_encoder_close(&e);
    tub_encoder_close(NULL);

    params = params_of("dinov3");
    params.batch = 5;
    params.clip_length = 3; // only for clip models
    e = open_encoder(&params);
    info = tub_encoder_get_info(e);
    assert_true(info->per_frame && info->frames == 1 && info->clip_length == 0 && info->batch == 5);
    assert_true(info->pixels_are_float && info->pixel_bytes == 48 * 48 * 3 * 4);
    assert_string_equal(info->feature, "class token of the last hidden state");
    tub_encoder_close(&e);

    params = params_of("onevision");
    e = open_encoder(&params);
    info = tub_encoder_get_info(e);
    assert_true(info->frames == 16 && info->clip_length == 0 && info->tokens == 256);
    assert_string_equal(info->feature, "attention-pooling head");
    assert_int_equal(warnings, 0);
    tub_encoder_close(&e);
}

static void resolves_the_transform(void **state)
{
    (void)state;
    tub_encoder_params params = params_of("videomae");
    params.transform.base = TUB_TRANSFORM_OPENTAD;
    tub_encoder *e = open_encoder(&params);
    assert_true(tub_encoder_get_info(e)->height == 32 && tub_encoder_get_info(e)->pixels_are_float);
    tub_encoder_close(&e);
    params = params_of("dinov2");
    params.transform = (tub_transform_options){.base = TUB_TRANSFORM_OPENTAD};
    params.pool = TUB_POOL_PATCH_MEAN;
    e = open_encoder(&params);
    assert_true(tub_encoder_get_info(e)->height == 224 && tub_encoder_get_info(e)->tokens == 257);
    assert_string_equal(tub_encoder_get_info(e)->feature, "mean of the patch tokens of the last hidden state");
    tub_encoder_close(&e);
    params.transform = (tub_transform_options){.base = TUB_TRANSFORM_NONE};
    refuses(&params, TUB_ERROR_ARGUMENT, "--size HxW");
}

static void warns_without_a_preprocessor(void **state)
{
    (void)state;
    tub_encoder_params params = params_of("dinov2");
    assert_int_equal(unlink(test_path(params.model, "preprocessor_config.json")), 0);
    tub_encoder *e = open_encoder(&params);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(warning, "BitImageProcessor"));
    assert_true(tub_encoder_get_info(e)->height == 224);
    tub_encoder_close(&e);
    params.transform.base = TUB_TRANSFORM_OPENTAD;
    warnings = 0;
    e = open_encoder(&params);
    assert_int_equal(warnings, 0);
    tub_encoder_close(&e);
}

static void refuses_what_is_not_there(void **state)
{
    (void)state;
    tub_encoder_params params = params_of("videomae");
    params.backend = "metal";
    refuses(&params, TUB_ERROR_DEVICE, "\"metal\": isn't in this build, which has cuda");
    setenv("TUBELET_CUDA_PLUGIN", "/nowhere/libtubelet_cuda.so", 1);
    params.backend = "cuda";
    refuses(&params, TUB_ERROR_DEVICE, "--device cpu");
    params.device = "cpu";
    refuses(&params, TUB_ERROR_DEVICE, "doesn't run on device \"cpu\"");
    params.backend = NULL;
    params.device = "cuda:0";
    refuses(&params, TUB_ERROR_DEVICE, "--device cpu");
    unsetenv("TUBELET_CUDA_PLUGIN");
    static const char *const devices[] = {"gpu", "cuda:", "cuda:x", "cuda:1,", "cuda:0,0", "cuda:-1", "cuda:0;1"};
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        params.device = devices[i];
        refuses(&params, TUB_ERROR_DEVICE, devices[i]);
    }
    params.device = "cpu";
    params.dtype = TUB_F16;
    refuses(&params, TUB_ERROR_DEVICE, "f");
    params.dtype = TUB_U8;
    refuses(&params, TUB_ERROR_ARGUMENT, "u8");
    params.dtype = TUB_F32;
    params.clip_length = 8;
    refuses(&params, TUB_ERROR_MODEL, "--clip-length 16");
    params.clip_length = -1;
    refuses(&params, TUB_ERROR_ARGUMENT, "clip length");
    params.clip_length = 0;
    params.threads = -1;
    refuses(&params, TUB_ERROR_ARGUMENT, "threads");
    params.threads = 1;
    params.batch = 100000;
    refuses(&params, TUB_ERROR_ARGUMENT, "batch");
    params.batch = 0;
    params.pool = (tub_pool)9;
    refuses(&params, TUB_ERROR_ARGUMENT, "tub_encoder_params.pool is 9");
    params.pool = TUB_POOL_CLS;
    refuses(&params, TUB_ERROR_MODEL, "no class token");
    params.pool = TUB_POOL_DEFAULT;
    params.model = "/no/such/model";
    refuses(&params, TUB_ERROR_MODEL, "/no/such/model");
    params.size = 0; // as if it weren't given
    refuses(&params, TUB_ERROR_MODEL, "/no/such/model");
    params.size = sizeof params - 8;
    refuses(&params, TUB_ERROR_ARGUMENT, "tub_encoder_params.size is");
    params.size = sizeof params;
    params.model = NULL;
    refuses(&params, TUB_ERROR_ARGUMENT, "model");
    refuses(NULL, TUB_ERROR_ARGUMENT, "params");
}

// The describer refuses the same as the encoder.
static void refuses_values_that_no_enum_has(void **state)
{
    (void)state;
    const tub_encoder_params sound = params_of("videomae");
    tub_encoder_params wrong[] = {sound, sound, sound, sound, sound, sound};
    static const char *const says[] = {
        "tub_encoder_params.dtype is 77",    "tub_encoder_params.dtype is -1",
        "tub_encoder_params.positions is 3", "tub_encoder_params.gpu_without is 0x101: 0x100",
        "tub_transform_options.base is 3",   "tub_transform_options.interpolation is 1",
    };
    wrong[0].dtype = (tub_dtype)77;
    wrong[1].dtype = (tub_dtype)-1;
    wrong[2].positions = (tub_positions)3;
    wrong[3].gpu_without = 0x101;
    wrong[4].transform.base = (tub_transform_base)3;
    wrong[5].transform.has_interpolation = true;
    wrong[5].transform.interpolation = (tub_interpolation)1;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tub_description *d = NULL;
        tub_error err = {0};
        refuses(&wrong[i], TUB_ERROR_ARGUMENT, says[i]);
        assert_int_equal(tub_describe(&wrong[i], &d, &err), TUB_ERROR_ARGUMENT);
        assert_non_null(strstr(err.text, says[i]));
    }
    tub_encoder_params params = sound;
    tub_description *d = NULL;
    params.layer = -1;
    assert_int_equal(tub_describe(&params, &d, NULL), TUB_ERROR_ARGUMENT);
}

enum { CLIPS = 5 };

static void rows_depend_on_their_item_alone(void **state)
{
    (void)state;
    tub_encoder_params params = params_of("videomae");
    params.batch = CLIPS;
    tub_encoder *e = open_encoder(&params);
    const tub_encoder_info *info = tub_encoder_get_info(e);
    uint8_t *pixels = malloc((size_t)CLIPS * 16 * info->pixel_bytes);
    const void *frames[CLIPS * 16];
    for (size_t i = 0; i < (size_t)CLIPS * 16 * info->pixel_bytes; i++)
        pixels[i] = (uint8_t)(i * 2654435761u >> 11);
    for (int i = 0; i < CLIPS * 16; i++)
        frames[i] = pixels + (size_t)i * info->pixel_bytes;
    float rows[CLIPS * 64], again[64];
    size_t count = (size_t)info->tokens * 64;
    float *tokens = malloc(CLIPS * count * sizeof *tokens);
    tub_error err = {0};
    assert_int_equal(tub_encoder_run(e, frames, CLIPS, rows, tokens, &err), TUB_OK);
    for (int i = 0; i < CLIPS; i++) {
        assert_int_equal(tub_encoder_run(e, frames + i * 16, 1, again, NULL, &err), TUB_OK);
        assert_memory_equal(again, rows + i * 64, sizeof again);
        for (int c = 0; c < 64; c++) {
            double mean = 0;
            for (int t = 0; t < info->tokens; t++)
                mean += tokens[(size_t)i * count + (size_t)t * 64 + (size_t)c] / (double)info->tokens;
            assert_true(fabs(mean - rows[i * 64 + c]) < 1e-5);
        }
    }
    assert_memory_not_equal(rows, rows + 64, 64 * sizeof(float));
    assert_int_equal(tub_encoder_run(e, frames, 0, rows, NULL, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_encoder_run(e, frames, CLIPS + 1, rows, NULL, &err), TUB_ERROR_ARGUMENT);
    frames[3] = NULL;
    assert_int_equal(tub_encoder_run(e, frames, 1, rows, NULL, &err), TUB_ERROR_ARGUMENT);
    tub_encoder_close(&e);
    free(pixels);
    free(tokens);
}

static void *interrupt_soon(void *encoder)
{
    usleep(20000);
    tub_encoder_interrupt(encoder, true);
    return NULL;
}

static void stops_when_interrupted(void **state)
{
    (void)state;
    static const char *const backends[] = {"reference", "auto"};
    for (int b = 0; b < 2; b++) {
        tub_encoder_params params = params_of("videomae");
        params.backend = backends[b];
        tub_encoder *e = open_encoder(&params);
        uint8_t *pixels = calloc(1, tub_encoder_get_info(e)->pixel_bytes);
        const void *frames[16];
        for (int i = 0; i < 16; i++)
            frames[i] = pixels;
        float before[64], after[64];
        tub_error err = {0};
        assert_int_equal(tub_encoder_run(e, frames, 1, before, NULL, &err), TUB_OK);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, e), 0);
        tub_status status = TUB_OK;
        while (status == TUB_OK)
            status = tub_encoder_run(e, frames, 1, after, NULL, &err);
        assert_int_equal(status, TUB_ERROR_CANCELLED);
        pthread_join(thread, NULL);
        assert_int_equal(tub_encoder_run(e, frames, 1, after, NULL, &err), TUB_ERROR_CANCELLED);
        tub_encoder_interrupt(e, false);
        assert_int_equal(tub_encoder_run(e, frames, 1, after, NULL, &err), TUB_OK);
        assert_memory_equal(before, after, sizeof before);
        tub_encoder_close(&e);
        free(pixels);
    }
}

// For GPUs see tests/pipeline/test_devices.c.
static void pins_nothing_on_the_processor(void **state)
{
    (void)state;
    const tub_encoder_params params = params_of("videomae");
    tub_encoder *e = open_encoder(&params);
    char memory[64];
    tub_error err = {0};
    assert_int_equal(tub_encoder_pin(e, memory, sizeof memory, &err), TUB_END);
    tub_encoder_unpin(e, memory);
    tub_encoder_unpin(e, NULL);
    assert_int_equal(tub_encoder_pin(e, NULL, 1, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_encoder_pin(e, memory, 0, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_encoder_pin(NULL, memory, 1, &err), TUB_ERROR_ARGUMENT);
    tub_encoder_close(&e);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(tells_what_it_is),
                                       TEST(resolves_the_transform),
                                       TEST(warns_without_a_preprocessor),
                                       TEST(refuses_what_is_not_there),
                                       TEST(rows_depend_on_their_item_alone),
                                       TEST(stops_when_interrupted),
                                       TEST(pins_nothing_on_the_processor),
                                       TEST(refuses_values_that_no_enum_has)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
