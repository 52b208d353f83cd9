#include "emulated_races.h"

#include <sys/mman.h>

#include <vector>

#include "emulated_block.h"
#include "emulated_fibres.h"
#include "emulator.h"

namespace
{

enum { WARP = 32, VALUE = 2, STACK = 64 << 10 };

// Who last touched a value, each as a moment; 0: never.
struct note {
    uint64_t write, read;
    uint64_t read_by_lane, read_by_warp; // by another lane of that warp, by another warp
    uint64_t copy;                       // a copy that is under way
};

struct area {
    const unsigned char *begin;
    size_t bytes;
    bool shared;
    note *notes; // values that were never touched take no memory
};

// Bits: block + 1: 24, thread: 10, the block's barriers so far: 15, the warp's since then: 15.
struct moment {
    unsigned block, thread, block_turn, warp_turn;
};

std::vector<area> areas;
size_t last_area; // the last one that was touched
bool wanted = true, watches;
unsigned block_number, block_turn, warp_turns[FIBRES / WARP];

uint64_t pack(const moment &m)
{
    return (uint64_t)(m.block & 0xffffff) << 40 | (uint64_t)m.thread << 30 | (m.block_turn & 0x7fff) << 15 |
           (m.warp_turn & 0x7fff);
}

moment unpack(uint64_t time)
{
    return {(unsigned)(time >> 40), (unsigned)(time >> 30 & 1023), (unsigned)(time >> 15 & 0x7fff),
            (unsigned)(time & 0x7fff)};
}

bool is_ordered(uint64_t before, uint64_t now, bool shared)
{
    if (!before)
        return true;
    const moment a = unpack(before), b = unpack(now);
    if (a.block != b.block)
        return shared;
    return a.thread == b.thread || a.block_turn != b.block_turn ||
           (a.thread / WARP == b.thread / WARP && a.warp_turn != b.warp_turn);
}

void keep_read(note &n, uint64_t now)
{
    const moment a = unpack(n.read), b = unpack(now);
    if (n.read && (a.block != b.block || a.thread / WARP != b.thread / WARP)) {
        n.read_by_warp = n.read;
        n.read_by_lane = 0;
    } else if (n.read && a.thread != b.thread) {
        n.read_by_lane = n.read;
    }
    n.read = now;
}

[[noreturn]] void say_race(const void *at, uint64_t before, bool wrote, bool writes)
{
    const moment m = unpack(before);
    emulated_fail("%s %s, which thread %u of block %u %s, and no barrier is between", writes ? "writes" : "reads",
                  emulated_where(at), m.thread, m.block - 1, wrote ? "writes" : "reads");
}

void touch(note &n, const void *at, uint64_t now, bool shared, bool writes)
{
    if (n.copy)
        emulated_fail("%s %s, to which a copy of thread %u's is under way", writes ? "writes" : "reads",
                      emulated_where(at), unpack(n.copy).thread);
    if (!is_ordered(n.write, now, shared))
        say_race(at, n.write, true, writes);
    if (!writes) {
        keep_read(n, now);
        return;
    }
    for (const uint64_t read : {n.read, n.read_by_lane, n.read_by_warp})
        if (!is_ordered(read, now, shared))
            say_race(at, read, false, true);
    n = {now, 0, 0, 0, 0};
}

size_t bytes_of_notes(const area &a)
{
    return (a.bytes / VALUE + 1) * sizeof(note);
}

const area *find(uintptr_t address)
{
    const auto holds = [&](const area &a) { return address - (uintptr_t)a.begin < a.bytes; };
    if (last_area < areas.size() && holds(areas[last_area]))
        return &areas[last_area];
    for (size_t i = 0; i < areas.size(); i++)
        if (holds(areas[i])) {
            last_area = i;
            return &areas[i];
        }
    return nullptr;
}

} // namespace

