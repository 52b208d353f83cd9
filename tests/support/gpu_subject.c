#include "gpu_subject.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_gpu_backend.h"
#include "temp_folder.h"

unsigned gpu_subject_without;
uint64_t gpu_subject_group;
bool gpu_subject_joins;

static void note(void *user, int level, const char *text)
{
    gpu_subject *s = user;
    s->warned += level == 0;
    s->informed += level == 1;
    snprintf(s->last, sizeof s->last, "%s", text);
}

static tub_tensor tensor(const float *data, int rows, int cols)
{
    tub_tensor t = {.name = "t", .dtype = TUB_F32, .rank = 2, .dims = {rows, cols}, .data = data};
    return t;
}

static tub_value rotated(const gpu_subject *s, tub_value qkv)
{
    const int rows = s->program->values[qkv].rows;
    return tub_rotate(s->program, "rotation", qkv, tensor(s->weights, rows, COLS / HEADS),
                      tensor(s->weights + COLS, rows, COLS / HEADS), HEADS, COLS / HEADS, 2, 0, TUB_PAIR_HALVES);
}

static tub_value activated(const gpu_subject *s, tub_value x, tub_tensor ones)
{
    tub_program *p = s->program;
    tub_value y = tub_norm_rows(p, "norm 2", x, TUB_NORM_LAYER, ones, tub_no_tensor(), 1e-6, TUB_NARROW);
    const tub_tensor bias = {.name = "b", .dtype = TUB_F32, .rank = 1, .dims = {2 * COLS}, .data = s->weights};
    y = tub_linear(p, "up", y, tensor(s->weights, 2 * COLS, COLS), bias, TUB_ACT_GELU, TUB_NARROW);
    return tub_linear_residual(p, "down", y, tensor(s->weights, COLS, 2 * COLS), tub_no_tensor(), tub_no_tensor(), x);
}

void gpu_subject_build(gpu_subject *s, float big)
{
    tub_error err = {0};
    tub_input input = {.frames = FRAMES, .height = HEIGHT, .width = WIDTH};
    for (int i = 0; i < 3 * 256; i++)
        input.table[i / 256][i % 256] = (float)(i % 256) / 128 - 1;
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < sizeof s->weights / sizeof *s->weights; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        s->weights[i] = ((float)(state >> 40) / (1 << 23) - 1) / 4;
    }
    for (int i = 0; i < 3 * COLS; i++)
        s->ones[i] = big;
    unsigned char *pixel = &s->pixels[0][0];
    for (size_t i = 0; i < sizeof s->pixels; i++)
        pixel[i] = (unsigned char)(state >> (i % 50)) ^ (unsigned char)(i * 2654435761u >> 13);
    // Overlaps as windows do: clip i has frames i .. i + FRAMES - 1.
    for (int i = 0; i < ITEMS * FRAMES; i++)
        s->frames[i] = s->pixels[i / FRAMES + i % FRAMES];
    assert_int_equal(tub_program_begin(&input, &s->program, &err), TUB_OK);
    tub_program *p = s->program;
    tub_value x = tub_patches(p, "patches", 2, 4, 4);
    x = tub_linear(p, "embed", x, tensor(s->weights, COLS, 96), tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    const tub_tensor ones = {.name = "o", .dtype = TUB_F32, .rank = 1, .dims = {COLS}, .data = s->ones};
    tub_value y = tub_norm_rows(p, "norm", x, TUB_NORM_LAYER, ones, tub_no_tensor(), 1e-6, TUB_NARROW);
    y = tub_linear(p, "qkv", y, tensor(s->weights, 3 * COLS, COLS), tub_no_tensor(), TUB_ACT_NONE, TUB_NARROW);
    y = gpu_subject_joins ? rotated(s, y) : y;
    y = tub_attention(p, "attention", y, HEADS, COLS / HEADS, 0.3);
    x = tub_linear_residual(p, "out", y, tensor(s->weights, COLS, COLS), tub_no_tensor(), tub_no_tensor(), x);
    x = gpu_subject_joins ? activated(s, x, ones) : x;
    assert_int_equal(tub_program_end(p, tub_mean(p, "mean", x), x, &err), TUB_OK);
}

tub_status gpu_subject_open(gpu_subject *s, tub_dtype dtype, int items, size_t memory, tub_error *err)
{
    const tub_open_params opened = {
        .memory = memory, .without = gpu_subject_without, .log = {note, s}, .group = gpu_subject_group};
    const tub_compile_params compiled = {.dtype = dtype, .max_items = items, .tokens = true};
    assert_int_equal(fake_gpu_backend.open(&opened, &s->backend, err), TUB_OK);
    return fake_gpu_backend.compile(s->backend, s->program, &compiled, &s->executable, err);
}

gpu_subject *gpu_subject_start(tub_dtype dtype, int items, size_t memory)
{
    gpu_subject *s = calloc(1, sizeof *s);
    tub_error err = {0};
    gpu_subject_build(s, 1);
    if (gpu_subject_open(s, dtype, items, memory, &err) != TUB_OK)
        fail_msg("%s", err.text);
    return s;
}

tub_status gpu_subject_run(gpu_subject *s, int first, int items, tub_error *err)
{
    const tub_batch batch = {.items = items, .frames = s->frames + first * FRAMES, .rows = s->rows + first * COLS};
    return fake_gpu_backend.run(s->executable, &batch, err);
}

void gpu_subject_run_all(gpu_subject *s, int batch)
{
    tub_error err = {0};
    for (int first = 0; first < ITEMS; first += batch)
        if (gpu_subject_run(s, first, ITEMS - first < batch ? ITEMS - first : batch, &err) != TUB_OK)
            fail_msg("%s", err.text);
}

void gpu_subject_stop(gpu_subject *s)
{
    fake_gpu_backend.release(&s->executable);
    fake_gpu_backend.close(&s->backend);
    tub_program_free(&s->program);
    free(s);
    const fake_gpu_counts *c = &fake_gpu_counted[0];
    assert_int_equal(c->blocks, 0);
    assert_int_equal(c->bytes, 0);
    assert_int_equal(c->host_blocks, 0);
    assert_int_equal(c->plans, 0);
    assert_int_equal(c->graphs, 0);
}

void gpu_subject_wanted_rows(float *out)
{
    gpu_subject *s = gpu_subject_start(TUB_F32, ITEMS, 0);
    gpu_subject_run_all(s, ITEMS);
    memcpy(out, s->rows, sizeof s->rows);
    gpu_subject_stop(s);
    fake_gpu_reset();
}

int gpu_subject_enter(void **state)
{
    fake_gpu_reset();
    gpu_subject_without = 0;
    gpu_subject_group = 0;
    gpu_subject_joins = false;
    *state = test_folder_make();
    setenv("XDG_CACHE_HOME", *state, 1);
    return 0;
}

int gpu_subject_leave(void **state)
{
    test_folder_remove(*state);
    unsetenv("XDG_CACHE_HOME");
    return 0;
}
