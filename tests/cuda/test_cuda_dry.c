// Whole programs of published sizes, run by the plug-in's own files on cards that compute nothing
// (tests/fakes/dry_gpu.h): every launch, copy, event, graph, description of a product and plan of attention is one that
// the CUDA runtime, cuBLASLt and cuDNN accept. What is computed, and what cuBLASLt's heuristics say, isn't tested.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/encoder.h>

#include "backend.h"
#include "dry_gpu.h"
#include "empty_model.h"
#include "frame_rgb.h"
#include "frame_yuv.h"
#include "model.h"
#include "model_case.h"
#include "pixel_ops.h"
#include "temp_folder.h"

enum { FRAMES = 64, RUNS = 3 };

static char *folder;
static char said[1024]; // the library's messages

static int set_up(void **state)
{
    (void)state;
    folder = test_folder_make();
    setenv("TUBELET_CUDA_PLUGIN", TEST_DRY_PLUGIN, 1);
    setenv("DRY_GPUS", "h100", 1);
    dry_clear_tally();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static void note(void *user, int level, const char *text)
{
    (void)user;
    (void)level;
    const size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "%s\n", text);
}

static void check_nothing_refused(const char *what)
{
    dry_tally t;
    dry_get_tally(&t);
    if (t.refused)
        fail_msg("%s: %ld calls break a rule, the first: %s", what, t.refused, t.first);
}

static void check_nothing_left(const char *what)
{
    dry_tally t;
    dry_get_tally(&t);
    if (t.blocks || t.pinned || t.streams || t.events || t.graphs || t.handles || t.descriptions)
        fail_msg(
            "%s: left are %ld blocks, %ld pinned, %ld streams, %ld events, %ld graphs, %ld handles, %ld descriptions",
            what, t.blocks, t.pinned, t.streams, t.events, t.graphs, t.handles, t.descriptions);
}

// Runs often enough that the first wave goes step by step, the second is recorded, and later ones are replayed.
static void run(tub_encoder *encoder, const char *what)
{
    const tub_encoder_info *info = tub_encoder_get_info(encoder);
    const size_t count = (size_t)info->batch * (size_t)info->frames;
    char *pixels = calloc(FRAMES, info->pixel_bytes);
    const void **frames = malloc(count * sizeof *frames);
    float *rows = malloc((size_t)info->batch * (size_t)info->dim * sizeof *rows);
    assert_true(pixels && frames && rows);
    for (size_t i = 0; i < count; i++)
        frames[i] = pixels + i % FRAMES * info->pixel_bytes;
    for (int i = 0; i < RUNS; i++) {
        tub_error err = {0};
        rows[0] = 1;
        const tub_status status = tub_encoder_run(encoder, frames, info->batch - i, rows, NULL, &err);
        check_nothing_refused(what);
        if (status != TUB_OK)
            fail_msg("%s: %s", what, err.text);
        assert_true(rows[0] == 0);
    }
    free(rows);
    free(frames);
    free(pixels);
}

typedef struct way {
    const char *cards;
    tub_dtype dtype;
    int size; // pixels per side, 0: the model's own
    int batch;
    unsigned without;
    size_t memory;
} way;

static tub_encoder_params params_of(const way *w, const char *model)
{
    return (tub_encoder_params){.size = sizeof(tub_encoder_params),
                                .model = model,
                                .device = "cuda",
                                .dtype = w->dtype,
                                .transform = {.has_size = w->size > 0, .height = w->size, .width = w->size},
                                .batch = w->batch,
                                .device_memory = w->memory,
                                .gpu_without = w->without,
                                .log = {.write = note}};
}

static dry_tally compute(const char *what, const char *model, const way *w)
{
    const tub_encoder_params params = params_of(w, model);
    tub_encoder *encoder = NULL;
    tub_error err = {0};
    dry_tally t;
    setenv("DRY_GPUS", w->cards, 1);
    dry_clear_tally();
    said[0] = 0;
    const tub_status status = tub_encoder_open(&params, &encoder, &err);
    check_nothing_refused(what);
    if (status != TUB_OK)
        fail_msg("%s: %s", what, err.text);
    run(encoder, what);
    dry_get_tally(&t);
    tub_encoder_close(&encoder);
    check_nothing_refused(what);
    check_nothing_left(what);
    return t;
}

