#include "emulated_block.h"

#include <stdarg.h>
#include <stdio.h>

#include <vector>

#include "emulated_fibres.h"
#include "emulated_races.h"
#include "emulator.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace
{

enum { WARP = 32, GROUP = 128, WORD = 64 };
enum { LOOKS = 8 }; // that all waiting threads take in vain
enum thread_state { RUNS, MEETS_WARP, MEETS_BLOCK, MEETS_CLUSTER, WAITS, ENDED };
const long long JUMP = 1LL << 32;

struct thread {
    uint3 index, block;
    thread_state state;
    emulated_visit *visit; // for MEETS_WARP
    emulated_place at;     // for MEETS_BLOCK and MEETS_CLUSTER
    emulated_want want;    // for WAITS
};

thread threads[FIBRES];
uint64_t ready[FIBRES / WORD];
unsigned meeting[FIBRES / WARP]; // per warp: the lanes that wait for others
int count, own_count;            // threads of all blocks, and of one
int ended[EMULATED_CLUSTER], at_barrier[EMULATED_CLUSTER], at_cluster;
std::vector<int> waiting, put_off;
int looks; // looks since something last happened
uint64_t meetings[EMULATED_CLUSTER], cluster_meetings;
long long passed;
char vain[400]; // who waits in vain when nobody can go on

bool same_place(const emulated_place &a, const emulated_place &b)
{
    const bool same_text = a.what == b.what && a.file == b.file;
    return a.line == b.line && (same_text || (strcmp(a.what, b.what) == 0 && strcmp(a.file, b.file) == 0));
}

bool meet(const emulated_visit &a, const emulated_visit &b)
{
    return &a == &b || (a.mask == b.mask && a.key == b.key && same_place(a.at, b.at));
}

void wake(int number)
{
    threads[number].state = RUNS;
    ready[number / WORD] |= UINT64_C(1) << number % WORD;
}

void sleep_as(thread_state state)
{
    const int number = fibre_number();
    threads[number].state = state;
    ready[number / WORD] &= ~(UINT64_C(1) << number % WORD);
}

void put_in_place(int number)
{
    threadIdx = threads[number].index;
    blockIdx = threads[number].block;
}

// The first ready thread from `from` on, wrapping around; -1: none.
int ready_from(int from)
{
    for (int i = 0; i <= FIBRES / WORD; i++) {
        const int word = (from / WORD + i) % (FIBRES / WORD);
        const uint64_t bits = i ? ready[word] : ready[word] & ~UINT64_C(0) << from % WORD;
        if (bits)
            return word * WORD + __builtin_ctzll(bits);
    }
    return -1;
}

int last_ready()
{
    for (int word = FIBRES / WORD - 1; word >= 0; word--)
        if (ready[word])
            return word * WORD + WORD - 1 - __builtin_clzll(ready[word]);
    return -1;
}

int choose()
{
    switch (emulated_order()) {
    case EMULATOR_FORWARD:
        return ready_from(0);
    case EMULATOR_BACKWARD:
        return last_ready();
    default:
        return ready_from((int)emulated_any((unsigned)count));
    }
}

// ---- messages about those who wait in vain ----

void tell(const thread &t, char *out, size_t bytes)
{
    const emulated_place &at = t.state == MEETS_WARP ? t.visit->at : t.state == WAITS ? t.want.at : t.at;
    char reason[200] = "";
    if (t.state == WAITS)
        t.want.tell(t.want.what, reason, sizeof reason);
    if (t.state == ENDED)
        snprintf(out, bytes, "has ended");
    else
        snprintf(out, bytes, "waits in %s at %s:%d%s", at.what, at.file, at.line, reason);
}

bool waits_for(const thread &a, int other)
{
    const thread &b = threads[other];
    const int number = (int)(&a - threads);
    if (a.state == MEETS_CLUSTER)
        return b.state != MEETS_CLUSTER;
    if (a.state == MEETS_BLOCK)
        return other / own_count == number / own_count && b.state != MEETS_BLOCK;
    const int first = number / WARP * WARP;
    if (other < first || other >= first + WARP || !(a.visit->mask >> other % WARP & 1))
        return false;
    return b.state != MEETS_WARP || !meet(*a.visit, *b.visit);
}

// Reports whom it waits for.
void say_meets(int number)
{
    char waits[300], comes[300];
    tell(threads[number], waits, sizeof waits);
    put_in_place(number);
    for (int i = 0; i < count; i++)
        if (i != number && waits_for(threads[number], i)) {
            const uint3 other = threads[i].index;
            tell(threads[i], comes, sizeof comes);
            emulated_say("%s for thread (%u, %u, %u), which %s%s", waits, other.x, other.y, other.z, comes,
                         threads[i].state == MEETS_WARP ? " (or with another mask or address)" : "");
            return;
        }
    emulated_say("%s for a lane that the block doesn't have", waits);
}

// Reports first on lanes that wait for their warp, then on threads that wait for something else, then for the block.
void say_stuck()
{
    for (int i = 0; i < count; i++)
        if (threads[i].state == MEETS_WARP) {
            say_meets(i);
            return;
        }
    if (vain[0])
        emulated_say("%s", vain);
    for (int i = 0; i < count; i++)
        if (threads[i].state == MEETS_BLOCK || threads[i].state == MEETS_CLUSTER) {
            say_meets(i);
            return;
        }
}

// ---- meetings ----

// Whether all of the visit's lanes are there, for the same meeting.
bool complete(const emulated_visit *visit, int first, emulated_visit **lanes)
{
    if (visit->mask & ~meeting[first / WARP])
        return false;
    for (int lane = 0; lane < WARP; lane++) {
        lanes[lane] = visit->mask >> lane & 1 ? threads[first + lane].visit : nullptr;
        if (lanes[lane] && !meet(*visit, *lanes[lane]))
            return false;
    }
    return true;
}

void wake_lanes(int first, unsigned mask)
{
    meeting[first / WARP] &= ~mask;
    ready[first / WORD] |= (uint64_t)mask << first % WORD;
    for (int lane = 0; lane < WARP; lane++)
        if (mask >> lane & 1)
            threads[first + lane].state = RUNS;
}

// Wakes the threads from `first` on, before `end`.
void open_barrier(int first, int end)
{
    const emulated_place &at = threads[first].at;
    for (int i = first + 1; i < end; i++)
        if (!same_place(threads[i].at, at))
            emulated_fail("waits in %s at %s:%d, thread (%u, %u, %u) at line %d", at.what, at.file, at.line,
                          threads[i].index.x, threads[i].index.y, threads[i].index.z, threads[i].at.line);
    emulated_order_block();
    for (int i = first; i < end; i++)
        wake(i);
}

// ---- waiting ----

void wake_waiting()
{
    for (const int i : waiting)
        wake(i);
    waiting.clear();
}

void describe_vain()
{
    int first = waiting[0];
    for (const int i : waiting)
        first = i < first ? i : first;
    put_in_place(first);
    char waits[300];
    tell(threads[first], waits, sizeof waits);
    snprintf(vain, sizeof vain, "thread (%u, %u, %u) %s", threadIdx.x, threadIdx.y, threadIdx.z, waits);
}

// Wakes the threads of one warp, the first that put something off. Other warps may still get to the same place.
void wake_put_off()
{
    const int warp = put_off.front() / WARP;
    for (size_t i = put_off.size(); i-- > 0;)
        if (put_off[i] / WARP == warp) {
            wake(put_off[i]);
            put_off.erase(put_off.begin() + (ptrdiff_t)i);
        }
}

// Nobody can go on: a box comes; or else threads do what they put off; or else all waiting threads look again, at a
// later time. False: in vain.
bool go_on()
{
    if (emulated_boxes_bring()) {
        emulated_happened();
        return !emulated_failed();
    }
    if (!put_off.empty()) {
        wake_put_off();
        return true;
    }
    if (waiting.empty())
        return false;
    if (!vain[0])
        describe_vain();
    if (++looks > LOOKS)
        return false;
    passed += JUMP;
    wake_waiting();
    return true;
}

} // namespace

