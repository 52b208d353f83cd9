// Products of warpgroups: descriptors, fragments, and which product owns the sums.
#include "emulated_warpgroup.h"

#include <stdio.h>

#include <deque>

#include "emulated_block.h"
#include "emulated_fibres.h"

namespace
{

enum { WARP = 32, WARPS = 4, GROUP = WARP * WARPS, ROWS = 64, COLS = 128, DEEP = 16, SUMS = 64, ROW = 128, TILE = 16 };
enum { ALL_WARPS = (1 << WARPS) - 1, REGISTERS = 1 << 16 };
enum step_kind { BEGIN, PRODUCT, COMMIT, WAIT };

// A thread's sums. While a product owns them, their memory is poisoned.
struct accumulator {
    float *sums;
    float values[SUMS]; // while a product owns them: their values; else those at the last begin or wait
    bool taken;
};

// One step of the sequence that all warps of a warpgroup must follow.
struct step {
    step_kind kind;
    emulated_place at;
    uint64_t x, weight; // for WAIT, x: how many may be pending
    float (*number)(uint32_t pair, int high);
    float *sums[GROUP];
    unsigned warps; // that have come to it
    int group;      // the number of commits before it
    bool late;      // for WAIT: products are done when nobody else can go on
};

struct warpgroup {
    std::deque<step> steps;
    size_t next[WARPS], done; // done: all products before this step
};

std::deque<accumulator> sums_of[FIBRES]; // per thread
warpgroup groups[FIBRES / GROUP];
int registers[FIBRES / WARP]; // per thread of a warp; 0: as many as at the launch

struct order_of_product {
    emulated_place at;
    uint64_t x, weight;
    float (*number)(uint32_t pair, int high);
    float *sums;
};

// NaNs that change when they are computed with.
const float *poison()
{
    static float all[SUMS];
    for (uint32_t i = 0; !all[SUMS - 1] && i < SUMS; i++) {
        const uint32_t bits = 0x7fa00000u + i * 77;
        memcpy(all + i, &bits, sizeof bits);
    }
    return all;
}

// ---- the sequence ----

warpgroup &own_group()
{
    const int count = emulated_block_threads(), last = emulated_thread() / GROUP * GROUP + GROUP;
    if (last > count)
        emulated_fail("a warpgroup of %d threads", count + GROUP - last);
    emulated_use_groups();
    return groups[fibre_number() / GROUP];
}

// The warp comes to its next step, which must be the same as the other warps'.
step &come(step_kind kind, emulated_place at, uint64_t x, uint64_t weight)
{
    warpgroup &g = own_group();
    const int warp = fibre_number() / WARP % WARPS;
    const size_t i = g.next[warp]++;
    if (i == g.steps.size()) {
        const int group = i ? g.steps[i - 1].group + (g.steps[i - 1].kind == COMMIT) : 0;
        g.steps.push_back({kind, at, x, weight, nullptr, {}, 0, group, kind == WAIT && emulated_early()});
    }
    step &s = g.steps[i];
    if (s.kind != kind || s.at.line != at.line || strcmp(s.at.file, at.file) != 0 || s.x != x || s.weight != weight)
        emulated_fail("%s at %s:%d, where another warp of the warpgroup comes to %s at line %d (or other matrices)",
                      at.what, at.file, at.line, s.at.what, s.at.line);
    s.warps |= 1u << warp;
    return s;
}

// ---- factors ----

unsigned field(uint64_t descriptor, int bit)
{
    return (unsigned)(descriptor >> bit & 0x3fff) << 4;
}

// The 16 values of a row of the matrix, from the descriptor's start on; 128B swizzle, a row's values are contiguous.
void read_row(const step &s, uint64_t descriptor, int row, float *out)
{
    for (int i = 0; i < DEEP / 2; i++) {
        uint32_t pair;
        uintptr_t at = (uintptr_t)emulated_window(emulated_rank()) + field(descriptor, 0) +
                       row / 8 * field(descriptor, 32) + (unsigned)(row % 8 * ROW + i * 4);
        at ^= at / ROW % 8 * 16;
        if (!emulated_is_shared((const void *)at, sizeof pair))
            emulated_say("%s at %s:%d: row %d of a factor isn't in shared memory", s.at.what, s.at.file, s.at.line,
                         row);
        if (emulated_failed())
            return;
        if (!emulated_is_copied((const void *)at, sizeof pair))
            emulated_say("%s at %s:%d: threads have written row %d of a factor, and no fence of proxies is between",
                         s.at.what, s.at.file, s.at.line, row);
        memcpy(&pair, (const void *)at, sizeof pair);
        out[2 * i] = s.number(pair, 0);
        out[2 * i + 1] = s.number(pair, 1);
    }
}

void check_descriptor(emulated_place at, uint64_t descriptor)
{
    const uint64_t unused = UINT64_C(3) << 14 | UINT64_C(3) << 30 | UINT64_C(7) << 46 | UINT64_C(0x3ff) << 52;
    const unsigned start = field(descriptor, 0);
    if (descriptor >> 62 != 1 || descriptor & unused)
        emulated_fail("%s at %s:%d: descriptor %#llx isn't of a matrix with 128B swizzle", at.what, at.file, at.line,
                      (unsigned long long)descriptor);
    if (descriptor >> 49 & 7 || start / ROW % 8)
        emulated_fail("%s at %s:%d: a matrix whose swizzle doesn't begin at a multiple of 1024 bytes", at.what, at.file,
                      at.line);
    if (start % ROW > ROW - DEEP * 2)
        emulated_fail("%s at %s:%d: 16 columns from byte %u of a row on", at.what, at.file, at.line, start % ROW);
}

// ---- products ----

accumulator *find_sums(int thread, const float *sums)
{
    for (accumulator &a : sums_of[thread])
        if (a.sums == sums)
            return &a;
    return nullptr;
}

// Row and column, in the warpgroup's result, of a thread's sum i.
int row_of(int thread, int i)
{
    return thread / WARP * 16 + thread % WARP / 4 + i / 2 % 2 * 8;
}

int col_of(int thread, int i)
{
    return i / 4 * 8 + thread % 4 * 2 + i % 2;
}

void add_tile(const float *x, const float *weight, float *sums)
{
    float b[DEEP * TILE], tile[TILE * TILE];
    for (int i = 0; i < DEEP * TILE; i++)
        b[i % TILE * TILE + i / TILE] = weight[i];
    for (int i = 0; i < TILE * TILE; i++)
        tile[i] = sums[i / TILE * COLS + i % TILE];
    emulated_step(TILE, DEEP, x, b, tile);
    for (int i = 0; i < TILE * TILE; i++)
        sums[i / TILE * COLS + i % TILE] = tile[i];
}

void multiply(const step &s, int first)
{
    static float x[ROWS * DEEP], weight[COLS * DEEP], sums[ROWS * COLS];
    for (int row = 0; row < ROWS; row++)
        read_row(s, s.x, row, x + row * DEEP);
    for (int row = 0; row < COLS; row++)
        read_row(s, s.weight, row, weight + row * DEEP);
    for (int t = 0; t < GROUP; t++)
        for (int i = 0; i < SUMS; i++)
            sums[row_of(t, i) * COLS + col_of(t, i)] = find_sums(first + t, s.sums[t])->values[i];
    for (int row = 0; row < ROWS; row += TILE)
        for (int col = 0; col < COLS; col += TILE)
            add_tile(x + row * DEEP, weight + col * DEEP, sums + row * COLS + col);
    for (int t = 0; t < GROUP; t++)
        for (int i = 0; i < SUMS; i++)
            find_sums(first + t, s.sums[t])->values[i] = sums[row_of(t, i) * COLS + col_of(t, i)];
}

// Computes all products before step `end`.
void do_until(warpgroup &g, size_t end)
{
    for (; g.done < end; g.done++)
        if (g.steps[g.done].kind == PRODUCT)
            multiply(g.steps[g.done], (int)(&g - groups) * GROUP);
    if (emulated_failed())
        fibre_leave();
}

void take_sums(emulated_place at, int thread, float *sums)
{
    accumulator *a = find_sums(thread, sums);
    if (a && a->taken) {
        if (memcmp(sums, poison(), sizeof a->values) != 0)
            emulated_fail("%s at %s:%d: a product's sums were touched before they were waited for", at.what, at.file,
                          at.line);
        return;
    }
    if (!a || memcmp(sums, a->values, sizeof a->values) != 0)
        emulated_fail("%s at %s:%d: sums were written, and no tub_gpu_products_begin() is between", at.what, at.file,
                      at.line);
    a->taken = true;
    memcpy(sums, poison(), sizeof a->values);
}

// Called once per warp, when its lanes have met.
void order_product(emulated_visit *const *lanes)
{
    const auto *first = (const order_of_product *)lanes[0]->in;
    const int warp = fibre_number() / WARP;
    warpgroup &g = own_group();
    check_descriptor(first->at, first->x);
    check_descriptor(first->at, first->weight);
    step &s = come(PRODUCT, first->at, first->x, first->weight);
    s.number = first->number;
    for (int l = 0; l < WARP; l++) {
        s.sums[warp % WARPS * WARP + l] = ((const order_of_product *)lanes[l]->in)->sums;
        take_sums(first->at, warp * WARP + l, ((const order_of_product *)lanes[l]->in)->sums);
    }
    if (s.warps == ALL_WARPS)
        emulated_happened();
    if (s.warps == ALL_WARPS && !emulated_early())
        do_until(g, g.next[warp % WARPS]);
}

void come_as_visited(emulated_visit *const *lanes)
{
    const auto *s = (const step *)lanes[0]->in;
    come(s->kind, s->at, s->x, 0);
}

// The warp's lanes meet and come to a step.
void meet(step_kind kind, emulated_place at, uint64_t x)
{
    const step s = {kind, at, x, 0, nullptr, {}, 0, 0, false};
    emulated_visit visit = {at, 0xffffffffu, 0, &s, nullptr, come_as_visited};
    emulated_meet_warp(&visit);
}

// The step after the last product of the first groups.
size_t end_of(const warpgroup &g, int count)
{
    size_t end = 0;
    for (size_t i = 0; i < g.steps.size() && g.steps[i].group < count; i++)
        if (g.steps[i].kind == PRODUCT)
            end = i + 1;
    return end;
}

// Returns the sums that no product of the thread owns any more.
void give_back(emulated_place at, int thread, const warpgroup &g, size_t end)
{
    for (accumulator &a : sums_of[thread]) {
        bool waits = false;
        for (size_t i = end; i < g.next[thread / WARP % WARPS]; i++)
            waits |= g.steps[i].kind == PRODUCT && g.steps[i].sums[thread % GROUP] == a.sums;
        if (!a.taken || waits)
            continue;
        if (memcmp(a.sums, poison(), sizeof a.values) != 0)
            emulated_fail("%s at %s:%d: a product's sums were touched before they were waited for", at.what, at.file,
                          at.line);
        a.taken = false;
        memcpy(a.sums, a.values, sizeof a.values);
    }
}

void tell_step(const void *what, char *out, size_t bytes)
{
    const auto *s = (const step *)what;
    for (int warp = 0; warp < WARPS; warp++)
        if (!(s->warps >> warp & 1)) {
            snprintf(out, bytes, " for warp %d of the warpgroup to come to %s at line %d", warp, s->at.what,
                     s->at.line);
            return;
        }
}

} // namespace

