// The kernels that make pixels from decoded frames, in gpu_frame_kernels.cu and what it launches: both layouts, both
// domains, on tensor cores, in pairs, by tiles and pixel by pixel, several frames at once. unit/test_gpu_frames tests
// that the host's version equals the processor's to the bit.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "emulator_check.h"
#include "frame_rgb.h"
#include "gpu_frame_bodies.h"
#include "gpu_frame_tables.h"
#include "picture.h"
#include "pixel_ops.h"

static int below(int count)
{
    return (int)(emulator_random() % (uint32_t)count);
}

static uint8_t *noise(size_t bytes)
{
    uint8_t *out = emulator_memory(bytes);
    assert_non_null(out);
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)emulator_random();
    return out;
}

enum { LAYOUT_420, LAYOUT_422, LAYOUT_444, LAYOUT_RGB, LAYOUT_DEEP, LAYOUT_NV12, LAYOUT_DEEP_PAIRS, LAYOUTS };

static tub_frame_planes planes_of(int layout, int width, int height)
{
    const bool full = layout == LAYOUT_444 || layout == LAYOUT_RGB;
    const bool deep = layout == LAYOUT_DEEP || layout == LAYOUT_DEEP_PAIRS;
    const int *coefficients = tub_colour_coefficients(below(10));
    return (tub_frame_planes){.kind = layout == LAYOUT_RGB ? TUB_PLANES_RGB
                                      : full               ? TUB_PLANES_FULL
                                                           : TUB_PLANES_HALF,
                              .paired = layout >= LAYOUT_NV12,
                              .on_device = true,
                              .chroma_shift = !full && layout != LAYOUT_422,
                              .bits = deep ? 10 : 8,
                              .shift = layout == LAYOUT_DEEP_PAIRS ? 6 : 0,
                              .width = width,
                              .height = height,
                              .matrix = tub_matrix_make(coefficients, below(2)),
                              .steps = tub_steps_make(coefficients, below(2))};
}

// Fills a surface's planes, and sets the pitches that all surfaces share. NV12's may allow reads of 16 bytes.
static void fill_planes(tub_frame_planes *f, tub_gpu_surface *surface, bool by_words)
{
    const int columns = f->kind == TUB_PLANES_HALF ? (f->width + 1) / 2 : f->width;
    const int rows = (f->height + (1 << f->chroma_shift) - 1) >> f->chroma_shift;
    for (int i = 0; i < (f->kind == TUB_PLANES_RGB ? 1 : f->paired ? 2 : 3); i++) {
        const int values = i ? columns * (f->paired ? 2 : 1) : f->width * (f->kind == TUB_PLANES_RGB ? 3 : 1);
        const int bytes = values * (f->bits > 8 ? 2 : 1);
        f->pitches[i] = by_words ? (bytes + 15) / 16 * 16 : bytes;
        surface->planes[i] = noise((size_t)f->pitches[i] * (size_t)(i ? rows : f->height));
        uint16_t *words = (uint16_t *)(uintptr_t)surface->planes[i];
        for (int j = 0; f->bits > 8 && j < values * (i ? rows : f->height); j++)
            words[j] = (uint16_t)((words[j] & 1023) << f->shift);
    }
}

static tub_transform random_transform(bool floats)
{
    static const tub_interpolation kinds[] = {TUB_NEAREST, TUB_BILINEAR, TUB_BILINEAR, TUB_BICUBIC};
    tub_transform t = {.resize = (tub_resize)below(3),
                       .height = 1 + below(60),
                       .width = 1 + below(60),
                       .interpolation = kinds[below(4)],
                       .antialias = below(2),
                       .domain = floats ? TUB_DOMAIN_FLOAT : TUB_DOMAIN_U8,
                       .pillow = below(2),
                       .rescale = true,
                       .scale = 1.0f / 255.0f,
                       .normalize = below(2),
                       .mean = {0.5f, 0.4f, 0.3f},
                       .std = {0.2f, 0.3f, 0.25f}};
    if (below(2)) {
        t.crop_height = 1 + below(50);
        t.crop_width = 1 + below(50);
    }
    return t;
}

static int by_cores, by_pairs, tiled, single;

static const char *way_of(const tub_gpu_pixels *t)
{
    const bool cores = tub_gpu_pixels_by_cores(t), pairs = !cores && tub_gpu_pixels_by_pairs(t);
    const bool tiles = !cores && !pairs && t->tile_rows;
    by_cores += cores;
    by_pairs += pairs;
    tiled += tiles;
    single += !cores && !pairs && !tiles;
    return cores ? "by tensor cores" : pairs ? "by pairs" : tiles ? "by tiles" : "one by one";
}

