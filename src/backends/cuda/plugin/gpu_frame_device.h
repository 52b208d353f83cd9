// Device code that the frame kernels share.
#ifndef TUB_GPU_FRAME_DEVICE_H
#define TUB_GPU_FRAME_DEVICE_H

#include "gpu_frame_bodies.h"

// ---- conversion of two pixels at once, each in half a word ----

struct tub_gpu_two {
    uint32_t red, green, blue;
};

// The upper halves of two numbers in one word.
__device__ __forceinline__ uint32_t tub_gpu_uppers(int low, int high)
{
    return __byte_perm((uint32_t)low, (uint32_t)high, 0x7632);
}

// A byte times 8, minus `offset`: computed as a product, since the units for bit operations are busy enough.
template <int I> __device__ __forceinline__ int tub_gpu_byte_of(uint32_t word, int offset)
{
    return (int)__dp4a(word, 8u << 8 * I, (uint32_t)-offset);
}

__device__ __forceinline__ int tub_gpu_green_of(const tub_matrix &m, int blue, int red)
{
    return (int)((uint32_t)(blue * m.u_green) & 0xffff0000u) + red * m.v_green;
}

// What chroma adds to a pixel of each of two pairs.
__device__ __forceinline__ tub_gpu_two tub_gpu_colours(const tub_matrix &m, uint32_t chroma)
{
    const int blue[2] = {tub_gpu_byte_of<0>(chroma, 1024), tub_gpu_byte_of<2>(chroma, 1024)};
    const int red[2] = {tub_gpu_byte_of<1>(chroma, 1024), tub_gpu_byte_of<3>(chroma, 1024)};
    return {tub_gpu_uppers(red[0] * m.v_red, red[1] * m.v_red),
            tub_gpu_uppers(tub_gpu_green_of(m, blue[0], red[0]), tub_gpu_green_of(m, blue[1], red[1])),
            tub_gpu_uppers(blue[0] * m.u_blue, blue[1] * m.u_blue)};
}

// Pixels I and I + 2 of four; the first is in the lowest byte.
template <int I>
__device__ __forceinline__ tub_gpu_two tub_gpu_two_of(const tub_matrix &m, uint32_t luma, const tub_gpu_two &colour)
{
    const uint32_t most = 0x00ff00ffu;
    const uint32_t both = tub_gpu_uppers(tub_gpu_byte_of<I>(luma, m.luma_offset) * m.luma,
                                         tub_gpu_byte_of<I + 2>(luma, m.luma_offset) * m.luma);
    return {__viaddmin_s16x2_relu(both, colour.red, most), __viaddmin_s16x2_relu(both, colour.green, most),
            __viaddmin_s16x2_relu(both, colour.blue, most)};
}

// ---- patches ----

// How many patches there are, and the reciprocals of their sizes; computed on the host.
struct tub_gpu_patched {
    int across, down;
    float by_kx, by_ky;
};

// Both below 2^21.
__device__ __forceinline__ int tub_gpu_quotient(int number, float by)
{
    return (int)(((float)number + 0.5f) * by);
}

inline tub_gpu_patched tub_gpu_patched_of(const tub_gpu_pixels &t)
{
    const tub_gpu_form &f = t.form;
    return {t.recipe.out_width / f.kx, t.recipe.out_height / f.ky, 1.0f / (float)f.kx, 1.0f / (float)f.ky};
}

#endif