void emulated_products_begin(int count)
{
    for (int i = 0; i < count; i++)
        sums_of[i].clear();
    for (warpgroup &g : groups) {
        g.steps.clear();
        memset(g.next, 0, sizeof g.next);
        g.done = 0;
    }
    memset(registers, 0, sizeof registers);
}

void emulated_products_end(int count)
{
    for (int i = 0; i < count; i++) {
        const warpgroup &g = groups[i / GROUP];
        for (const accumulator &a : sums_of[i])
            if (a.taken)
                emulated_say("thread %d ends, and nobody has waited for its products", i);
        if (g.next[i / WARP % WARPS] != g.steps.size())
            emulated_say("warp %d ends before %s at line %d, to which others of its warpgroup come", i / WARP,
                         g.steps.back().at.what, g.steps.back().at.line);
        if (registers[i / WARP] != registers[i / GROUP * WARPS])
            emulated_say("warps of a warpgroup end with %d and %d registers", registers[i / GROUP * WARPS],
                         registers[i / WARP]);
    }
}

void emulated_set_registers(emulated_place at, int count)
{
    const int warp = fibre_number() / WARP, warps = emulated_block_threads() / WARP;
    emulated_visit visit = {at, 0xffffffffu, (uintptr_t)count, nullptr, nullptr, nullptr};
    int all = 0;
    own_group();
    emulated_meet_warp(&visit);
    registers[warp] = count;
    for (int i = 0; i < warps; i++)
        all += registers[emulated_rank() * warps + i] * WARP;
    if (all > REGISTERS)
        emulated_fail("%s at %s:%d: %d registers, and there are %d", at.what, at.file, at.line, all, REGISTERS);
}

