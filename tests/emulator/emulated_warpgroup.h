// What a warpgroup multiplies at once, and what it needs for that: gpu_warpgroup.h's functions for the emulator, after
// PTX's documents of mbarrier, cp.async.bulk.tensor and wgmma.
//
// Boxes come, and products read their factors, at some time between being ordered and being waited for. The order
// chooses early or late, and boxes come in any sequence. From a product on, its sums are NaN until they were waited
// for.
//
// What is found, besides wrong results:
//   - barriers that don't exist, that others use before a barrier of the block, or that weren't made ready; writes to
//     their memory; more arrivals than they wait for; bytes that come in another phase than they were requested in
//   - boxes that aren't aligned, reach outside shared memory or the matrix's memory, or are still under way at the end
//   - descriptors of another layout, factors outside shared memory, factors that threads wrote (nothing orders that)
//   - a warp of a warpgroup that doesn't come along; sums that are touched while products own them, or that are written
//     without a _begin() after; products that nobody has waited for
//   - of a pair of blocks: one that reaches into the other before both have met or after it has ended
//   - more registers than there are, or than the other warps of a warpgroup take
//   - threads that wait for something that never happens
//
// A thread that tries a barrier in vain goes on when something has happened, or when nobody else can go on: then the
// clock jumps, and after LOOKS such jumps it is an error.
#ifndef EMULATED_WARPGROUP_H
#define EMULATED_WARPGROUP_H

#include "emulated_tensor.h"

extern "C" {
#include "gpu_tasks.h"
}

// Describes a matrix and how it is copied. Only tub_cuda_box_map() makes one.
struct alignas(64) CUtensorMap {
    uint64_t opaque[16];
};

// Boxes of [box_rows, 64] from a matrix [rows, cols] of a narrow type, with 128B swizzle; zeros outside.
extern "C" cudaError_t tub_cuda_box_map(CUtensorMap *out, const void *matrix, tub_gpu_type type, int rows, int cols,
                                        int box_rows);

// ---- barriers ----

void tub_gpu_barrier_init(uint64_t *barrier, unsigned arrivals, EMULATED_HERE);
void tub_gpu_barriers_ready();
void tub_gpu_barrier_arrive(uint64_t *barrier, EMULATED_HERE);
void tub_gpu_barrier_arrive_at(uint64_t *barrier, unsigned rank, EMULATED_HERE);
void tub_gpu_barrier_expect(uint64_t *barrier, unsigned bytes, EMULATED_HERE);
bool tub_gpu_barrier_try(uint64_t *barrier, unsigned parity, EMULATED_HERE);
long long tub_gpu_clock();
void emulated_sync_some(emulated_place at, int id, int threads);

template <int THREADS> void tub_gpu_some_sync(int id, EMULATED_HERE)
{
    static_assert(THREADS > 0 && THREADS % 32 == 0, "warps come as a whole");
    emulated_sync_some({"tub_gpu_some_sync", file, line}, id, THREADS);
}

// ---- registers ----

void emulated_set_registers(emulated_place at, int count);

template <int COUNT> void tub_gpu_fewer_registers(EMULATED_HERE)
{
    static_assert(COUNT >= 24 && COUNT <= 256 && COUNT % 8 == 0, "as PTX has it");
    emulated_set_registers({"tub_gpu_fewer_registers", file, line}, COUNT);
}

template <int COUNT> void tub_gpu_more_registers(EMULATED_HERE)
{
    static_assert(COUNT >= 24 && COUNT <= 256 && COUNT % 8 == 0, "as PTX has it");
    emulated_set_registers({"tub_gpu_more_registers", file, line}, COUNT);
}

void tub_gpu_fetch_map(const CUtensorMap *map, EMULATED_HERE);
void tub_gpu_load_box(void *shared, const CUtensorMap *map, int row, int col, uint64_t *barrier, EMULATED_HERE);
void tub_gpu_load_box_for_pair(void *shared, const CUtensorMap *map, int row, int col, uint64_t *barrier,
                               EMULATED_HERE);
void tub_gpu_pair_sync(EMULATED_HERE);

// ---- products ----

// The address in the window of shared memory, in the form that instructions take.
unsigned tub_gpu_warpgroup_address(const void *shared);

void tub_gpu_products_begin(float (&sums)[64], EMULATED_HERE);
void tub_gpu_products_commit(EMULATED_HERE);
void emulated_products_wait(emulated_place at, int pending);
void emulated_multiply_group(emulated_place at, float *sums, uint64_t x, uint64_t weight,
                             float (*number)(uint32_t pair, int high));

template <int PENDING> void tub_gpu_products_wait(EMULATED_HERE)
{
    static_assert(PENDING >= 0 && PENDING < 8, "as PTX has it");
    emulated_products_wait({"tub_gpu_products_wait", file, line}, PENDING);
}

template <int PENDING> void tub_gpu_products_end(float (&)[64], EMULATED_HERE)
{
    static_assert(PENDING >= 0 && PENDING < 8, "as PTX has it");
    emulated_products_wait({"tub_gpu_products_end", file, line}, PENDING);
}

// wgmma.m64n128k16.
template <typename NARROW> void tub_gpu_multiply_group(float (&sums)[64], uint64_t x, uint64_t weight, EMULATED_HERE)
{
    emulated_multiply_group({"tub_gpu_multiply_group", file, line}, sums, x, weight, emulated_half_of<NARROW>);
}

#endif
