// Barriers in shared memory, boxes of matrices that are copied there, and barriers of some threads.
#include <stdio.h>
#include <stdlib.h>

#include <map>
#include <vector>

#include "emulated_block.h"
#include "emulated_fibres.h"
#include "emulated_warpgroup.h"
#include "emulator.h"

namespace
{

enum {
    WARP = 32,
    BOX_COLS = 64,
    CHUNK = 16, // bytes that swizzling keeps together
    ROW = BOX_COLS * 2,
    MOST_ROWS = 256,
    MOST_COUNT = (1 << 20) - 1, // of arrivals, and of bytes
    SOME = 16,
    NAN_BYTE = 0xff
};
const uint64_t MAP_MARK = 0x70616d20656c6974, BARRIER_MARK = 0x7261622d6d000000;

struct barrier {
    uint64_t mark; // the value written in its place
    unsigned arrivals, pending, phase;
    int64_t bytes; // expected bytes that haven't come
    int owner, rank;
    bool ready;
    uint64_t meetings, cluster_meetings; // of the block and of the cluster, when it was made
};

struct matrix_map {
    uint64_t mark;
    const uint16_t *matrix;
    int rows, cols, box_rows;
};
static_assert(sizeof(matrix_map) <= sizeof(CUtensorMap), "it has room there");

struct box {
    emulated_place at;
    unsigned char *to;
    matrix_map map;
    int row, col;
    uint64_t *barrier;
    unsigned phase; // the barrier's phase when the box was ordered
    int rank;       // of the block that it is copied to
    uint3 thread, block;
};

struct some_threads {
    int threads, arrived;
    uint64_t times; // how often it has opened
};

std::map<uint64_t *, barrier> barriers;
std::vector<box> under_way;
some_threads some[EMULATED_CLUSTER][SOME];
unsigned char copied[EMULATED_CLUSTER][EMULATED_WINDOW]; // what copies wrote

// What copies wrote at that address.
unsigned char *copied_to(const void *at)
{
    int rank = 0;
    while ((uintptr_t)at - (uintptr_t)emulated_window(rank) >= EMULATED_WINDOW)
        rank++;
    return copied[rank] + (uintptr_t)at % EMULATED_WINDOW;
}

// The same place in another block of the cluster.
template <typename T> T *place_in(emulated_place at, int rank, T *own)
{
    if (rank >= emulated_blocks())
        emulated_fail("%s at %s:%d: block %d of a cluster of %d", at.what, at.file, at.line, rank, emulated_blocks());
    if (emulated_has_ended(rank))
        emulated_fail("%s at %s:%d: block %d of the cluster has ended", at.what, at.file, at.line, rank);
    return (T *)(emulated_window(rank) + tub_gpu_warpgroup_address(own));
}

// ---- barriers ----

barrier &find(emulated_place at, uint64_t *place)
{
    const auto found = barriers.find(place);
    if (found == barriers.end())
        emulated_fail("%s at %s:%d: no barrier was made at %s", at.what, at.file, at.line, emulated_where(place));
    barrier &b = found->second;
    if (*place != b.mark)
        emulated_fail("%s at %s:%d: the barrier's place was written", at.what, at.file, at.line);
    const bool is_own = b.rank == emulated_rank();
    const bool met = is_own ? emulated_meetings(false) != b.meetings : emulated_meetings(true) != b.cluster_meetings;
    if (fibre_number() != b.owner && (!b.ready || !met))
        emulated_fail("%s at %s:%d: the barrier isn't this thread's before it was made ready and the %s has met",
                      at.what, at.file, at.line, is_own ? "block" : "cluster");
    return b;
}

void end_phase_if_over(barrier &b)
{
    if (b.pending || b.bytes)
        return;
    b.phase++;
    b.pending = b.arrivals;
    emulated_happened();
}

void arrive(emulated_place at, barrier &b, unsigned bytes)
{
    if (b.pending == 0)
        emulated_fail("%s at %s:%d: more than the %u arrivals of a phase", at.what, at.file, at.line, b.arrivals);
    b.bytes += bytes;
    if (b.bytes > MOST_COUNT)
        emulated_fail("%s at %s:%d: %lld bytes are more than a barrier counts", at.what, at.file, at.line,
                      (long long)b.bytes);
    b.pending--;
    end_phase_if_over(b);
}

void tell_barrier(const void *what, char *out, size_t bytes)
{
    const auto *b = (const barrier *)what;
    snprintf(out, bytes, " for the end of phase %u, where %u of %u arrivals are missing, and %lld bytes %s", b->phase,
             b->pending, b->arrivals, llabs((long long)b->bytes), b->bytes < 0 ? "more than expected came" : "too");
}

void tell_some(const void *what, char *out, size_t bytes)
{
    const auto *s = (const some_threads *)what;
    snprintf(out, bytes, ", where %d of %d threads are", s->arrived, s->threads);
}

// ---- boxes ----

uint16_t value_of(const box &b, int row, int col)
{
    const bool there = row >= 0 && row < b.map.rows && col >= 0 && col < b.map.cols;
    return there ? b.map.matrix[(int64_t)row * b.map.cols + col] : (uint16_t)0;
}

// Reads the whole box in the thread that orders it: an address that nobody may read shows there.
void touch(const box &b)
{
    volatile uint16_t last;
    for (int row = 0; row < b.map.box_rows; row++)
        for (int col = 0; col < BOX_COLS; col++)
            last = value_of(b, b.row + row, b.col + col);
    (void)last;
}

// The address is swizzled: chunks of 16 bytes, depending on which of eight rows, of 128 bytes each, they are in.
void copy_rows(const box &b)
{
    for (int row = 0; row < b.map.box_rows; row++)
        for (int chunk = 0; chunk < ROW / CHUNK; chunk++) {
            uint16_t values[CHUNK / 2];
            uintptr_t to = (uintptr_t)b.to + (uintptr_t)(row * ROW + chunk * CHUNK);
            to ^= to / ROW % 8 * CHUNK;
            for (int i = 0; i < CHUNK / 2; i++)
                values[i] = value_of(b, b.row + row, b.col + chunk * CHUNK / 2 + i);
            if (!emulated_is_copied((const void *)to, CHUNK))
                emulated_say("%s at %s:%d: threads have written to the box's place, and no fence of proxies is between",
                             b.at.what, b.at.file, b.at.line);
            memcpy((void *)to, values, CHUNK);
            memcpy(copied_to((const void *)to), values, CHUNK);
        }
}

void bring(const box &b)
{
    const uint3 before = threadIdx, block_before = blockIdx;
    barrier &counts = barriers[b.barrier];
    threadIdx = b.thread;
    blockIdx = b.block;
    if (emulated_has_ended(b.rank))
        emulated_say("%s at %s:%d: the block ends, and its box is still under way", b.at.what, b.at.file, b.at.line);
    copy_rows(b);
    counts.bytes -= b.map.box_rows * ROW;
    if (counts.phase != b.phase || counts.bytes < -MOST_COUNT)
        emulated_say("%s at %s:%d: its %d bytes come in another phase than they were ordered in: fewer were expected",
                     b.at.what, b.at.file, b.at.line, b.map.box_rows * ROW);
    end_phase_if_over(counts);
    threadIdx = before;
    blockIdx = block_before;
}

void check_place(const box &b, const unsigned char *own)
{
    const emulated_place &at = b.at;
    if ((uintptr_t)own % ROW)
        emulated_fail("%s at %s:%d: a box at %s, no multiple of 128", at.what, at.file, at.line, emulated_where(own));
    if (!emulated_is_shared(own, (size_t)b.map.box_rows * ROW))
        emulated_fail("%s at %s:%d: a box of %d bytes from %s on", at.what, at.file, at.line, b.map.box_rows * ROW,
                      emulated_where(own));
}

// Checks that no barrier lies in the box's place.
void check_barriers(const box &b)
{
    const emulated_place &at = b.at;
    for (const auto &other : barriers)
        if ((unsigned char *)(other.first + 1) > b.to && (unsigned char *)other.first < b.to + b.map.box_rows * ROW)
            emulated_fail("%s at %s:%d: a barrier lies in the box's place", at.what, at.file, at.line);
}

} // namespace