// Skips the test if the build has no code for one of them.
static void need_code(const char *const *cards)
{
    for (; *cards; cards++) {
        char name[32];
        tub_error err = {0};
        setenv("DRY_GPUS", *cards, 1);
        if (tub_backend_cuda.name_device(0, name, sizeof name, &err) == TUB_OK)
            continue;
        print_message("%s\n", err.text);
        assert_non_null(strstr(err.text, "and libtubelet_cuda.so code for"));
        skip();
    }
}

static void refuses(const char *model, const char *cards, tub_dtype dtype, const char *why)
{
    const tub_encoder_params params = params_of(&(way){.dtype = dtype, .batch = 4}, model);
    tub_encoder *encoder = NULL;
    tub_error err = {0};
    setenv("DRY_GPUS", cards, 1);
    assert_int_equal(tub_encoder_open(&params, &encoder, &err), TUB_ERROR_DEVICE);
    assert_non_null(strstr(err.text, why));
    check_nothing_left(cards);
}

// ---- the tests ----

// Every product has an algorithm and is accepted, e4m3's too; attention is cuDNN's; waves are recorded and replayed.
static void check_program(const char *what, const char *model, tub_dtype dtype, int batch, int size)
{
    const dry_tally t = compute(what, model, &(way){.cards = "h100", .dtype = dtype, .batch = batch, .size = size});
    const bool narrow = dtype != TUB_F32 && dtype != TUB_TF32;
    if (t.launches == 0 || t.products == 0 || t.captured == 0 || t.replayed < 2 || (t.attentions > 0) != narrow)
        fail_msg("%s: %ld launches, %ld products, %ld captured, %ld replayed, %ld attentions", what, t.launches,
                 t.products, t.captured, t.replayed, t.attentions);
    if (strstr(said, "no CUDA graph") || strstr(said, "no fp8 product") || strstr(said, "isn't used"))
        fail_msg("%s: %s", what, said);
}

// Whether this build's cuBLASLt has scales per row. Types other than fp8 are always there.
static bool has(tub_dtype dtype)
{
    tub_error err = {0};
    if (dtype != TUB_FP8 || tub_backend_cuda.supports(dtype, &err) == TUB_OK)
        return true;
    assert_non_null(strstr(err.text, "needs cuBLASLt 12.9"));
    return false;
}

// The number of tensor maps, for products by warpgroups, that the driver's stand-in made.
static long maps_made(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    void *symbol = driver ? dlsym(driver, "dry_cuda_maps") : NULL;
    long (*ask)(void);
    assert_non_null(symbol);
    memcpy(&ask, &symbol, sizeof symbol);
    dlclose(driver);
    return ask();
}

static void programs_are_taken(void **state)
{
    (void)state;
    need_code((const char *const[]){"h100", NULL});
    static const struct {
        const char *what;
        int batch, size;
        tub_dtype types[6]; // AUTO: the end
    } models[] = {
        {"videomae:base", 48, 0, {TUB_F32, TUB_TF32, TUB_F16, TUB_BF16, TUB_FP8}},
        {"videomae:large", 48, 0, {TUB_F16, TUB_FP8}},
        {"dinov3:large", 300, 0, {TUB_TF32, TUB_F16, TUB_FP8}},
        {"onevision:large", 20, 0, {TUB_F32, TUB_F16, TUB_BF16, TUB_FP8}},
        {"siglip:so400m", 100, 384, {TUB_F16, TUB_FP8}},
        {"siglip:base", 3, 0, {TUB_F16, TUB_FP8}},
        {"internvideo2:1b", 20, 0, {TUB_F16}},
        {"timesformer:base", 40, 0, {TUB_BF16}},
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        test_empty_model(models[i].what, 2, test_path(folder, models[i].what));
        for (const tub_dtype *type = models[i].types; *type != TUB_DTYPE_AUTO; type++) {
            char what[64];
            if (!has(*type))
                continue;
            snprintf(what, sizeof what, "%s %s", models[i].what, tub_dtype_name(*type));
            check_program(what, test_path(folder, models[i].what), *type, models[i].batch, models[i].size);
        }
    }
    assert_true(maps_made() > 0);
}

