// CUDA's C++ on the host: qualifiers, vector types, a thread's numbers, collectives, launches. A thread may rely on one
// thing here that it can't rely on in a device: a warp has 32 lanes. See emulator.h.
#ifndef EMULATED_DEVICE_H
#define EMULATED_DEVICE_H

#include <functional>
#include <tuple>

#define __host__
#define __device__
#define __global__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

struct uint2 {
    unsigned x, y;
} __align__(8);
struct uint3 {
    unsigned x, y, z;
};
struct uint4 {
    unsigned x, y, z, w;
} __align__(16);
struct float2 {
    float x, y;
} __align__(8);
struct float4 {
    float x, y, z, w;
} __align__(16);

inline float4 make_float4(float x, float y, float z, float w)
{
    return {x, y, z, w};
}

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned across = 1, unsigned down = 1, unsigned deep = 1) : x(across), y(down), z(deep)
    {
    }
};

extern uint3 threadIdx, blockIdx; // of the running thread
extern dim3 blockDim, gridDim;

// Where a collective is called. Lanes that meet must be at the same place.
struct emulated_place {
    const char *what, *file;
    int line;
};

// What a lane brings to a meeting of its warp, and where the exchange puts the lane's result. `key` must be the same
// for all lanes that meet.
struct emulated_visit {
    emulated_place at;
    unsigned mask;
    uintptr_t key;
    const void *in;
    void *out;
    void (*exchange)(emulated_visit *const *lanes); // [32], NULL: not in the mask; may be NULL itself
    bool orders = false;                            // orders the lanes' memory accesses before and after
};

void emulated_meet_warp(emulated_visit *visit);
void emulated_meet_block(emulated_place at);
void emulated_meet_cluster(emulated_place at);
unsigned emulated_lane();
// Whether memory accesses of a collective or a copy happen early or late: before the lanes meet or after, at once or
// when they are waited for. Only barriers put memory in order.
bool emulated_early();
[[noreturn]] void emulated_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define EMULATED_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

[[noreturn]] inline void __trap()
{
    emulated_fail("__trap()");
}

inline void __syncthreads(EMULATED_HERE)
{
    emulated_meet_block({"__syncthreads", file, line});
}

inline void __syncwarp(unsigned mask = 0xffffffffu, EMULATED_HERE)
{
    emulated_visit visit = {{"__syncwarp", file, line}, mask, 0, nullptr, nullptr, nullptr, true};
    emulated_meet_warp(&visit);
}

template <typename T> struct emulated_word {
    T value;
    unsigned from;
};

template <typename T> void emulated_shuffle(emulated_visit *const *lanes)
{
    for (int i = 0; i < 32; i++) {
        if (!lanes[i])
            continue;
        const auto *wanted = (const emulated_word<T> *)lanes[i]->in;
        if (!lanes[wanted->from])
            emulated_fail("%s of lane %u, which doesn't take part", lanes[i]->at.what, wanted->from);
        *(T *)lanes[i]->out = ((const emulated_word<T> *)lanes[wanted->from]->in)->value;
    }
}

template <typename T> T emulated_shuffled(emulated_place at, unsigned mask, T value, unsigned from)
{
    T out;
    const emulated_word<T> word = {value, from % 32};
    emulated_visit visit = {at, mask, 0, &word, &out, emulated_shuffle<T>};
    emulated_meet_warp(&visit);
    return out;
}

template <typename T> T __shfl_sync(unsigned mask, T value, int from, EMULATED_HERE)
{
    return emulated_shuffled({"__shfl_sync", file, line}, mask, value, (unsigned)from);
}

template <typename T> T __shfl_xor_sync(unsigned mask, T value, int distance, EMULATED_HERE)
{
    return emulated_shuffled({"__shfl_xor_sync", file, line}, mask, value, emulated_lane() ^ (unsigned)distance);
}

// ---- bytes and halves of words ----

inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector)
{
    const uint64_t both = (uint64_t)high << 32 | low;
    unsigned out = 0;
    for (int i = 0; i < 4; i++)
        out |= (unsigned)(both >> (selector >> 4 * i & 7) * 8 & 255) << 8 * i;
    return out;
}

inline unsigned __dp4a(unsigned a, unsigned b, unsigned sum)
{
    for (int i = 0; i < 32; i += 8)
        sum += (a >> i & 255) * (b >> i & 255);
    return sum;
}

// For both halves: max(min(a + b, most), 0).
inline unsigned __viaddmin_s16x2_relu(unsigned a, unsigned b, unsigned most)
{
    unsigned out = 0;
    for (int i = 0; i < 32; i += 16) {
        const int sum = (int16_t)((a >> i) + (b >> i)), least = sum < (int16_t)(most >> i) ? sum : (int16_t)(most >> i);
        out |= (unsigned)(least < 0 ? 0 : least) << i;
    }
    return out;
}

// ---- memory ----

// The launch's dynamic memory, and a place of `bytes` that all threads with the same `key` share.
void *emulated_dynamic(size_t alignment);
void *emulated_fixed(const void *key, size_t bytes);
bool emulated_is_shared(const void *at, size_t bytes);

#define TUB_GPU_DYNAMIC(alignment, type, name) type *const name = (type *)emulated_dynamic(alignment)
#define TUB_GPU_SHARED(type, name, sizes)                                                                              \
    static char name##_key;                                                                                            \
    type(&name) sizes = *(type(*) sizes)emulated_fixed(&name##_key, sizeof(type sizes))

// ---- launches ----

cudaError_t emulated_launch(const char *call, const void *kernel, dim3 grid, dim3 block, size_t bytes, int cluster,
                            const std::function<void()> &thread);

template <typename... PARAMETERS, typename... ARGUMENTS>
cudaError_t emulated_start(const char *call, int cluster, void (*kernel)(PARAMETERS...), dim3 grid, dim3 block,
                           size_t bytes, cudaStream_t, const ARGUMENTS &...arguments)
{
    const std::tuple<PARAMETERS...> copies(arguments...);
    return emulated_launch(call, (const void *)kernel, grid, block, bytes, cluster,
                           [&] { std::apply(kernel, copies); });
}

#define tub_gpu_start(...) emulated_start(#__VA_ARGS__, 1, __VA_ARGS__)
#define tub_gpu_start_pairs(...) emulated_start(#__VA_ARGS__, 2, __VA_ARGS__)

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
struct cudaFuncAttributes {
    int maxThreadsPerBlock;
};

// A card with few multiprocessors.
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16 };
enum { EMULATED_PROCESSORS = 5 };

inline cudaError_t cudaGetDevice(int *device)
{
    *device = 0;
    return cudaSuccess;
}

inline cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr, int device)
{
    *value = EMULATED_PROCESSORS;
    return device == 0 ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t emulated_set_shared(const void *kernel, int bytes);

template <typename... PARAMETERS>
cudaError_t cudaFuncSetAttribute(void (*kernel)(PARAMETERS...), cudaFuncAttribute, int value)
{
    return emulated_set_shared((const void *)kernel, value);
}

template <typename... PARAMETERS> cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *out, void (*)(PARAMETERS...))
{
    out->maxThreadsPerBlock = 1024;
    return cudaSuccess;
}

#endif
