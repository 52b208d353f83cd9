// The arithmetic of single pixels, for the processor's kernels (src/media) and for a GPU's (src/backends/cuda), for
// which nvcc compiles it, too.
//
// From YUV to RGB it is bit-equal to libswscale on x86-64 with the ffmpeg command's flags. With 8 bits, pictures whose
// chroma has half the columns use 16-bit products, and 4:4:4 pictures 32-bit products. With more bits, 4:2:0 goes
// through 8 bits.
#ifndef TUB_PIXEL_ARITHMETIC_H
#define TUB_PIXEL_ARITHMETIC_H

#include <stdint.h>

#ifdef __CUDACC__
#define TUB_PIXEL_FUNCTION static __host__ __device__ __forceinline__
#else
#define TUB_PIXEL_FUNCTION static inline
#endif

// Coefficients in units of 2^-13. The offset is the luma of black, times 8.
typedef struct tub_matrix {
    int luma_offset, luma;
    int v_red, v_green, u_green, u_blue;
} tub_matrix;

TUB_PIXEL_FUNCTION uint8_t tub_clip_u8(int32_t sum, int precision)
{
    int32_t v = sum >> precision;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

TUB_PIXEL_FUNCTION void tub_rgb_half_one(const tub_matrix *m, int y, int u, int v, uint8_t *rgb)
{
    int luma = ((8 * y - m->luma_offset) * m->luma) >> 16, blue = 8 * u - 1024, red = 8 * v - 1024;
    rgb[0] = tub_clip_u8(luma + ((red * m->v_red) >> 16), 0);
    rgb[1] = tub_clip_u8(luma + ((blue * m->u_green) >> 16) + ((red * m->v_green) >> 16), 0);
    rgb[2] = tub_clip_u8(luma + ((blue * m->u_blue) >> 16), 0);
}

// The sums wrap around for bright pixels with strong colors, as libswscale's do.
TUB_PIXEL_FUNCTION void tub_rgb_full_one(const tub_matrix *m, int y, int u, int v, uint8_t *rgb)
{
    uint32_t luma = (uint32_t)(64 * (8 * y - m->luma_offset) * m->luma + (1 << 21));
    uint32_t blue = (uint32_t)(512 * (u - 128)), red = (uint32_t)(512 * (v - 128));
    rgb[0] = tub_clip_u8((int32_t)(luma + red * (uint32_t)m->v_red), 22);
    rgb[1] = tub_clip_u8((int32_t)(luma + blue * (uint32_t)m->u_green + red * (uint32_t)m->v_green), 22);
    rgb[2] = tub_clip_u8((int32_t)(luma + blue * (uint32_t)m->u_blue), 22);
}

// ---- more than 8 bits ----

// Luma is a number of steps, to which chroma adds some; the sum is scaled and clipped to 8 bits.
typedef struct tub_steps {
    int scale, black;                    // value of a step, and what is subtracted, in units of 2^-16
    int red, green, blue;                // steps with zero luma and chroma
    int v_red, v_green, u_green, u_blue; // steps in units of 2^-16
} tub_steps;

// The rows of chroma that make a row of the picture: returns the first of four (for rows outside, the outermost row
// counts), and their weights in units of 2^-12. libswscale leaves out a row that lies two above the first.
TUB_PIXEL_FUNCTION int tub_deep_rows(int y, int *weights)
{
    const int far = y == 0 || y == 2 ? 0 : -115, near = y == 0 ? 0 : y == 2 ? 959 : 985;
    const int here = y == 0 ? 4432 : y == 2 ? 3473 : 3572, next = y == 0 || y == 2 ? -336 : -346;
    weights[0] = y % 2 ? -346 : far;
    weights[1] = y % 2 ? 3572 : near;
    weights[2] = y % 2 ? 985 : here;
    weights[3] = y % 2 ? -115 : next;
    return y / 2 - (y % 2 ? 1 : 2);
}

TUB_PIXEL_FUNCTION int tub_deep_luma(int sample, int bits)
{
    return ((sample << (27 - bits)) + (1 << 18)) >> 19;
}

// `sum`: of weights times samples.
TUB_PIXEL_FUNCTION int tub_deep_chroma(int sum, int bits)
{
    const int v = (sum * (1 << (15 - bits)) + (1 << 18)) >> 19;
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

TUB_PIXEL_FUNCTION void tub_rgb_steps_one(const tub_steps *m, int y, int u, int v, uint8_t *rgb)
{
    const int red = y + m->red + ((v * m->v_red) >> 16), blue = y + m->blue + ((u * m->u_blue) >> 16);
    const int green = y + m->green + ((u * m->u_green) >> 16) + ((v * m->v_green) >> 16);
    rgb[0] = tub_clip_u8(red * m->scale - m->black + (1 << 15), 16);
    rgb[1] = tub_clip_u8(green * m->scale - m->black + (1 << 15), 16);
    rgb[2] = tub_clip_u8(blue * m->scale - m->black + (1 << 15), 16);
}

#endif
