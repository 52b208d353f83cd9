// Tensor cores' fragments as PTX documents them, and asynchronous copies: gpu_tensor.h's functions for the emulator.
//
// A step's sum is that of tests/support: products one after the other in float32, then added to the sum so far.
#ifndef EMULATED_TENSOR_H
#define EMULATED_TENSOR_H

#include "cuda_runtime_api.h"
#include "emulated_narrow.h"

// ldmatrix.x4: lane i has the address of row i % 8 of matrix i / 8.
void tub_gpu_load_matrices(uint32_t out[4], const void *row, EMULATED_HERE);

// d[16][columns] += a[16][deep] b[deep][columns].
void emulated_step(int columns, int deep, const float *a, const float *b, float *sums);

struct emulated_product {
    float *sums;
    const uint32_t *a, *b;
};

template <typename NARROW> float emulated_half_of(uint32_t pair, int high)
{
    NARROW x;
    x.bits = (uint16_t)(pair >> 16 * high);
    return x;
}

// Lane l: a[i] holds row l / 4 + 8 (i % 2), columns 2 (l % 4) + 8 (i / 2) and the next one; b[i] holds the same as k of
// column l / 4; sums[i] is row l / 4 + 8 (i / 2), column 2 (l % 4) + i % 2.
template <typename NARROW> void emulated_multiply(emulated_visit *const *lanes)
{
    float a[16][16], b[16][8], sums[16][8];
    for (int l = 0; l < 32; l++) {
        const auto *part = (const emulated_product *)lanes[l]->in;
        for (int i = 0; i < 8; i++)
            a[l / 4 + 8 * (i / 2 % 2)][l % 4 * 2 + i % 2 + 8 * (i / 4)] =
                emulated_half_of<NARROW>(part->a[i / 2], i % 2);
        for (int i = 0; i < 4; i++)
            b[l % 4 * 2 + i % 2 + 8 * (i / 2)][l / 4] = emulated_half_of<NARROW>(part->b[i / 2], i % 2);
        for (int i = 0; i < 4; i++)
            sums[l / 4 + 8 * (i / 2)][l % 4 * 2 + i % 2] = part->sums[i];
    }
    emulated_step(8, 16, a[0], b[0], sums[0]);
    for (int l = 0; l < 32; l++)
        for (int i = 0; i < 4; i++)
            ((const emulated_product *)lanes[l]->in)->sums[i] = sums[l / 4 + 8 * (i / 2)][l % 4 * 2 + i % 2];
}

// mma.m16n8k16.
template <typename NARROW>
void tub_gpu_multiply_add(float sums[4], const uint32_t a[4], const uint32_t b[2], EMULATED_HERE)
{
    const emulated_product part = {sums, a, b};
    emulated_visit visit = {{"mma.sync", file, line}, 0xffffffffu, 0, &part, nullptr, emulated_multiply<NARROW>};
    emulated_meet_warp(&visit);
}

// cvt.rna.tf32.f32.
inline float tub_gpu_round_tf32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x1000) & 0xffffe000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// mma.m16n8k8 in TF32: bits of a factor beyond it are cut off.
void tub_gpu_multiply_add_tf32(float sums[4], const float a[4], const float b[2], EMULATED_HERE);

// d[16][8] += a[16][32] b[32][8].
void emulated_step_bytes(const int32_t *a, const int32_t *b, int32_t *sums);

struct emulated_byte_product {
    int32_t *sums;
    const uint32_t *a, *b;
};

template <bool SIGNED> int32_t emulated_byte_of(uint32_t word, int i)
{
    const uint8_t byte = (uint8_t)(word >> 8 * i);
    return SIGNED ? (int8_t)byte : byte;
}

// mma.m16n8k32 on bytes. Lane l: a[i] holds row l / 4 + 8 (i % 2), columns 4 (l % 4) + 16 (i / 2) and the next three;
// b[i] holds the same as k of column l / 4; sums as above.
template <bool A_SIGNED, bool B_SIGNED> void emulated_multiply_bytes(emulated_visit *const *lanes)
{
    int32_t a[16][32], b[32][8], sums[16][8];
    for (int l = 0; l < 32; l++) {
        const auto *part = (const emulated_byte_product *)lanes[l]->in;
        for (int i = 0; i < 16; i++)
            a[l / 4 + 8 * (i / 4 % 2)][l % 4 * 4 + i % 4 + 16 * (i / 8)] =
                emulated_byte_of<A_SIGNED>(part->a[i / 4], i % 4);
        for (int i = 0; i < 8; i++)
            b[l % 4 * 4 + i % 4 + 16 * (i / 4)][l / 4] = emulated_byte_of<B_SIGNED>(part->b[i / 4], i % 4);
        for (int i = 0; i < 4; i++)
            sums[l / 4 + 8 * (i / 2)][l % 4 * 2 + i % 2] = part->sums[i];
    }
    emulated_step_bytes(a[0], b[0], sums[0]);
    for (int l = 0; l < 32; l++)
        for (int i = 0; i < 4; i++)
            ((const emulated_byte_product *)lanes[l]->in)->sums[i] = sums[l / 4 + 8 * (i / 2)][l % 4 * 2 + i % 2];
}

template <bool A_SIGNED, bool B_SIGNED>
void tub_gpu_multiply_add_bytes(int32_t sums[4], const uint32_t a[4], const uint32_t b[2], EMULATED_HERE)
{
    const emulated_byte_product part = {sums, a, b};
    emulated_visit visit = {
        {"mma.sync", file, line}, 0xffffffffu, 0, &part, nullptr, emulated_multiply_bytes<A_SIGNED, B_SIGNED>};
    emulated_meet_warp(&visit);
}

// cvt.pack.sat.u8.s32.
inline uint32_t tub_gpu_pack_bytes(int32_t low, int32_t high)
{
    return (uint32_t)(low < 0 ? 0 : low > 255 ? 255 : low) | (uint32_t)(high < 0 ? 0 : high > 255 ? 255 : high) << 8;
}

// cp.async of 16 bytes: done at some time between here and the wait for it.
void tub_gpu_copy_16(void *shared, const void *from, bool there);
void tub_gpu_copies_commit();
void emulated_copies_wait(int pending);

template <int PENDING> void tub_gpu_copies_wait()
{
    emulated_copies_wait(PENDING);
}

#endif
