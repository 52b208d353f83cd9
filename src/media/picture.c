#include "picture.h"

// libswscale's own rounding: from units of 2^-16 to 16 bits in units of 2^-13 or, for offsets, 1/8.
static int rounded(int64_t units, int factor)
{
    int64_t value = (units * factor + (1 << 15)) >> 16;
    return (int)(value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value);
}

// Full-range chroma spans 255 levels instead of 224, limited-range luma 219 instead of 255.
static int chroma(int64_t coefficient, bool full)
{
    return rounded(full ? coefficient * 224 / 255 : coefficient, 1 << 13);
}

tub_frame_planes tub_picture_planes(const tub_picture *picture, int width, int height)
{
    static const tub_planes_kind kinds[] = {
        [TUB_PICTURE_RGB] = TUB_PLANES_RGB, [TUB_PICTURE_HALF] = TUB_PLANES_HALF, [TUB_PICTURE_FULL] = TUB_PLANES_FULL};
    tub_frame_planes out = {.kind = kinds[picture->kind],
                            .chroma_shift = picture->chroma_shift,
                            .bits = 8,
                            .width = width,
                            .height = height,
                            .matrix = picture->matrix};
    for (int i = 0; i < 3; i++) {
        out.planes[i] = picture->planes[i];
        out.pitches[i] = picture->pitches[i];
    }
    return out;
}

tub_matrix tub_matrix_make(const int coefficients[4], bool full)
{
    const int64_t one = 1 << 16;
    return (tub_matrix){
        .luma_offset = full ? 0 : rounded(16 * one, 8),
        .luma = rounded(full ? one : one * 255 / 219, 1 << 13),
        .v_red = chroma(coefficients[0], full),
        .u_blue = chroma(coefficients[1], full),
        .u_green = chroma(-(int64_t)coefficients[2], full),
        .v_green = chroma(-(int64_t)coefficients[3], full),
    };
}

tub_steps tub_steps_make(const int coefficients[4], bool full)
{
    const int64_t scale = full ? 1 << 16 : (255 << 16) / 219;
    const int signs[4] = {1, 1, -1, -1};
    int steps[4];
    for (int i = 0; i < 4; i++) {
        const int64_t c = full ? signs[i] * (int64_t)coefficients[i] * 224 / 255 : signs[i] * (int64_t)coefficients[i];
        steps[i] = (int)((c * (1 << 16) + (1 << 15)) / scale);
    }
    const int none = full ? 384 : 326;
    return (tub_steps){
        .scale = (int)scale,
        .black = (384 << 16) + (full ? 0 : 16 << 16),
        .red = none - (steps[0] >> 9),
        .green = none - (steps[2] >> 9) - (steps[3] >> 9),
        .blue = none - (steps[1] >> 9),
        .v_red = steps[0],
        .u_blue = steps[1],
        .u_green = steps[2],
        .v_green = steps[3],
    };
}