static void goes_the_other_ways(void **state)
{
    (void)state;
    need_code((const char *const[]){"h100", "a100", NULL});
    const unsigned all =
        TUB_GPU_WITHOUT_GRAPHS | TUB_GPU_WITHOUT_TUNING | TUB_GPU_WITHOUT_OVERLAP | TUB_GPU_WITHOUT_CUDNN;
    const char *model = test_path(folder, "videomae:base");
    test_empty_model("videomae:base", 2, model);
    dry_tally t = compute("without", model, &(way){.cards = "h100", .dtype = TUB_F16, .batch = 48, .without = all});
    assert_true(t.captured == 0 && t.replayed == 0 && t.attentions == 0 && t.launches > 0 && t.products > 0);
    t = compute("without cuDNN", model,
                &(way){.cards = "h100", .dtype = TUB_BF16, .batch = 48, .without = TUB_GPU_WITHOUT_CUDNN});
    assert_true(t.replayed > 0 && t.attentions == 0);
    t = compute("short of memory", model,
                &(way){.cards = "h100", .dtype = TUB_F16, .batch = 48, .memory = (size_t)300 << 20});
    assert_true(t.replayed > 0 && t.attentions > 0);
    assert_non_null(strstr(said, "GPU memory is short"));
    t = compute("two cards", model, &(way){.cards = "h100,a100", .dtype = TUB_F16, .batch = 48});
    assert_true(t.replayed > 0 && t.attentions > 0);
}

static void older_cards_do_what_they_can(void **state)
{
    (void)state;
    need_code((const char *const[]){"a100", "t4", NULL});
    const char *model = test_path(folder, "videomae:base");
    test_empty_model("videomae:base", 2, model);
    dry_tally t = compute("A100 bf16", model, &(way){.cards = "a100", .dtype = TUB_BF16, .batch = 48});
    assert_true(t.attentions > 0 && t.replayed > 0);
    t = compute("A100 tf32", model, &(way){.cards = "a100", .dtype = TUB_TF32, .batch = 48});
    assert_true(t.replayed > 0);
    t = compute("T4 f16", model, &(way){.cards = "t4", .dtype = TUB_F16, .batch = 48});
    assert_true(t.attentions == 0 && t.replayed > 0);
    assert_non_null(strstr(said, "the card is older than 8.0"));
    t = compute("T4 f32", model, &(way){.cards = "t4", .dtype = TUB_F32, .batch = 48});
    assert_true(t.replayed > 0);
    refuses(model, "a100", TUB_FP8, "fp8");
    refuses(model, "t4", TUB_BF16, "bf16");
}

// CUDA 12 makes the code for them; no other test runs such code.
static void a_v100_computes_all_of_it(void **state)
{
    (void)state;
    need_code((const char *const[]){"v100", NULL});
    static const struct {
        const char *what;
        int batch;
    } models[] = {{"videomae:base", 32},  {"videomae:large", 32}, {"dinov3:large", 100},
                  {"onevision:large", 8}, {"siglip:base", 3},     {"timesformer:base", 8}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const char *model = test_path(folder, models[i].what);
        test_empty_model(models[i].what, 2, model);
        const dry_tally half =
            compute(models[i].what, model, &(way){.cards = "v100,v100", .dtype = TUB_F16, .batch = models[i].batch});
        assert_true(half.attentions == 0 && half.products > 0 && half.replayed > 0);
        assert_non_null(strstr(said, "cuDNN can't be started on this GPU"));
        const dry_tally whole =
            compute(models[i].what, model, &(way){.cards = "v100", .dtype = TUB_F32, .batch = models[i].batch});
        assert_true(whole.attentions == 0 && whole.products > 0 && whole.replayed > 0);
        refuses(model, "v100", TUB_BF16, "bf16");
        refuses(model, "v100", TUB_TF32, "tf32");
    }
}

