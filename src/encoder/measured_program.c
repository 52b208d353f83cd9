#include "measured_program.h"

#include "fail.h"

enum { SIDE = 224, PATCH = 16, WIDTH = 384, HEADS = 6, LENGTH = 64, HIDDEN = 1536 };

// Random values between -1 and 1, times `spread`, plus `middle` (for the weights of norms). Data NULL: out of memory.
static tub_tensor random_tensor(tub_arena *arena, uint32_t *state, int n, int k, float middle, float spread)
{
    tub_tensor t = {.name = "measured", .dtype = TUB_F32, .rank = k ? 2 : 1, .dims = {n, k}};
    const size_t count = (size_t)n * (size_t)(k ? k : 1);
    float *data = tub_arena_alloc(arena, count, sizeof *data);
    for (size_t i = 0; data && i < count; i++) {
        *state = *state * 1664525u + 1013904223u;
        data[i] = middle + spread * ((float)(int32_t)*state / 2147483648.0f);
    }
    t.data = data;
    return t;
}

tub_status tub_measured_program(tub_arena *arena, tub_program **out, tub_error *err)
{
    static const int shapes[][2] = {
        {WIDTH, 3 * PATCH * PATCH}, {3 * WIDTH, WIDTH}, {WIDTH, WIDTH}, {HIDDEN, WIDTH}, {WIDTH, HIDDEN}, {WIDTH, 0}};
    tub_tensor w[6];
    uint32_t state = 1;
    tub_program *p = NULL;
    tub_input input = {.frames = 1, .height = SIDE, .width = SIDE};
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 256; i++)
            input.table[c][i] = (float)i / 128.0f - 1.0f;
    for (int i = 0; i < 6; i++) {
        w[i] = random_tensor(arena, &state, shapes[i][0], shapes[i][1], i == 5 ? 1.0f : 0.0f, 0.05f);
        if (!w[i].data)
            return tub_fail_memory(err, "a program to measure with");
    }
    TUB_TRY(tub_program_begin(&input, &p, err));
    const tub_tensor none = tub_no_tensor();
    tub_value x =
        tub_linear(p, "embedding", tub_patches(p, "patches", 1, PATCH, PATCH), w[0], none, TUB_ACT_NONE, TUB_WIDE);
    tub_value y = tub_norm_rows(p, "norm", x, TUB_NORM_LAYER, w[5], w[5], 1e-6, TUB_NARROW);
    y = tub_linear(p, "qkv", y, w[1], none, TUB_ACT_NONE, TUB_NARROW);
    y = tub_attention(p, "attention", y, HEADS, LENGTH, 0.125);
    x = tub_linear_residual(p, "projection", y, w[2], none, none, x);
    y = tub_norm_rows(p, "norm", x, TUB_NORM_LAYER, w[5], w[5], 1e-6, TUB_NARROW);
    y = tub_linear(p, "up", y, w[3], none, TUB_ACT_GELU, TUB_NARROW);
    x = tub_linear_residual(p, "down", y, w[4], none, none, x);
    const tub_status status = tub_program_end(p, tub_mean(p, "mean", x), x, err);
    if (status != TUB_OK)
        tub_program_free(&p);
    *out = p;
    return status;
}