void emulated_watch_area(const void *begin, size_t bytes, bool shared)
{
    area a = {(const unsigned char *)begin, bytes, shared, nullptr};
    a.notes = (note *)mmap(nullptr, bytes_of_notes(a), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (a.notes != MAP_FAILED)
        areas.push_back(a);
}

void emulated_unwatch_area(const void *begin)
{
    for (size_t i = 0; i < areas.size(); i++)
        if (areas[i].begin == begin) {
            munmap(areas[i].notes, bytes_of_notes(areas[i]));
            areas.erase(areas.begin() + (ptrdiff_t)i);
        }
    last_area = 0;
}

void emulated_watch_launch()
{
    for (const area &a : areas)
        madvise(a.notes, bytes_of_notes(a), MADV_DONTNEED);
}

void emulator_watch(bool races)
{
    wanted = races;
}

void emulated_watch_block(unsigned number)
{
    watches = wanted;
    block_number = number;
    block_turn = 0;
    memset(warp_turns, 0, sizeof warp_turns);
}

void emulated_watch_nothing()
{
    watches = false;
}

void emulated_order_block()
{
    block_turn++;
}

void emulated_order_warp(int first_thread)
{
    warp_turns[first_thread / WARP]++;
}

// Calls act(note, now, shared) for each watched value.
template <typename ACT> static void for_notes(const void *at, size_t bytes, const ACT &act)
{
    const int thread = fibre_number();
    const area *a = thread < 0 ? nullptr : find((uintptr_t)at);
    if (!a)
        return;
    const uint64_t now = pack({block_number + 1, (unsigned)thread, block_turn, warp_turns[thread / WARP]});
    const size_t first = (size_t)((const unsigned char *)at - a->begin), last = first + bytes - 1;
    for (size_t i = first / VALUE; i <= last / VALUE && last < a->bytes; i++)
        act(a->notes[i], now, a->shared);
}

void emulated_access(const void *at, size_t bytes, bool writes)
{
    if (watches && (uintptr_t)at - (uintptr_t)__builtin_frame_address(0) >= STACK)
        for_notes(at, bytes, [&](note &n, uint64_t now, bool shared) { touch(n, at, now, shared, writes); });
}

void emulated_access_copy(const void *at, size_t bytes, bool under_way)
{
    if (!watches)
        return;
    for_notes(at, bytes, [&](note &n, uint64_t now, bool shared) {
        n.copy = 0;
        touch(n, at, now, shared, true);
        n.copy = under_way ? now : 0;
    });
}

// ---- functions that the compiler calls ----

extern "C" {

void __tsan_init()
{
}

void __tsan_func_entry(void *)
{
}

void __tsan_func_exit(void *)
{
}

void __tsan_vptr_update(void *, void *)
{
}

void __tsan_vptr_read(void *)
{
}

void __tsan_read_range(void *at, size_t bytes)
{
    emulated_access(at, bytes, false);
}

void __tsan_write_range(void *at, size_t bytes)
{
    emulated_access(at, bytes, true);
}

#define ACCESS(name, bytes)                                                                                            \
    void __tsan_read##name(void *at)                                                                                   \
    {                                                                                                                  \
        emulated_access(at, bytes, false);                                                                             \
    }                                                                                                                  \
    void __tsan_write##name(void *at)                                                                                  \
    {                                                                                                                  \
        emulated_access(at, bytes, true);                                                                              \
    }                                                                                                                  \
    void __tsan_unaligned_read##name(void *at)                                                                         \
    {                                                                                                                  \
        emulated_access(at, bytes, false);                                                                             \
    }                                                                                                                  \
    void __tsan_unaligned_write##name(void *at)                                                                        \
    {                                                                                                                  \
        emulated_access(at, bytes, true);                                                                              \
    }

ACCESS(1, 1)
ACCESS(2, 2)
ACCESS(4, 4)
ACCESS(8, 8)
ACCESS(16, 16)

// g++ leaves these calls as they are; clang calls these functions.
void *__tsan_memcpy(void *to, const void *from, size_t bytes)
{
    emulated_access(from, bytes, false);
    emulated_access(to, bytes, true);
    return memcpy(to, from, bytes);
}

void *__tsan_memset(void *to, int byte, size_t bytes)
{
    emulated_access(to, bytes, true);
    return memset(to, byte, bytes);
}
}