void emulated_boxes_begin()
{
    barriers.clear();
    under_way.clear();
    memset(some, 0, sizeof some);
    memset(copied, NAN_BYTE, sizeof copied);
}

bool emulated_boxes_bring()
{
    if (under_way.empty())
        return false;
    const size_t first = under_way.size() - 1,
                 which = emulated_order() > EMULATOR_BACKWARD ? emulated_any((unsigned)first + 1) : first;
    const box b = under_way[which];
    under_way.erase(under_way.begin() + (long)which);
    bring(b);
    return true;
}

void emulated_boxes_end()
{
    if (!under_way.empty())
        emulated_say("%s at %s:%d: the block ends, and its box is still under way", under_way[0].at.what,
                     under_way[0].at.file, under_way[0].at.line);
    for (const auto &b : barriers)
        if (b.second.bytes)
            emulated_say("the block ends with %lld bytes missing at a barrier", (long long)b.second.bytes);
}

bool emulated_is_copied(const void *at, size_t bytes)
{
    return memcmp(at, copied_to(at), bytes) == 0;
}

void tub_gpu_barrier_init(uint64_t *place, unsigned arrivals, const char *file, int line)
{
    if ((uintptr_t)place % 8 || !emulated_is_shared(place, 8))
        emulated_fail("tub_gpu_barrier_init at %s:%d: %s is no place for a barrier", file, line, emulated_where(place));
    if (arrivals < 1 || arrivals > MOST_COUNT)
        emulated_fail("tub_gpu_barrier_init at %s:%d: %u arrivals", file, line, arrivals);
    if (barriers.count(place))
        emulated_fail("tub_gpu_barrier_init at %s:%d: there is a barrier already", file, line);
    *place = BARRIER_MARK + barriers.size();
    barriers[place] = {*place,
                       arrivals,
                       arrivals,
                       0,
                       0,
                       fibre_number(),
                       emulated_rank(),
                       false,
                       emulated_meetings(false),
                       emulated_meetings(true)};
    emulated_use_groups();
}