unsigned tub_gpu_warpgroup_address(const void *shared)
{
    if (!emulated_is_shared(shared, 1) ||
        (uintptr_t)shared - (uintptr_t)emulated_window(emulated_rank()) >= EMULATED_WINDOW)
        emulated_fail("%s isn't shared memory that the launch asked for", emulated_where(shared));
    return (unsigned)((uintptr_t)shared % EMULATED_WINDOW);
}

void tub_gpu_products_begin(float (&sums)[64], const char *file, int line)
{
    const int thread = fibre_number();
    meet(BEGIN, {"tub_gpu_products_begin", file, line}, 0);
    if (!find_sums(thread, sums))
        sums_of[thread].emplace_back().sums = sums;
    for (accumulator &a : sums_of[thread])
        if (!a.taken)
            memcpy(a.values, a.sums, sizeof a.values);
}

void tub_gpu_products_commit(const char *file, int line)
{
    meet(COMMIT, {"tub_gpu_products_commit", file, line}, 0);
}

void emulated_products_wait(emulated_place at, int pending)
{
    const int thread = fibre_number();
    meet(WAIT, at, (uint64_t)pending);
    warpgroup &g = own_group();
    const step &own = g.steps[g.next[thread / WARP % WARPS] - 1];
    const size_t end = end_of(g, own.group - pending);
    while (end && g.steps[end - 1].warps != ALL_WARPS)
        emulated_wait({at, &g.steps[end - 1], tell_step});
    if (own.late && g.done < end)
        emulated_put_off({at, &own, tell_step});
    do_until(g, end);
    give_back(at, thread, g, end);
}

void emulated_multiply_group(emulated_place at, float *sums, uint64_t x, uint64_t weight,
                             float (*number)(uint32_t pair, int high))
{
    const order_of_product own = {at, x, weight, number, sums};
    emulated_visit visit = {at, 0xffffffffu, (uintptr_t)(x * 31 + weight), &own, nullptr, order_product};
    emulated_meet_warp(&visit);
}