unsigned emulated_lane()
{
    return (unsigned)fibre_number() % WARP;
}

bool emulated_early()
{
    const int order = emulated_order();
    return order == EMULATOR_FORWARD || (order != EMULATOR_BACKWARD && emulated_any(2));
}

void emulated_meet_warp(emulated_visit *visit)
{
    const int number = fibre_number(), first = number / WARP * WARP;
    emulated_visit *lanes[WARP];
    if (!(visit->mask >> number % WARP & 1))
        emulated_fail("%s at %s:%d: the mask %#x isn't the lane's", visit->at.what, visit->at.file, visit->at.line,
                      visit->mask);
    threads[number].visit = visit;
    sleep_as(MEETS_WARP);
    meeting[number / WARP] |= 1u << number % WARP;
    if (complete(visit, first, lanes)) {
        if (visit->exchange)
            visit->exchange(lanes);
        if (visit->orders)
            emulated_order_warp(first);
        wake_lanes(first, visit->mask);
    }
    fibre_pause();
}

void emulated_meet_block(emulated_place at)
{
    const int rank = emulated_rank();
    threads[fibre_number()].at = at;
    sleep_as(MEETS_BLOCK);
    if (++at_barrier[rank] == own_count) {
        at_barrier[rank] = 0;
        meetings[rank]++;
        open_barrier(rank * own_count, (rank + 1) * own_count);
    }
    fibre_pause();
}

