// The arithmetic of single pixels, for the processor's kernels (src/media) and for a GPU's (src/backends/cuda):
// compiled by nvcc for the device too.
//
// From YUV to RGB it is libswscale's, to the bit, as it converts on x86-64 at the flags that the ffmpeg command has:
// pictures whose chroma has half the columns in products of 16 bits, 4:4:4 ones in 32.
#ifndef TUB_PIXEL_ARITHMETIC_H
#define TUB_PIXEL_ARITHMETIC_H

#include <stdint.h>

#ifdef __CUDACC__
#define TUB_PIXEL_FUNCTION static __host__ __device__ __forceinline__
#else
#define TUB_PIXEL_FUNCTION static inline
#endif

// In units of 2^-13; the offset is what black is in luma, times 8.
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

// The sums wrap around where bright pixels are strongly coloured: libswscale's do.
TUB_PIXEL_FUNCTION void tub_rgb_full_one(const tub_matrix *m, int y, int u, int v, uint8_t *rgb)
{
    uint32_t luma = (uint32_t)(64 * (8 * y - m->luma_offset) * m->luma + (1 << 21));
    uint32_t blue = (uint32_t)(512 * (u - 128)), red = (uint32_t)(512 * (v - 128));
    rgb[0] = tub_clip_u8((int32_t)(luma + red * (uint32_t)m->v_red), 22);
    rgb[1] = tub_clip_u8((int32_t)(luma + blue * (uint32_t)m->u_green + red * (uint32_t)m->v_green), 22);
    rgb[2] = tub_clip_u8((int32_t)(luma + blue * (uint32_t)m->u_blue), 22);
}

#endif
