// Frames in memory through the transform and an encoder.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "fake_encoder.h"
#include "pixel_plan.h"
#include "window_mean.h"

enum { CLIPS = 5, FRAMES = 4, HEIGHT = 4, WIDTH = 6, PIXELS = HEIGHT * WIDTH * 3, TOKENS = 3, TOKEN_DIM = 2, DIM = 5 };

static uint8_t *make_frames(void)
{
    uint8_t *frames = malloc(CLIPS * FRAMES * PIXELS);
    uint32_t state = 12345;
    for (int i = 0; i < CLIPS * FRAMES * PIXELS; i++) {
        state = state * 1664525u + 1013904223u;
        frames[i] = (uint8_t)(state >> 24);
    }
    return frames;
}

static fake_encoder *create(bool per_frame, int batch)
{
    fake_encoder *e = fake_encoder_create(&(fake_encoder_params){.per_frame = per_frame, .batch = batch});
    e->base.info.transform = (tub_transform){
        .rescale = true, .scale = 1 / 255.0f, .normalize = true, .mean = {0.5f, 0.4f, 0.3f}, .std = {0.2f, 0.3f, 0.4f}};
    return e;
}

static void close_encoder(fake_encoder *e)
{
    tub_encoder *base = &e->base;
    tub_encoder_close(&base);
}

static void point_at(const uint8_t *frames, int first, int count, const void **out)
{
    for (int i = 0; i < count; i++)
        out[i] = frames + (first + i) * PIXELS;
}

static void check_pixels(const fake_encoder *e, const uint8_t *frames, const float *pixels)
{
    float table[256];
    for (int c = 0; c < 3; c++) {
        tub_transform_table(&e->base.info.transform, c, table);
        for (int f = 0; f < CLIPS * FRAMES; f++)
            for (int i = 0; i < HEIGHT * WIDTH; i++)
                assert_memory_equal(&pixels[(f * 3 + c) * HEIGHT * WIDTH + i], &table[frames[f * PIXELS + i * 3 + c]],
                                    sizeof *table);
    }
}

static void test_clip_model(void **state)
{
    (void)state;
    uint8_t *frames = make_frames();
    float feature[CLIPS * DIM], tokens[CLIPS * TOKENS * TOKEN_DIM], row[DIM], item_tokens[TOKENS * TOKEN_DIM];
    float *pixels = malloc(CLIPS * FRAMES * PIXELS * sizeof *pixels);
    const void *clip[FRAMES];
    for (int batch = 1; batch <= 7; batch += 2) {
        fake_encoder *e = create(false, batch);
        tub_error err = {0};
        assert_int_equal(
            tub_encoder_embed(&e->base, frames, CLIPS, FRAMES, HEIGHT, WIDTH, feature, tokens, pixels, &err), TUB_OK);
        for (int i = 0; i < CLIPS; i++) {
            point_at(frames, i * FRAMES, FRAMES, clip);
            fake_encoder_row(clip, FRAMES, PIXELS, DIM, row);
            fake_encoder_row(clip, FRAMES, PIXELS, TOKENS * TOKEN_DIM, item_tokens);
            assert_memory_equal(feature + i * DIM, row, sizeof row);
            assert_memory_equal(tokens + i * TOKENS * TOKEN_DIM, item_tokens, sizeof item_tokens);
        }
        check_pixels(e, frames, pixels);
        close_encoder(e);
    }
    free(pixels);
    free(frames);
}

static void test_frame_model(void **state)
{
    (void)state;
    uint8_t *frames = make_frames();
    float feature[CLIPS * DIM], tokens[CLIPS * FRAMES * TOKENS * TOKEN_DIM], mean[DIM], each[FRAMES * DIM];
    double sum[DIM];
    const float *rows[FRAMES];
    float item_tokens[TOKENS * TOKEN_DIM];
    const void *one;
    for (int batch = 1; batch <= 7; batch += 3) {
        fake_encoder *e = create(true, batch);
        assert_int_equal(tub_encoder_embed(&e->base, frames, CLIPS, FRAMES, HEIGHT, WIDTH, feature, tokens, NULL, NULL),
                         TUB_OK);
        assert_int_equal(e->items, CLIPS * FRAMES);
        for (int f = 0; f < CLIPS * FRAMES; f++) {
            point_at(frames, f, 1, &one);
            fake_encoder_row(&one, 1, PIXELS, DIM, each + f % FRAMES * DIM);
            rows[f % FRAMES] = each + f % FRAMES * DIM;
            fake_encoder_row(&one, 1, PIXELS, TOKENS * TOKEN_DIM, item_tokens);
            assert_memory_equal(tokens + f * TOKENS * TOKEN_DIM, item_tokens, sizeof item_tokens);
            if (f % FRAMES == FRAMES - 1) {
                tub_window_mean(rows, FRAMES, DIM, sum, mean);
                assert_memory_equal(feature + f / FRAMES * DIM, mean, sizeof mean);
            }
        }
        close_encoder(e);
    }
    free(frames);
}

