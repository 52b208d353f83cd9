// A frame in NV12, resized in 8 bits, to patches, on tensor cores.
//
// A block has a tile of the result: strips of 8 columns, one per warp, by bands of 16 rows. The frame's rows that it
// needs are processed in chunks of 16. They are copied to shared memory, two rows of luma with their row of chroma,
// while the previous chunk is processed. They are converted once to pixels, four in a word. Then follows the horizontal
// pass, in which each warp computes the columns of its strip. Both passes are products of bytes with sums in 32 bits.
// Each byte of a weight, from the lowest on, is a factor of its own; the sums of these products are combined exactly at
// the end. So the results have the same bytes as sums computed one by one. A result outside of the picture has no
// weights, and gets the same value as black.
#include "gpu_frame_cores.h"

#include "gpu_frame_device.h"
#include "gpu_start.h"
#include "gpu_tensor.h"

namespace
{

enum {
    LANES = 32,
    MOST_THREADS = 8 * LANES,
    PAIRS = TUB_GPU_CHUNK_PAIRS,
    CHUNK = 2 * PAIRS,
    STEP = 32, // inputs of a product
    WIDE = 8,  // samples that are loaded at once
    WITHOUT_ASKING = 48 << 10,
};

// A block's part of the result, and the part of the frame that it needs.
struct tile {
    int frame, x, band; // first column, and band
    int left, columns;  // multiples of WIDE
    int top, height;
    tub_gpu_cores_places at;
};

// Goes through a thread's units; a row has `width` of them, and rows follow one another.
struct cursor {
    int row, at;
    int rows_on, at_on, width;

    __device__ cursor(unsigned number, unsigned threads, unsigned units)
        : row((int)(number / units)), at((int)(number % units)), rows_on((int)(threads / units)),
          at_on((int)(threads % units)), width((int)units)
    {
    }

