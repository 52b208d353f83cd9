// Stands in for the toolkit's header of the same name: tiles of 16 x 16 on tensor cores, of which a lane has 8
// elements. Which ones isn't documented, so here they are scattered, and differently for each use of a tile.
#ifndef EMULATED_MMA_H
#define EMULATED_MMA_H

#include "emulated_tensor.h"

namespace nvcuda::wmma
{

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major, mem_col_major };

template <typename USE> constexpr int emulated_scatter = 77; // must be odd
template <> constexpr int emulated_scatter<matrix_b> = 45;
template <> constexpr int emulated_scatter<accumulator> = 151;

// row * 16 + column of a lane's element.
template <typename USE> int emulated_spot(unsigned lane, int element)
{
    return ((int)lane * 8 + element) * emulated_scatter<USE> % 256;
}

template <typename USE, int M, int N, int K, typename T, typename LAYOUT = void> struct fragment {
    static_assert(M == 16 && N == 16 && K == 16, "the emulator has no other tiles");
    static constexpr int num_elements = 8;
    T x[num_elements];
};

template <typename FRAGMENT, typename T> void fill_fragment(FRAGMENT &f, T value)
{
    for (auto &x : f.x)
        x = value;
}

// All lanes meet with the same place, which begins at a multiple of 32 bytes and has rows at multiples of 16. Each lane
// moves its elements: move(element, where in memory).
template <typename USE, typename T, typename MOVE>
void emulated_move(emulated_place at, const T *memory, unsigned pitch, bool by_rows, const MOVE &move)
{
    if ((uintptr_t)memory % 32 || pitch * sizeof(T) % 16)
        emulated_fail("%s at %s:%d: a tile at %p with rows of %u elements isn't aligned", at.what, at.file, at.line,
                      (const void *)memory, pitch);
    emulated_visit visit = {at, 0xffffffffu, (uintptr_t)memory + pitch + by_rows, nullptr, nullptr, nullptr};
    const bool early = emulated_early();
    if (!early)
        emulated_meet_warp(&visit);
    for (int i = 0; i < 8; i++) {
        const int spot = emulated_spot<USE>(emulated_lane(), i), row = spot / 16, column = spot % 16;
        move(i, by_rows ? row * (int)pitch + column : column * (int)pitch + row);
    }
    if (early)
        emulated_meet_warp(&visit);
}

template <typename USE, typename T, typename LAYOUT>
void emulated_load(fragment<USE, 16, 16, 16, T, LAYOUT> &f, const T *memory, unsigned pitch, bool by_rows,
                   const char *file, int line)
{
    emulated_move<USE>({"load_matrix_sync", file, line}, memory, pitch, by_rows,
                       [&](int i, int from) { f.x[i] = memory[from]; });
}

template <typename USE, typename T>
void load_matrix_sync(fragment<USE, 16, 16, 16, T, row_major> &f, const T *memory, unsigned pitch, EMULATED_HERE)
{
    emulated_load(f, memory, pitch, true, file, line);
}

template <typename USE, typename T>
void load_matrix_sync(fragment<USE, 16, 16, 16, T, col_major> &f, const T *memory, unsigned pitch, EMULATED_HERE)
{
    emulated_load(f, memory, pitch, false, file, line);
}

template <typename T>
void load_matrix_sync(fragment<accumulator, 16, 16, 16, T> &f, const T *memory, unsigned pitch, layout_t layout,
                      EMULATED_HERE)
{
    emulated_load(f, memory, pitch, layout == mem_row_major, file, line);
}

template <typename T>
void store_matrix_sync(T *memory, const fragment<accumulator, 16, 16, 16, T> &f, unsigned pitch, layout_t layout,
                       EMULATED_HERE)
{
    emulated_move<accumulator>({"store_matrix_sync", file, line}, memory, pitch, layout == mem_row_major,
                               [&](int i, int to) { memory[to] = f.x[i]; });
}

template <typename A, typename B, typename SUMS> struct emulated_tiles {
    const A *a;
    const B *b;
    const SUMS *sums;
};

template <typename A, typename B, typename SUMS> void emulated_multiply_tiles(emulated_visit *const *lanes)
{
    float a[256], b[256], sums[256];
    for (unsigned l = 0; l < 32; l++) {
        const auto *part = (const emulated_tiles<A, B, SUMS> *)lanes[l]->in;
        for (int i = 0; i < 8; i++) {
            a[emulated_spot<matrix_a>(l, i)] = part->a->x[i];
            b[emulated_spot<matrix_b>(l, i)] = part->b->x[i];
            sums[emulated_spot<accumulator>(l, i)] = part->sums->x[i];
        }
    }
    emulated_step(16, 16, a, b, sums);
    for (unsigned l = 0; l < 32; l++)
        for (int i = 0; i < 8; i++)
            ((SUMS *)lanes[l]->out)->x[i] = sums[emulated_spot<accumulator>(l, i)];
}

template <typename A, typename B, typename SUMS>
void mma_sync(SUMS &out, const A &a, const B &b, const SUMS &sums, EMULATED_HERE)
{
    const emulated_tiles<A, B, SUMS> part = {&a, &b, &sums};
    emulated_visit visit = {{"mma_sync", file, line}, 0xffffffffu, 0, &part, &out, emulated_multiply_tiles<A, B, SUMS>};
    emulated_meet_warp(&visit);
}

} // namespace nvcuda::wmma

#endif