void tub_gpu_barriers_ready()
{
    for (auto &b : barriers)
        b.second.ready |= b.second.owner == fibre_number();
}

void tub_gpu_barrier_arrive(uint64_t *place, const char *file, int line)
{
    const emulated_place at = {"tub_gpu_barrier_arrive", file, line};
    arrive(at, find(at, place), 0);
}

void tub_gpu_barrier_arrive_at(uint64_t *place, unsigned rank, const char *file, int line)
{
    const emulated_place at = {"tub_gpu_barrier_arrive_at", file, line};
    arrive(at, find(at, place_in(at, (int)rank, place)), 0);
}

void tub_gpu_barrier_expect(uint64_t *place, unsigned bytes, const char *file, int line)
{
    const emulated_place at = {"tub_gpu_barrier_expect", file, line};
    arrive(at, find(at, place), bytes);
}

// A parity's phase is over if it is the phase before the current one.
bool tub_gpu_barrier_try(uint64_t *place, unsigned parity, const char *file, int line)
{
    const emulated_place at = {"tub_gpu_barrier_try", file, line};
    const barrier &b = find(at, place);
    if (parity > 1)
        emulated_fail("tub_gpu_barrier_try at %s:%d: parity %u", file, line, parity);
    if (b.phase % 2 == parity)
        emulated_wait({at, &b, tell_barrier});
    return b.phase % 2 != parity;
}

long long tub_gpu_clock()
{
    return emulated_clock(64);
}

