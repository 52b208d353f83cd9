// The positions of frames in time, and rows of length 1: with encoders of tiny random checkpoints, on every backend.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>
#include <tubelet/checkpoint.h>
#include <tubelet/encoder.h>

#include "backend.h"
#include "temp_folder.h"
#include "unit_row.h"

enum { FRAMES = 6, SIDE = 16, DIM = 64, ITEMS = 2 };

static char *folder;
static unsigned char pixels[ITEMS * FRAMES][SIDE * SIDE * 3];
static const void *frames[ITEMS * FRAMES];

static int make_folder(void **state)
{
    (void)state;
    folder = test_folder_make();
    unsigned seed = 1;
    for (int i = 0; i < ITEMS * FRAMES; i++) {
        for (size_t k = 0; k < sizeof pixels[i]; k++)
            pixels[i][k] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
        frames[i] = pixels[i];
    }
    return tub_checkpoint_init("onevision:tiny", test_path(folder, "onevision"), 1, NULL) ||
           tub_checkpoint_init("vit:tiny", test_path(folder, "vit"), 1, NULL);
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static tub_encoder *open_encoder(const char *backend, tub_positions positions, bool unit)
{
    tub_encoder *e = NULL;
    tub_error err = {0};
    tub_encoder_params params = {.size = sizeof params,
                                 .model = test_path(folder, "onevision"),
                                 .backend = backend,
                                 .dtype = TUB_F32,
                                 .clip_length = FRAMES,
                                 .threads = 2,
                                 .batch = ITEMS,
                                 .positions = positions,
                                 .l2_normalize = unit,
                                 .gpu_without = TUB_GPU_WITHOUT_TUNING,
                                 .transform = {.has_size = true, .height = SIDE, .width = SIDE}};
    if (tub_encoder_open(&params, &e, &err) != TUB_OK)
        fail_msg("%s", err.text);
    return e;
}

static void run(tub_encoder *e, const int *positions, float *rows)
{
    tub_error err = {0};
    tub_status status = positions ? tub_encoder_run_at(e, frames, positions, ITEMS, rows, NULL, &err)
                                  : tub_encoder_run(e, frames, ITEMS, rows, NULL, &err);
    if (status != TUB_OK)
        fail_msg("%s", err.text);
}

// The table of all positions gives the same as the table of the clip's own positions, whichever rows are requested.
static void positions_choose_the_angles(void **state)
{
    (void)state;
    static const int index[ITEMS * FRAMES] = {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5};
    static const int spread[ITEMS * FRAMES] = {0, 12, 25, 37, 50, 63, 0, 12, 25, 37, 50, 63};
    static const int mixed[ITEMS * FRAMES] = {0, 1, 2, 3, 4, 5, 0, 12, 25, 37, 50, 63};
    float expected[2][ITEMS * DIM], rows[ITEMS * DIM];
    for (size_t i = 0; tub_backend_at(i); i++) {
        tub_encoder *e[3];
        if (tub_backend_at(i)->supports(TUB_F32, NULL) != TUB_OK)
            continue; // needs a device: CTest sets the fake one
        for (int k = 0; k < 3; k++)
            e[k] = open_encoder(tub_backend_at(i)->name, (tub_positions)k, false);
        run(e[0], NULL, expected[0]);
        run(e[1], NULL, expected[1]);
        assert_memory_not_equal(expected[0], expected[1], sizeof rows);
        run(e[2], index, rows);
        assert_memory_equal(rows, expected[0], sizeof rows);
        run(e[2], spread, rows);
        assert_memory_equal(rows, expected[1], sizeof rows);
        run(e[2], mixed, rows);
        assert_memory_equal(rows, expected[0], DIM * sizeof *rows);
        assert_memory_equal(rows + DIM, expected[1] + DIM, DIM * sizeof *rows);
        for (int k = 0; k < 3; k++)
            tub_encoder_close(&e[k]);
    }
}

static void takes_an_item_for_a_video(void **state)
{
    (void)state;
    int whole[ITEMS * FRAMES];
    for (int i = 0; i < ITEMS * FRAMES; i++)
        whole[i] = tub_position_in_video(i % FRAMES, FRAMES);
    float rows[ITEMS * DIM], expected[ITEMS * DIM];
    tub_encoder *e = open_encoder("reference", TUB_POSITIONS_VIDEO, false);
    run(e, whole, expected);
    run(e, NULL, rows);
    assert_memory_equal(rows, expected, sizeof rows);
    whole[3] = 64;
    assert_int_equal(tub_encoder_run_at(e, frames, whole, ITEMS, rows, NULL, NULL), TUB_ERROR_ARGUMENT);
    tub_encoder_close(&e);
    e = open_encoder("reference", TUB_POSITIONS_INDEX, false);
    assert_int_equal(tub_encoder_run_at(e, frames, whole, ITEMS, rows, NULL, NULL), TUB_ERROR_ARGUMENT);
    tub_encoder_close(&e);
}

// Like torch's round(i.float() / max(n - 1, 1) * 63).
static void knows_places_in_a_video(void **state)
{
    (void)state;
    static const struct {
        int64_t frame, frames;
        int position;
    } rows[] = {{0, 1, 0},     {0, 2, 0},    {1, 2, 63},   {1, 3, 32},     {1, 127, 0},    {3, 127, 2},
                {5, 127, 2},   {9, 10, 63},  {4, 10, 28},  {279, 280, 63}, {140, 280, 32}, {100, 280, 23},
                {1, 12601, 0}, {63, 64, 63}, {31, 64, 31}, {100, 64, 63}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(tub_position_in_video(rows[i].frame, rows[i].frames), rows[i].position);
}

static void makes_rows_of_length_one(void **state)
{
    (void)state;
    float plain[ITEMS * DIM], unit[ITEMS * DIM];
    tub_encoder *e = open_encoder("reference", TUB_POSITIONS_INDEX, false);
    run(e, NULL, plain);
    tub_encoder_close(&e);
    e = open_encoder("reference", TUB_POSITIONS_INDEX, true);
    assert_true(tub_encoder_get_info(e)->l2_normalize);
    run(e, NULL, unit);
    tub_encoder_close(&e);
    for (int i = 0; i < ITEMS; i++) {
        double sum = 0;
        for (int k = 0; k < DIM; k++)
            sum += (double)plain[i * DIM + k] * plain[i * DIM + k];
        for (int k = 0; k < DIM; k++)
            assert_true(fabs(unit[i * DIM + k] - plain[i * DIM + k] / sqrt(sum)) < 1e-7);
    }
    float zero[3] = {0};
    tub_make_unit(zero, 3);
    assert_true(zero[0] == 0 && zero[1] == 0 && zero[2] == 0);
}

// For a frame model, the clip's mean has length 1, not the frames' rows.
static void means_have_length_one(void **state)
{
    (void)state;
    tub_encoder *e = NULL;
    tub_encoder_params params = {.size = sizeof params,
                                 .model = test_path(folder, "vit"),
                                 .backend = "reference",
                                 .l2_normalize = true,
                                 .threads = 1};
    assert_int_equal(tub_encoder_open(&params, &e, NULL), TUB_OK);
    float feature[ITEMS * DIM], row[FRAMES * DIM], mean[DIM] = {0};
    assert_int_equal(tub_encoder_embed(e, pixels[0], ITEMS, FRAMES, SIDE, SIDE, feature, NULL, NULL, NULL), TUB_OK);
    for (int f = 0; f < FRAMES; f++) {
        assert_int_equal(tub_encoder_embed(e, pixels[f], 1, 1, SIDE, SIDE, row, NULL, NULL, NULL), TUB_OK);
        for (int k = 0; k < DIM; k++)
            mean[k] += row[k];
    }
    tub_make_unit(mean, DIM);
    double sum = 0, difference = 0;
    for (int k = 0; k < DIM; k++) {
        sum += (double)feature[k] * feature[k];
        difference = fmax(difference, fabs(feature[k] - mean[k]));
    }
    assert_true(fabs(sum - 1) < 1e-6);
    // If each frame were normalized, the mean would differ.
    assert_true(difference > 1e-5 && difference < 0.5);
    tub_encoder_close(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_choose_the_angles), cmocka_unit_test(takes_an_item_for_a_video),
        cmocka_unit_test(knows_places_in_a_video),     cmocka_unit_test(makes_rows_of_length_one),
        cmocka_unit_test(means_have_length_one),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