// Copies a decoded frame of this size from the host, and makes patches of it.
static void check_frame(tub_backend *b, tub_executable *e, void *memory, int height, int width)
{
    const tub_transform t = {.resize = TUB_RESIZE_EXACT,
                             .height = 224,
                             .width = 224,
                             .interpolation = TUB_BILINEAR,
                             .antialias = true,
                             .rescale = true,
                             .scale = 1.0f / 255.0f,
                             .normalize = true,
                             .std = {1, 1, 1}};
    const size_t luma = (size_t)height * (size_t)width, bytes = tub_backend_cuda.frame_bytes(e);
    uint8_t *planes = calloc(3, luma), *host = malloc(bytes);
    tub_pixels *pixels = NULL;
    const tub_frame_recipe *recipe = NULL;
    tub_error err = {0};
    assert_true(planes && host);
    assert_int_equal(tub_pixels_open(&t, height, width, &pixels, &err), TUB_OK);
    assert_int_equal(tub_pixels_recipe(pixels, &recipe, &err), TUB_OK);
    const tub_picture picture = {.kind = TUB_PICTURE_HALF,
                                 .chroma_shift = 1,
                                 .matrix = tub_matrix_make(tub_colour_coefficients(1), false),
                                 .planes = {planes, planes + luma, planes + 2 * luma},
                                 .pitches = {width, (width + 1) / 2, (width + 1) / 2}};
    const tub_frame_planes frame = tub_picture_planes(&picture, width, height);
    if (tub_backend_cuda.make_frame(b, recipe, &frame, memory, host, &err) != TUB_OK)
        fail_msg("%d x %d: %s", width, height, err.text);
    tub_pixels_close(&pixels);
    free(planes);
    free(host);
}

static void frames_become_patches(void **state)
{
    (void)state;
    need_code((const char *const[]){"h100", NULL});
    static const int sizes[][2] = {{1, 1}, {240, 320}, {480, 854}, {1080, 1920}, {2160, 3840}, {4320, 7680}, {9, 8192}};
    const tub_open_params params = {.log = {.write = note}};
    const tub_compile_params how = {.dtype = TUB_F16, .max_items = 4};
    const char *path = test_path(folder, "videomae:base");
    tub_backend *b = NULL;
    tub_executable *e = NULL;
    tub_program *p = NULL;
    void *memory = NULL;
    tub_error err = {0};
    test_empty_model("videomae:base", 1, path);
    tub_model *m = test_model_open(path);
    const tub_input input = {.frames = 16, .height = 224, .width = 224};
    const tub_build build = {.frames = 16, .height = 224, .width = 224, .pool = TUB_POOL_MEAN, .input = &input};
    assert_int_equal(tub_model_build(m, &build, &p, &err), TUB_OK);
    assert_int_equal(tub_backend_cuda.open(&params, &b, &err), TUB_OK);
    assert_int_equal(tub_backend_cuda.compile(b, p, &how, &e, &err), TUB_OK);
    assert_int_equal(tub_backend_cuda.hold_frames(e, tub_backend_cuda.frame_bytes(e), &memory, &err), TUB_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_frame(b, e, memory, sizes[i][0], sizes[i][1]);
    dry_tally t;
    dry_get_tally(&t);
    assert_true(t.launches >= (long)(sizeof sizes / sizeof *sizes));
    tub_backend_cuda.drop_frames(b);
    tub_backend_cuda.release(&e);
    tub_backend_cuda.close(&b);
    tub_program_free(&p);
    tub_model_close(&m);
    check_nothing_refused("frames");
    check_nothing_left("frames");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(programs_are_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(goes_the_other_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(older_cards_do_what_they_can, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_v100_computes_all_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_become_patches, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