void emulated_sync_some(emulated_place at, int id, int threads)
{
    if (id < 1 || id >= SOME)
        emulated_fail("%s at %s:%d: number %d of 16 barriers, of which __syncthreads() has the first", at.what, at.file,
                      at.line, id);
    some_threads &s = some[emulated_rank()][id];
    emulated_visit visit = {at, 0xffffffffu, (uintptr_t)(id * MOST_COUNT + threads), nullptr, nullptr, nullptr};
    emulated_meet_warp(&visit);
    if (s.arrived && s.threads != threads)
        emulated_fail("%s at %s:%d: for %d threads, and others for %d", at.what, at.file, at.line, threads, s.threads);
    s.threads = threads;
    const uint64_t times = s.times;
    if (++s.arrived == threads) {
        s.arrived = 0;
        s.times++;
        emulated_happened();
    }
    while (s.times == times)
        emulated_wait({at, &s, tell_some});
}

void tub_gpu_fetch_map(const CUtensorMap *map, const char *file, int line)
{
    if ((uintptr_t)map % 64 || ((const matrix_map *)map)->mark != MAP_MARK)
        emulated_fail("tub_gpu_fetch_map at %s:%d: there is no map at %p", file, line, (const void *)map);
}

static void load_box(const box &order, unsigned char *own, uint64_t *own_barrier, const CUtensorMap *map)
{
    const emulated_place &at = order.at;
    box b = order;
    memcpy(&b.map, map, sizeof b.map);
    if ((uintptr_t)map % 64 || b.map.mark != MAP_MARK)
        emulated_fail("%s at %s:%d: there is no map at %p", at.what, at.file, at.line, (const void *)map);
    check_place(b, own);
    b.to = place_in(at, b.rank, own);
    b.barrier = place_in(at, b.rank, own_barrier);
    const barrier &counts = find(at, b.barrier);
    if (!counts.ready)
        emulated_fail("%s at %s:%d: the barrier wasn't made ready", at.what, at.file, at.line);
    check_barriers(b);
    touch(b);
    b.phase = counts.phase;
    if (emulated_early())
        bring(b);
    else
        under_way.push_back(b);
    if (emulated_failed())
        fibre_leave();
}

void tub_gpu_load_box(void *shared, const CUtensorMap *map, int row, int col, uint64_t *place, const char *file,
                      int line)
{
    const emulated_place at = {"tub_gpu_load_box", file, line};
    load_box({at, nullptr, {}, row, col, nullptr, 0, emulated_rank(), threadIdx, blockIdx}, (unsigned char *)shared,
             place, map);
}

// One copy for each block, each at its own time.
void tub_gpu_load_box_for_pair(void *shared, const CUtensorMap *map, int row, int col, uint64_t *place,
                               const char *file, int line)
{
    const emulated_place at = {"tub_gpu_load_box_for_pair", file, line};
    for (int rank = 0; rank < EMULATED_CLUSTER; rank++)
        load_box({at, nullptr, {}, row, col, nullptr, 0, rank, threadIdx, blockIdx}, (unsigned char *)shared, place,
                 map);
}

void tub_gpu_pair_sync(const char *file, int line)
{
    emulated_meet_cluster({"tub_gpu_pair_sync", file, line});
}

extern "C" cudaError_t tub_cuda_box_map(CUtensorMap *out, const void *matrix, tub_gpu_type type, int rows, int cols,
                                        int box_rows)
{
    const matrix_map map = {MAP_MARK, (const uint16_t *)matrix, rows, cols, box_rows};
    if ((type != TUB_GPU_F16 && type != TUB_GPU_BF16) || (uintptr_t)out % 64 || !matrix || (uintptr_t)matrix % 16 ||
        rows < 1 || cols < 1 || cols * 2 % 16 || box_rows < 1 || box_rows > MOST_ROWS)
        return cudaErrorInvalidValue;
    memset(out, 0, sizeof *out);
    memcpy(out, &map, sizeof map);
    return cudaSuccess;
}