// Puts the tables into the emulator's memory.
static void bring_tables(const tub_frame_recipe *recipe, bool cores, bool tiles, tub_gpu_pixels *t)
{
    tub_gpu_frame_tables tables;
    assert_int_equal(tub_gpu_frame_tables_make(recipe, cores, &tables, NULL), TUB_OK);
    unsigned char *data = emulator_memory(tables.bytes);
    memcpy(data, tables.data, tables.bytes);
    if (tiles)
        tub_gpu_frame_tables_use(&tables, t);
    t->recipe.tables = data;
    tub_gpu_frame_tables_finish(&tables);
}

// The best way that the recipe allows, or one that needs less.
typedef enum way { ONE_BY_ONE, TILES, CORES } way;

static void check(const tub_transform *transform, int layout, int width, int height, way best)
{
    tub_pixels *pixels = NULL;
    const tub_frame_recipe *recipe = NULL;
    assert_int_equal(tub_pixels_open_isa(transform, height, width, TUB_ISA_SCALAR, &pixels, NULL), TUB_OK);
    assert_int_equal(tub_pixels_recipe(pixels, &recipe, NULL), TUB_OK);
    tub_gpu_task task = {.kind = TUB_GPU_PIXELS};
    tub_gpu_pixels *t = &task.pixels;
    *t = (tub_gpu_pixels){.frame = planes_of(layout, width, height), .recipe = *recipe, .count = 1 + below(3)};
    t->form = (tub_gpu_form){.type = (tub_gpu_type)below(3),
                             .ky = 1 + below(16) % recipe->out_height,
                             .kx = 1 + below(16) % recipe->out_width,
                             .table = emulator_numbers(TUB_GPU_F32, (size_t)3 * 256, 2)};
    t->by_words = layout == LAYOUT_NV12 && (best == CORES || below(2));
    bring_tables(recipe, best == CORES, best != ONE_BY_ONE, t);
    const char *chosen = way_of(t);
    const size_t values = (size_t)(recipe->out_height / t->form.ky * t->form.ky) *
                          (size_t)(recipe->out_width / t->form.kx * t->form.kx) * 3;
    for (int i = 0; i < t->count; i++) {
        fill_planes(&t->frame, &t->surfaces[i], t->by_words);
        t->surfaces[i].out = emulator_space(t->form.type, values);
    }
    emulator_check(&task, "%d frames of %dx%d, layout %d, to %dx%d %s, %s", t->count, width, height, layout,
                   recipe->out_width, recipe->out_height, recipe->is_float ? "floats" : "bytes", chosen);
    tub_pixels_close(&pixels);
}

static void all_kinds(void **state)
{
    (void)state;
    for (int i = 0; i < 16 * LAYOUTS; i++) {
        const bool large = i / LAYOUTS % 2; // many inputs per pixel
        const int layout = i % LAYOUTS, width = 2 + below(large ? 300 : 90), height = 2 + below(large ? 200 : 60);
        const tub_transform t = random_transform(i / LAYOUTS / 2 % 2);
        check(&t, layout, width, height / 2 * 2, i / LAYOUTS % 4 != 3 ? TILES : ONE_BY_ONE);
    }
    assert_true(tiled > 20 && single > 20);
}

// Weights of two bytes and of three, any number of steps, patches of even and odd sizes.
static void on_tensor_cores(void **state)
{
    (void)state;
    for (int i = 0; i < 120; i++) {
        const int width = 2 + below(i % 3 ? 200 : 700), height = 2 + below(i % 3 ? 120 : 400);
        tub_transform t = random_transform(false);
        t.antialias = true;
        t.interpolation = i % 2 ? TUB_BILINEAR : TUB_BICUBIC;
        check(&t, LAYOUT_NV12, width, height / 2 * 2, CORES);
    }
    assert_true(by_cores > 40);
}

// Pairs of two rows and two columns each, in the float domain.
static void of_pairs(void **state)
{
    (void)state;
    const int before = by_pairs;
    for (int i = 0; i < 40; i++) {
        tub_transform t = random_transform(true);
        t.resize = TUB_RESIZE_EXACT;
        t.antialias = false;
        t.interpolation = TUB_BILINEAR;
        if (i % 2) {
            t.scale = 1.0f / 127.5f;
            t.offset = -1;
        }
        check(&t, LAYOUT_NV12, 2 + below(i % 4 ? 90 : 700), 2 + below(60), CORES);
    }
    assert_true(by_pairs > before + 30);
    assert_int_equal(emulator_kernels(), 2 * 2 * 2 + 2 * 3 + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_kinds), cmocka_unit_test(on_tensor_cores),
                                       cmocka_unit_test(of_pairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
