// What tensor cores and shared memory do for a whole warp, in PTX's terms; and asynchronous copies from global to
// shared memory. All lanes of a warp call the first two together.
//
// Fragments have the layout that PTX documents for m16n8k16 (and twice m16n8k8). In lane l, a[0] has row l / 4 and
// columns 2 (l % 4) and the next one; a[1] is eight rows further, a[2] eight columns further, a[3] both. b likewise, k
// before columns. sums[0..1] have row l / 4 and columns 2 (l % 4) and the next one; sums[2..3] are eight rows further.
#ifndef TUB_GPU_TENSOR_H
#define TUB_GPU_TENSOR_H

#ifdef TUB_GPU_EMULATED
#include <emulated_tensor.h>
#else

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

// None of these exist before 7.5, and nothing for bfloat16 before 8.0: kernels that need them aren't launched there.
#ifndef __CUDA_ARCH__
#define TUB_GPU_TENSOR 0
#else
#define TUB_GPU_TENSOR __CUDA_ARCH__
#endif

__device__ __forceinline__ unsigned tub_gpu_shared_address(const void *shared)
{
    return (unsigned)__cvta_generic_to_shared(shared);
}

// Loads four matrices of 8 x 8 narrow values. Lane l gives the address of row l % 8 of matrix l / 8 in shared memory.
// It gets, in out[j], columns 2 (l % 4) and the next one of row l / 4 of matrix j.
__device__ __forceinline__ void tub_gpu_load_matrices(uint32_t out[4], const void *row)
{
#if TUB_GPU_TENSOR >= 750
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(tub_gpu_shared_address(row))
                 : "memory");
#else
    (void)out;
    (void)row;
    __trap();
#endif
}

#define TUB_GPU_MMA_K16(narrow)                                                                                        \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." narrow "." narrow ".f32 "                                    \
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                                     \
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])                                          \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))

// sums[16][8] += a[16][16] b[16][8].
template <typename NARROW>
__device__ __forceinline__ void tub_gpu_multiply_add(float sums[4], const uint32_t a[4], const uint32_t b[2]);

template <>
__device__ __forceinline__ void tub_gpu_multiply_add<__half>(float sums[4], const uint32_t a[4], const uint32_t b[2])
{
#if TUB_GPU_TENSOR >= 800
    TUB_GPU_MMA_K16("f16");
#elif TUB_GPU_TENSOR >= 750
    for (int i = 0; i < 2; i++)
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                     : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                     : "r"(a[2 * i]), "r"(a[2 * i + 1]), "r"(b[i]));
#else
    (void)sums;
    (void)a;
    (void)b;
    __trap();
#endif
}

template <>
__device__ __forceinline__ void tub_gpu_multiply_add<__nv_bfloat16>(float sums[4], const uint32_t a[4],
                                                                    const uint32_t b[2])
{
#if TUB_GPU_TENSOR >= 800
    TUB_GPU_MMA_K16("bf16");
#else
    (void)sums;
    (void)a;
    (void)b;
    __trap();
#endif
}

// Rounds to the nearest TF32 number, ties away from zero.
__device__ __forceinline__ float tub_gpu_round_tf32(float x)
{
    uint32_t bits = 0;
#if TUB_GPU_TENSOR >= 800
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
#else
    (void)x;
    __trap();
#endif
    return __uint_as_float(bits);
}

// sums[16][8] += a[16][8] b[8][8], with TF32 numbers. In lane l, a[0] is row l / 4 and column l % 4; a[1] is eight rows
// further, a[2] four columns further, a[3] both. b[0] is column l / 4 and k = l % 4; b[1] is four k further. sums as
// above.
__device__ __forceinline__ void tub_gpu_multiply_add_tf32(float sums[4], const float a[4], const float b[2])
{
#if TUB_GPU_TENSOR >= 800
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
                   "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
#else
    (void)sums;
    (void)a;
    (void)b;
    __trap();
#endif
}

#define TUB_GPU_MMA_BYTES(a_type, b_type)                                                                              \
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32." a_type "." b_type ".s32 "                                    \
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                                     \
                 : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])                                          \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))

// sums[16][8] += a[16][32] b[32][8], with bytes, signed or not. In lane l, a[0] is row l / 4 and columns 4 (l % 4) and
// the next three; a[1] is eight rows further, a[2] 16 columns further, a[3] both. b[0] is column l / 4 and such k; b[1]
// is 16 k further. sums as above.
template <bool A_SIGNED, bool B_SIGNED>
__device__ __forceinline__ void tub_gpu_multiply_add_bytes(int32_t sums[4], const uint32_t a[4], const uint32_t b[2])
{
#if TUB_GPU_TENSOR >= 800
    if constexpr (A_SIGNED && B_SIGNED)
        TUB_GPU_MMA_BYTES("s8", "s8");
    else if constexpr (A_SIGNED)
        TUB_GPU_MMA_BYTES("s8", "u8");
    else if constexpr (B_SIGNED)
        TUB_GPU_MMA_BYTES("u8", "s8");
    else
        TUB_GPU_MMA_BYTES("u8", "u8");
#else
    (void)sums;
    (void)a;
    (void)b;
    __trap();
#endif
}

// Both as bytes, clamped to 0 .. 255; `high` is in the second byte.
__device__ __forceinline__ uint32_t tub_gpu_pack_bytes(int32_t low, int32_t high)
{
    uint32_t out = 0;
#if TUB_GPU_TENSOR >= 750
    asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, 0;" : "=r"(out) : "r"(high), "r"(low));
#else
    (void)low;
    (void)high;
    __trap();
#endif
    return out;
}

// Copies 16 bytes to shared memory, or zeros if not `there`; both addresses are multiples of 16. The copy is done at
// the latest when the thread has waited for its group; before 8.0 at once.
__device__ __forceinline__ void tub_gpu_copy_16(void *shared, const void *from, bool there)
{
#if TUB_GPU_TENSOR >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(tub_gpu_shared_address(shared)), "l"(__cvta_generic_to_global(from)), "r"(there ? 16 : 0)
                 : "memory");
#else
    *(uint4 *)shared = there ? *(const uint4 *)from : uint4{0, 0, 0, 0};
#endif
}

// The copies since the last call become a group.
__device__ __forceinline__ void tub_gpu_copies_commit()
{
#if TUB_GPU_TENSOR >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until all groups of this thread are done, except the last PENDING.
template <int PENDING> __device__ __forceinline__ void tub_gpu_copies_wait()
{
#if TUB_GPU_TENSOR >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}

#endif
#endif