static void test_pixels_alone_do_not_run_the_model(void **state)
{
    (void)state;
    uint8_t *frames = make_frames();
    float *pixels = malloc(CLIPS * FRAMES * PIXELS * sizeof *pixels);
    fake_encoder *e = create(false, 3);
    assert_int_equal(tub_encoder_embed(&e->base, frames, CLIPS, FRAMES, HEIGHT, WIDTH, NULL, NULL, pixels, NULL),
                     TUB_OK);
    assert_int_equal(e->runs, 0);
    check_pixels(e, frames, pixels);
    close_encoder(e);
    free(pixels);
    free(frames);
}

static void test_float_domain(void **state)
{
    (void)state;
    uint8_t *frames = make_frames();
    float *pixels = malloc(CLIPS * FRAMES * PIXELS * sizeof *pixels), feature[CLIPS * DIM];
    fake_encoder *e = create(false, 2);
    e->base.info.transform.domain = TUB_DOMAIN_FLOAT;
    e->base.info.pixels_are_float = true;
    e->base.info.pixel_bytes = PIXELS * sizeof(float);
    assert_int_equal(tub_encoder_embed(&e->base, frames, CLIPS, FRAMES, HEIGHT, WIDTH, feature, NULL, pixels, NULL),
                     TUB_OK);
    for (int i = 0; i < CLIPS; i++) {
        const void *clip[FRAMES];
        float row[DIM];
        for (int j = 0; j < FRAMES; j++)
            clip[j] = pixels + (i * FRAMES + j) * PIXELS;
        fake_encoder_row(clip, FRAMES, PIXELS * sizeof(float), DIM, row);
        assert_memory_equal(feature + i * DIM, row, sizeof row);
    }
    close_encoder(e);
    free(pixels);
    free(frames);
}

static void test_rejections(void **state)
{
    (void)state;
    uint8_t *frames = make_frames();
    float feature[CLIPS * DIM];
    tub_error err = {0};
    fake_encoder *e = create(false, 2);
    assert_int_equal(tub_encoder_embed(&e->base, frames, 2, 3, HEIGHT, WIDTH, feature, NULL, NULL, &err),
                     TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "3 frames"));
    assert_int_equal(tub_encoder_embed(&e->base, frames, 2, FRAMES, 2, WIDTH, feature, NULL, NULL, &err),
                     TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "2x6"));
    assert_int_equal(tub_encoder_embed(&e->base, NULL, 2, FRAMES, HEIGHT, WIDTH, feature, NULL, NULL, &err),
                     TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_encoder_embed(NULL, frames, 2, FRAMES, HEIGHT, WIDTH, feature, NULL, NULL, &err),
                     TUB_ERROR_ARGUMENT);
    e->params.fail = 2;
    assert_int_equal(tub_encoder_embed(&e->base, frames, CLIPS, FRAMES, HEIGHT, WIDTH, feature, NULL, NULL, &err),
                     TUB_ERROR_DEVICE);
    close_encoder(e);
    e = create(true, 2);
    assert_int_equal(tub_encoder_embed(&e->base, frames, INT64_MAX, 2, HEIGHT, WIDTH, feature, NULL, NULL, &err),
                     TUB_ERROR_ARGUMENT); // twice as many frames would be -2
    close_encoder(e);
    free(frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clip_model),
        cmocka_unit_test(test_frame_model),
        cmocka_unit_test(test_pixels_alone_do_not_run_the_model),
        cmocka_unit_test(test_float_domain),
        cmocka_unit_test(test_rejections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
