// A frame in NV12, resized in the float domain, to patches. Each pixel of the result depends on two rows and two
// columns.
//
// A thread has a few pixels of the result one below the other, so that what their column needs is looked up only once;
// a warp has adjacent columns. Levels are computed instead of looked up, and quotients are computed from an inverse;
// both are exact (frame_recipe.h).
#include "gpu_frame_pairs.h"

#include "gpu_frame_device.h"
#include "gpu_start.h"

namespace
{

enum { LANES = 32, MOST_THREADS = 256, ROWS = 4 };

// A column of the result: its place in its patch, and the parts of a frame's row that it is computed from.
struct column {
    int at; // in a row of patches
    bool kept;
    int luma, pairs[2]; // bytes from the beginning of a row
    float weights[2];
};

struct sums {
    float red, green, blue;
};

__device__ __forceinline__ column column_of(const tub_gpu_pixels &t, int x, int patch)
{
    const tub_frame_recipe &r = t.recipe;
    const int across = x - r.across.pad;
    column c = {};
    c.at = (patch * 3 * t.form.ky - patch) * t.form.kx + x;
    c.kept = across >= 0 && across < r.across.kept;
    if (!c.kept)
        return c;
    c.luma = tub_gpu_integers(&t, r.across.first)[across];
    c.pairs[0] = c.luma / 2 * 2;
    c.pairs[1] = (c.luma + 1) / 2 * 2;
    c.weights[0] = tub_gpu_floats(&t, r.across.weights)[2 * across];
    c.weights[1] = tub_gpu_floats(&t, r.across.weights)[2 * across + 1];
    return c;
}

// U and V for both pixels.
__device__ __forceinline__ uint32_t chroma_of(const uint8_t *row, const column &c)
{
    return *(const uint16_t *)(row + c.pairs[0]) | (uint32_t) * (const uint16_t *)(row + c.pairs[1]) << 16;
}

__device__ __forceinline__ uint32_t luma_of(const uint8_t *row, const column &c)
{
    return row[c.luma] | (uint32_t)row[c.luma + 1] << 16;
}

// The level of half I of a word. A float made of 2^23 and a byte has the byte as its lowest bits.
template <int I> __device__ __forceinline__ float level_of(const tub_frame_recipe &r, uint32_t both)
{
    const uint32_t bits = __dp4a(both, 1u << 16 * I, 0x4b000000u);
    float x;
    memcpy(&x, &bits, sizeof x);
    x -= 8388608.0f;
    return fmaf(x, r.high, x * r.low) + r.offset;
}

__device__ __forceinline__ float across_of(const tub_frame_recipe &r, const column &c, uint32_t both)
{
    return fmaf(c.weights[0], level_of<0>(r, both), 0.0f) + c.weights[1] * level_of<1>(r, both);
}

__device__ __forceinline__ sums pass_across(const tub_gpu_pixels &t, const column &c, uint32_t luma,
                                            const tub_gpu_two &colour)
{
    const tub_gpu_two both = tub_gpu_two_of<0>(t.frame.matrix, luma, colour);
    return {across_of(t.recipe, c, both.red), across_of(t.recipe, c, both.green), across_of(t.recipe, c, both.blue)};
}

__device__ __forceinline__ float finished(const tub_frame_recipe &r, int c, float sum)
{
    const float x = sum - r.mean[c];
    float q = x * r.inverse[c];
    q = fmaf(fmaf(-q, r.std[c], x), r.inverse[c], q);
    return fmaf(fmaf(-q, r.std[c], x), r.inverse[c], q);
}

// A pixel of the result, blended from rows `top` and `top` + 1 of the frame.
__device__ __forceinline__ sums blend(const tub_gpu_pixels &t, const column &c, int top, const float weights[2])
{
    const tub_frame_recipe &r = t.recipe;
    const tub_gpu_surface &from = t.surfaces[blockIdx.z];
    const int luma_pitch = (int)t.frame.pitches[0], chroma_pitch = (int)t.frame.pitches[1];
    const uint8_t *luma = from.planes[0] + top * luma_pitch, *chroma = from.planes[1] + top / 2 * chroma_pitch;
    const uint32_t upper = luma_of(luma, c), lower = luma_of(luma + luma_pitch, c);
    const uint32_t first = chroma_of(chroma, c), second = top % 2 ? chroma_of(chroma + chroma_pitch, c) : 0;
    tub_gpu_two colour = tub_gpu_colours(t.frame.matrix, first);
    const sums a = pass_across(t, c, upper, colour);
    if (top % 2)
        colour = tub_gpu_colours(t.frame.matrix, second);
    const sums b = pass_across(t, c, lower, colour);
    return {finished(r, 0, weights[0] * a.red + weights[1] * b.red),
            finished(r, 1, weights[0] * a.green + weights[1] * b.green),
            finished(r, 2, weights[0] * a.blue + weights[1] * b.blue)};
}

template <tub_gpu_type TYPE> __device__ __forceinline__ void write(void *to, int channel, const sums &values)
{
    enum { BYTES = TYPE == TUB_GPU_F32 ? 4 : 2 };
    unsigned char *at = (unsigned char *)to;
    tub_gpu_store(at, 0, TYPE, values.red);
    tub_gpu_store(at + channel * BYTES, 0, TYPE, values.green);
    tub_gpu_store(at + 2 * channel * BYTES, 0, TYPE, values.blue);
}

template <tub_gpu_type TYPE>
__global__ void __launch_bounds__(MOST_THREADS)
    pairs_kernel(const __grid_constant__ tub_gpu_pixels t, const tub_gpu_patched n)
{
    enum { BYTES = TYPE == TUB_GPU_F32 ? 4 : 2 };
    const tub_frame_recipe &r = t.recipe;
    const int x = (int)(blockIdx.x * blockDim.x + threadIdx.x), patch = tub_gpu_quotient(x, n.by_kx);
    const int first = (int)blockIdx.y * ROWS, channel = t.form.ky * t.form.kx;
    if (patch >= n.across)
        return;
    const column c = column_of(t, x, patch);
    unsigned char *out = (unsigned char *)t.surfaces[blockIdx.z].out + (int64_t)c.at * BYTES;
    for (int y = first; y < first + ROWS && y < n.down * t.form.ky; y++) {
        const int down = y - r.down.pad, row = tub_gpu_quotient(y, n.by_ky);
        const int line = (row * n.across * 3 * t.form.ky + y - row * t.form.ky) * t.form.kx;
        sums values = {r.zero[0], r.zero[1], r.zero[2]};
        if (c.kept && down >= 0 && down < r.down.kept) {
            const float *weights = tub_gpu_floats(&t, r.down.weights) + 2 * down;
            values = blend(t, c, tub_gpu_integers(&t, r.down.first)[down], weights);
        }
        write<TYPE>(out + (int64_t)line * BYTES, channel, values);
    }
}

template <tub_gpu_type TYPE> cudaError_t launch(const tub_gpu_pixels *t, cudaStream_t stream)
{
    const tub_gpu_patched n = tub_gpu_patched_of(*t);
    const int width = n.across * t->form.kx, height = n.down * t->form.ky;
    const int blocks = (width + MOST_THREADS - 1) / MOST_THREADS, columns = (width + blocks - 1) / blocks;
    const dim3 grid((unsigned)blocks, (unsigned)(height + ROWS - 1) / ROWS, (unsigned)t->count);
    return tub_gpu_start(pairs_kernel<TYPE>, grid, (columns + LANES - 1) / LANES * LANES, 0, stream, *t, n);
}

} // namespace

cudaError_t tub_cuda_launch_frame_pairs(const tub_gpu_pixels *t, cudaStream_t stream)
{
    return t->form.type == TUB_GPU_F32   ? launch<TUB_GPU_F32>(t, stream)
           : t->form.type == TUB_GPU_F16 ? launch<TUB_GPU_F16>(t, stream)
                                         : launch<TUB_GPU_BF16>(t, stream);
}