void emulated_meet_cluster(emulated_place at)
{
    threads[fibre_number()].at = at;
    sleep_as(MEETS_CLUSTER);
    if (++at_cluster == count) {
        at_cluster = 0;
        cluster_meetings++;
        open_barrier(0, count);
    }
    fibre_pause();
}

int emulated_rank()
{
    return fibre_number() < 0 ? 0 : fibre_number() / own_count;
}

int emulated_thread()
{
    return fibre_number() % own_count;
}

int emulated_block_threads()
{
    return own_count;
}

int emulated_blocks()
{
    return count / own_count;
}

bool emulated_has_ended(int rank)
{
    return ended[rank] == own_count;
}

void emulated_wait(const emulated_want &want)
{
    threads[fibre_number()].want = want;
    sleep_as(WAITS);
    waiting.push_back(fibre_number());
    fibre_pause();
}

void emulated_put_off(const emulated_want &want)
{
    threads[fibre_number()].want = want;
    sleep_as(WAITS);
    put_off.push_back(fibre_number());
    fibre_pause();
}

void emulated_happened()
{
    looks = 0;
    wake_waiting();
}

uint64_t emulated_meetings(bool cluster)
{
    return cluster ? cluster_meetings : meetings[emulated_rank()] + cluster_meetings;
}

long long emulated_clock(long long more)
{
    return passed += more;
}

void emulated_fail(const char *format, ...)
{
    char text[800];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    emulated_say("%s%s%s", text, vain[0] ? ", after " : "", vain);
    fibre_leave();
}

static void begin_blocks(const uint3 *blocks, int block_count, dim3 block)
{
    own_count = (int)(block.x * block.y * block.z);
    count = own_count * block_count;
    looks = at_cluster = 0;
    cluster_meetings = 0;
    memset(ended, 0, sizeof ended);
    memset(at_barrier, 0, sizeof at_barrier);
    memset(meetings, 0, sizeof meetings);
    vain[0] = 0;
    waiting.clear();
    put_off.clear();
    emulated_boxes_begin();
    emulated_products_begin(count);
    memset(ready, 0, sizeof ready);
    memset(meeting, 0, sizeof meeting);
    for (int i = 0; i < count; i++) {
        const unsigned n = (unsigned)(i % own_count);
        threads[i].block = blocks[i / own_count];
        threads[i].index = {n % block.x, n / block.x % block.y, n / block.x / block.y};
        emulated_copies_begin(i);
        wake(i);
    }
}

static void end_thread(int number)
{
    emulated_copies_end(number);
    threads[number].state = ENDED;
    ready[number / WORD] &= ~(UINT64_C(1) << number % WORD);
    ended[number / own_count]++;
}

// Runs the threads in turns, in the sequence that the order chooses, until all have ended.
static bool run_threads(const std::function<void()> &body)
{
    for (int left = count; left > 0;) {
        const int next = choose();
        if (next < 0 && go_on())
            continue;
        if (next < 0) {
            say_stuck();
            return false;
        }
        put_in_place(next);
        const fibre_state state = fibre_run(next, body);
        if (state == FIBRE_LEFT)
            return false;
        if (state == FIBRE_ENDED) {
            end_thread(next);
            left--;
        }
    }
    return true;
}

bool emulated_blocks_run(const uint3 *blocks, int block_count, dim3 block, const std::function<void()> &body)
{
    begin_blocks(blocks, block_count, block);
    if (block_count > 1 && own_count % GROUP) {
        emulated_say("blocks of %d threads, no multiple of %d, as a cluster", own_count, (int)GROUP);
        return false;
    }
    if (block_count > 1)
        emulated_use_groups();
    if (!run_threads(body))
        return false;
    if (vain[0])
        emulated_say("%s", vain);
    emulated_boxes_end();
    emulated_products_end(count);
    return !emulated_failed();
}