    __device__ void next()
    {
        row += rows_on;
        at += at_on;
        if (at >= width) {
            at -= width;
            row++;
        }
    }
};

__device__ __forceinline__ int least(int a, int b)
{
    return a < b ? a : b;
}

__device__ __forceinline__ tile tile_of(const tub_gpu_pixels &t)
{
    const tub_gpu_cores &c = t.cores;
    const int32_t *lefts = tub_gpu_integers(&t, c.lefts) + blockIdx.x * c.warps;
    const int32_t *tops = tub_gpu_integers(&t, c.tops) + 2 * blockIdx.y * c.bands;
    tile out;
    out.frame = (int)blockIdx.z;
    out.x = (int)blockIdx.x * c.warps * TUB_GPU_STRIP;
    out.band = (int)blockIdx.y * c.bands;
    out.left = lefts[0];
    out.columns =
        least(lefts[c.warps - 1] + c.steps_across * STEP, (t.recipe.in_width + WIDE - 1) / WIDE * WIDE) - out.left;
    out.top = tops[0];
    out.height = tops[2 * c.bands - 1] - out.top;
    out.at = tub_gpu_cores_shared(&c);
    return out;
}

// ---- a chunk of the frame ----

// Eight samples of each of two rows of luma, and the chroma for them.
struct samples {
    uint2 upper, lower, chroma;
};

// Unit `at` of pair of rows `pair`, counted from the first rows that the tile needs.
__device__ __forceinline__ samples load_samples(const tub_gpu_pixels &t, const tile &w, int pair, int at)
{
    const int row = w.top / 2 + pair, x = w.left + at * WIDE;
    const int luma_pitch = (int)t.frame.pitches[0], chroma_pitch = (int)t.frame.pitches[1];
    const uint8_t *luma = t.surfaces[w.frame].planes[0] + (2 * row * luma_pitch + x);
    const uint8_t *chroma = t.surfaces[w.frame].planes[1] + (row * chroma_pitch + x);
    return {*(const uint2 *)luma, *(const uint2 *)(luma + luma_pitch), *(const uint2 *)chroma};
}

// ---- conversion ----

// Four pixels; a word per channel.
__device__ __forceinline__ void four_of(const tub_matrix &m, uint32_t luma, const tub_gpu_two &colour, uint32_t out[3])
{
    const tub_gpu_two even = tub_gpu_two_of<0>(m, luma, colour), odd = tub_gpu_two_of<1>(m, luma, colour);
    out[0] = even.red + odd.red * 256;
    out[1] = even.green + odd.green * 256;
    out[2] = __byte_perm(even.blue, odd.blue, 0x6240);
}

__device__ __forceinline__ void stage(const tub_gpu_pixels &t, const tile &w, const samples &from, const cursor &at,
                                      unsigned char *shared)
{
    const tub_matrix &m = t.frame.matrix;
    const tub_gpu_two left = tub_gpu_colours(m, from.chroma.x), right = tub_gpu_colours(m, from.chroma.y);
    const int channel = PAIRS * w.at.staged_pitch;
    unsigned char *to = shared + w.at.staged + at.row * w.at.staged_pitch + at.at * WIDE;
    TUB_GPU_UNROLL
    for (int lower = 0; lower < 2; lower++) {
        const uint2 luma = lower ? from.lower : from.upper;
        uint32_t a[3], b[3];
        four_of(m, luma.x, left, a);
        four_of(m, luma.y, right, b);
        TUB_GPU_UNROLL
        for (int c = 0; c < 3; c++)
            *(uint2 *)(to + (2 * c + lower) * channel) = uint2{a[c], b[c]};
    }
}

// The thread's part of a chunk. On entry, `now` has the chunk's first samples; on return, those of the next chunk, if
// there is one.
__device__ __forceinline__ void stage_chunk(const tub_gpu_pixels &t, const tile &w, int chunk, const cursor &units,
                                            samples &now, unsigned char *shared)
{
    const int first = chunk * PAIRS, left = (w.height + 1) / 2 - first, pairs = least(left, PAIRS);
    cursor at = units;
    while (at.row < pairs) {
        cursor after = at;
        after.next();
        const bool more = after.row < pairs;
        const int pair = more ? after.row : PAIRS + units.row;
        samples later = {};
        if (pair < left)
            later = load_samples(t, w, first + pair, more ? after.at : units.at);
        stage(t, w, now, at, shared);
        now = later;
        at = after;
    }
}

// ---- passes ----

template <int PLANES> __device__ __forceinline__ void begin_sums(int32_t sums[PLANES][4], int precision)
{
    TUB_GPU_UNROLL
    for (int j = 0; j < 4; j++) {
        sums[0][j] = 1 << (precision - 1);
        TUB_GPU_UNROLL
        for (int p = 1; p < PLANES; p++)
            sums[p][j] = 0;
    }
}

template <int PLANES> __device__ __forceinline__ int32_t end_sum(const int32_t sums[PLANES][4], int j, int precision)
{
    uint32_t sum = (uint32_t)sums[0][j];
    TUB_GPU_UNROLL
    for (int p = 1; p < PLANES; p++)
        sum += (uint32_t)sums[p][j] << 8 * p;
    return (int32_t)sum >> precision;
}

template <int PLANES, int STEPS> struct strip {
    uint32_t weights[STEPS][PLANES][2];
};

template <int PLANES, int STEPS>
__device__ __forceinline__ strip<PLANES, STEPS> load_strip(const tub_gpu_pixels &t, int number, int lane)
{
    const uint2 *from = (const uint2 *)(const void *)(t.recipe.tables + t.cores.across);
    strip<PLANES, STEPS> out;
    TUB_GPU_UNROLL
    for (int i = 0; i < STEPS * PLANES; i++) {
        const uint2 words = from[(number * STEPS * PLANES + i) * LANES + lane];
        out.weights[i / PLANES][i % PLANES][0] = words.x;
        out.weights[i / PLANES][i % PLANES][1] = words.y;
    }
    return out;
}

// Multiplies the rows of a chunk, in the order in which they are staged, for the strip's columns.
template <int PLANES, int STEPS>
__device__ __forceinline__ void pass_across(const tub_gpu_pixels &t, const tile &w, const strip<PLANES, STEPS> &s,
                                            int chunk, int left, unsigned char *shared)
{
    const int warp = (int)threadIdx.x / LANES, lane = (int)threadIdx.x % LANES, precision = t.recipe.across.precision;
    const int columns = t.cores.warps * TUB_GPU_STRIP, pitch = w.at.passed_pitch;
    const unsigned char *from = shared + w.at.staged + lane % 16 * w.at.staged_pitch + left + lane / 16 * 16;
    unsigned char *to =
        shared + w.at.passed + (warp * TUB_GPU_STRIP + lane % 4 * 2) * pitch + chunk * CHUNK + lane / 4 * 2;
    TUB_GPU_UNROLL
    for (int c = 0; c < 3; c++) {
        int32_t sums[PLANES][4];
        begin_sums<PLANES>(sums, precision);
        TUB_GPU_UNROLL
        for (int i = 0; i < STEPS; i++) {
            uint32_t rows[4];
            tub_gpu_load_matrices(rows, from + c * CHUNK * w.at.staged_pitch + i * STEP);
            TUB_GPU_UNROLL
            for (int p = 0; p < PLANES - 1; p++)
                tub_gpu_multiply_add_bytes<false, false>(sums[p], rows, s.weights[i][p]);
            tub_gpu_multiply_add_bytes<false, true>(sums[PLANES - 1], rows, s.weights[i][PLANES - 1]);
        }
        TUB_GPU_UNROLL
        for (int i = 0; i < 2; i++)
            *(uint16_t *)(to + (c * columns + i) * pitch) = (uint16_t)tub_gpu_pack_bytes(
                end_sum<PLANES>(sums, i, precision), end_sum<PLANES>(sums, 2 + i, precision));
    }
}

// Computes one band for the strip's columns.
template <int PLANES>
__device__ __forceinline__ void pass_down(const tub_gpu_pixels &t, const tile &w, int band, const unsigned char *shared,
                                          int32_t sums[3][PLANES][4])
{
    const int warp = (int)threadIdx.x / LANES, lane = (int)threadIdx.x % LANES, steps = t.cores.steps_down;
    const int columns = t.cores.warps * TUB_GPU_STRIP, pitch = w.at.passed_pitch;
    const int first = tub_gpu_integers(&t, t.cores.tops)[2 * (w.band + band)] - w.top;
    const uint4 *from =
        (const uint4 *)(const void *)(t.recipe.tables + t.cores.down) + (w.band + band) * steps * PLANES * LANES + lane;
    const unsigned char *passed =
        shared + w.at.passed + (warp * TUB_GPU_STRIP + lane / 4) * pitch + first + lane % 4 * 4;
    TUB_GPU_UNROLL
    for (int c = 0; c < 3; c++)
        begin_sums<PLANES>(sums[c], t.recipe.down.precision);
#pragma unroll 1
    for (int i = 0; i < steps; i++, from += PLANES * LANES, passed += STEP) {
        uint32_t weights[PLANES][4];
        TUB_GPU_UNROLL
        for (int p = 0; p < PLANES; p++) {
            const uint4 words = from[p * LANES];
            weights[p][0] = words.x;
            weights[p][1] = words.y;
            weights[p][2] = words.z;
            weights[p][3] = words.w;
        }
        TUB_GPU_UNROLL
        for (int c = 0; c < 3; c++) {
            const uint32_t rows[2] = {*(const uint32_t *)(passed + c * columns * pitch),
                                      *(const uint32_t *)(passed + c * columns * pitch + 16)};
            TUB_GPU_UNROLL
            for (int p = 0; p < PLANES - 1; p++)
                tub_gpu_multiply_add_bytes<false, false>(sums[c][p], weights[p], rows);
            tub_gpu_multiply_add_bytes<true, false>(sums[c][PLANES - 1], weights[PLANES - 1], rows);
        }
    }
}

// ---- results ----

// The values of levels in the patches' type, one per word; narrow ones are in the lower half.
__device__ __forceinline__ void fill_levels(const tub_gpu_pixels &t, uint32_t *levels)
{
    const tub_gpu_type type = t.form.type;
#pragma unroll 3
    for (int i = (int)threadIdx.x; i < 3 * 256; i += (int)blockDim.x) {
        uint32_t word = 0;
        tub_gpu_store(&word, 0, type, t.form.table[i]);
        levels[i] = word;
    }
}

// Where a lane's two columns begin. `both`: patches have an even number of columns, so the two are adjacent.
struct place {
    unsigned char *out;
    int patch[2], column[2]; // no patch: it is in none
    bool both;
};

__device__ __forceinline__ place place_of(const tub_gpu_pixels &t, const tub_gpu_patched &n, const tile &w)
{
    const int warp = (int)threadIdx.x / LANES, lane = (int)threadIdx.x % LANES;
    place p;
    p.out = (unsigned char *)t.surfaces[w.frame].out;
    TUB_GPU_UNROLL
    for (int i = 0; i < 2; i++) {
        const int x = w.x + warp * TUB_GPU_STRIP + lane % 4 * 2 + i, patch = tub_gpu_quotient(x, n.by_kx);
        p.patch[i] = patch < n.across ? patch : -1;
        p.column[i] = x - patch * t.form.kx;
    }
    p.both = t.form.kx % 2 == 0 && (uintptr_t)p.out % 8 == 0;
    return p;
}

template <typename T> __device__ __forceinline__ void write_channels(void *to, int channel, T red, T green, T blue)
{
    ((T *)to)[0] = red;
    *(T *)((unsigned char *)to + channel) = green;
    *(T *)((unsigned char *)to + 2 * channel) = blue;
}

// Writes two neighbors.
__device__ __forceinline__ void write_row(const tub_gpu_pixels &t, const tub_gpu_patched &n, const place &p, int y,
                                          const uint32_t values[3][2])
{
    const tub_gpu_form &f = t.form;
    const int row = tub_gpu_quotient(y, n.by_ky), channel = f.ky * f.kx, line = (y - row * f.ky) * f.kx;
    const int bytes = f.type == TUB_GPU_F32 ? 4 : 2;
    if (row >= n.down)
        return;
    TUB_GPU_UNROLL
    for (int i = 0; i < 2; i++) {
        const int64_t at = (int64_t)(row * n.across + p.patch[i]) * (3 * channel) + (line + p.column[i]);
        unsigned char *to = p.out + at * bytes;
        if (p.patch[i] < 0 || (p.both && i == 1))
            return;
        if (p.both && bytes == 2)
            write_channels(to, channel * 2, __byte_perm(values[0][0], values[0][1], 0x5410),
                           __byte_perm(values[1][0], values[1][1], 0x5410),
                           __byte_perm(values[2][0], values[2][1], 0x5410));
        else if (p.both)
            write_channels(to, channel * 4, uint2{values[0][0], values[0][1]}, uint2{values[1][0], values[1][1]},
                           uint2{values[2][0], values[2][1]});
        else if (bytes == 2)
            write_channels(to, channel * 2, (uint16_t)values[0][i], (uint16_t)values[1][i], (uint16_t)values[2][i]);
        else
            write_channels(to, channel * 4, values[0][i], values[1][i], values[2][i]);
    }
}

template <int PLANES>
__device__ __forceinline__ void write_band(const tub_gpu_pixels &t, const tub_gpu_patched &n, const tile &w,
                                           const place &p, int band, const int32_t sums[3][PLANES][4],
                                           const uint32_t *levels)
{
    const int lane = (int)threadIdx.x % LANES, precision = t.recipe.down.precision;
    TUB_GPU_UNROLL
    for (int i = 0; i < 2; i++) {
        uint32_t values[3][2];
        TUB_GPU_UNROLL
        for (int j = 0; j < 6; j++)
            values[j / 2][j % 2] =
                levels[256 * (j / 2) + tub_clip_u8(end_sum<PLANES>(sums[j / 2], 2 * i + j % 2, precision), 0)];
        write_row(t, n, p, (w.band + band) * TUB_GPU_BAND + lane / 4 + 8 * i, values);
    }
}

// The unit of a chunk that a thread begins with. Some threads have one unit more; which ones differs between blocks.
__device__ __forceinline__ unsigned first_unit()
{
    const unsigned warps = blockDim.x / LANES, block = blockIdx.x + 3 * blockIdx.y + blockIdx.z;
    const unsigned unit = threadIdx.x + block % warps * LANES;
    return unit < blockDim.x ? unit : unit - blockDim.x;
}

template <int PLANES, int STEPS>
__global__ void __launch_bounds__(MOST_THREADS, PLANES == 2 ? 4 : 3)
    cores_kernel(const __grid_constant__ tub_gpu_pixels t, const tub_gpu_patched n)
{
    TUB_GPU_DYNAMIC(16, unsigned char, shared);
    const tile w = tile_of(t);
    const int thread = (int)threadIdx.x, number = (int)blockIdx.x * t.cores.warps + thread / LANES;
    const bool idle = number * TUB_GPU_STRIP >= t.recipe.out_width;
    const int left = tub_gpu_integers(&t, t.cores.lefts)[number] - w.left;
    const int chunks = (w.height + CHUNK - 1) / CHUNK;
    const cursor units(first_unit(), blockDim.x, (unsigned)w.columns / WIDE);
    uint32_t *levels = (uint32_t *)(void *)(shared + w.at.levels);
    samples now = {};
    if (2 * units.row < w.height)
        now = load_samples(t, w, units.row, units.at);
    const strip<PLANES, STEPS> s = load_strip<PLANES, STEPS>(t, number, thread % LANES);
    for (int chunk = 0; chunk < chunks; chunk++) {
        __syncthreads();
        stage_chunk(t, w, chunk, units, now, shared);
        __syncthreads();
        if (!idle)
            pass_across<PLANES, STEPS>(t, w, s, chunk, left, shared);
    }
    __syncthreads();
    fill_levels(t, levels);
    __syncthreads();
    const place p = place_of(t, n, w);
    for (int band = 0; band < t.cores.bands && !idle; band++) {
        int32_t sums[3][PLANES][4];
        pass_down<PLANES>(t, w, band, shared, sums);
        write_band<PLANES>(t, n, w, p, band, sums, levels);
    }
}

template <int PLANES, int STEPS> cudaError_t launch_as(const tub_gpu_pixels *t, cudaStream_t stream)
{
    const tub_gpu_cores &c = t->cores;
    const int strips = (t->recipe.out_width + TUB_GPU_STRIP - 1) / TUB_GPU_STRIP;
    const int bands = (t->recipe.out_height + TUB_GPU_BAND - 1) / TUB_GPU_BAND;
    const dim3 grid((unsigned)((strips + c.warps - 1) / c.warps), (unsigned)((bands + c.bands - 1) / c.bands),
                    (unsigned)t->count);
    const int bytes = tub_gpu_cores_shared(&c).bytes;
    const tub_gpu_patched n = tub_gpu_patched_of(*t);
    cudaError_t code = cudaSuccess;
    if (bytes > WITHOUT_ASKING)
        code = cudaFuncSetAttribute(cores_kernel<PLANES, STEPS>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (code != cudaSuccess)
        return code;
    return tub_gpu_start(cores_kernel<PLANES, STEPS>, grid, c.warps * LANES, (size_t)bytes, stream, *t, n);
}

template <int PLANES> cudaError_t launch(const tub_gpu_pixels *t, cudaStream_t stream)
{
    switch (t->cores.steps_across) {
    case 1:
        return launch_as<PLANES, 1>(t, stream);
    case 2:
        return launch_as<PLANES, 2>(t, stream);
    case 4:
        return launch_as<PLANES, 4>(t, stream);
    }
    return cudaErrorInvalidValue;
}

} // namespace

cudaError_t tub_cuda_launch_frame_cores(const tub_gpu_pixels *t, cudaStream_t stream)
{
    return t->cores.planes == 2   ? launch<2>(t, stream)
           : t->cores.planes == 3 ? launch<3>(t, stream)
                                  : cudaErrorInvalidValue;
}
