// Launches: what a card refuses, shared memory, orders, and faults of threads.
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "emulated_block.h"
#include "emulated_fibres.h"
#include "emulated_races.h"
#include "emulator.h"

namespace
{

// Of the cards that kernels are compiled for, 7.5 has the least shared memory; those for 9.0 alone may have more.
enum {
    USUAL_SHARED = 48 << 10,
    ANYWHERE_SHARED = 64 << 10,
    MOST_SHARED = 227 << 10,
    AREA = 228 << 10,
    MOST_THREADS = 1024,
    MOST_DEEP = 64,
    PAGE = 4096,
    NAN_BYTE = 0xff
};
enum { MOST_ALIGNED = 1024 };

int order;
unsigned deepest; // blocks of a lesser z are run; 0: all
uint32_t random_state = 1;
std::string said;
std::string kernel_name;                // of the launch that runs
std::map<const void *, size_t> allowed; // more shared memory than usual
std::set<const void *> launched;        // kernels

// Two areas that end at pages nobody may touch: what the launch asked for, and places of fixed sizes.
unsigned char *dynamic_area, *dynamic_begin, *dynamic_end, *fixed_begin;
size_t dynamic_alignment, dynamic_bytes, fixed_bytes;
std::map<const void *, std::pair<void *, size_t>> fixed;
bool uses_groups;

// At a multiple of EMULATED_WINDOW, so that an address's low bits are those of a card.
unsigned char *map_area()
{
    const size_t bytes = 2 * EMULATED_WINDOW + PAGE;
    unsigned char *area =
        (unsigned char *)mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    area += EMULATED_WINDOW - (uintptr_t)area % EMULATED_WINDOW;
    mprotect(area, AREA, PROT_READ | PROT_WRITE);
    return area;
}

// At no more than a multiple of what was asked for, as near to the end as that allows.
void place_dynamic(size_t alignment)
{
    const uintptr_t last = (uintptr_t)dynamic_end - dynamic_bytes;
    dynamic_alignment = alignment;
    dynamic_begin = (unsigned char *)(last - (last + alignment) % (2 * alignment));
}

// What may lie there, and a page of what lies before it.
size_t around()
{
    const size_t bytes = dynamic_bytes + 2 * MOST_ALIGNED + PAGE;
    return bytes < AREA ? bytes : (size_t)AREA;
}

void begin_shared()
{
    if (!dynamic_end) {
        dynamic_area = map_area();
        dynamic_end = dynamic_area + AREA;
        fixed_begin = map_area();
        emulated_watch_area(dynamic_area, AREA, true);
        emulated_watch_area(fixed_begin, AREA, true);
    }
    dynamic_begin = dynamic_end - dynamic_bytes;
    dynamic_alignment = 0;
    uses_groups = false;
    memset(dynamic_end - around(), NAN_BYTE, around());
    fixed.clear();
    fixed_bytes = 0;
}

// What lies around the memory that was asked for must be as it was.
bool shared_is_kept()
{
    const unsigned char *begin = dynamic_begin;
    for (const unsigned char *byte = dynamic_end - around(); byte < dynamic_end; byte++)
        if ((byte < begin || byte >= begin + dynamic_bytes) && *byte != NAN_BYTE) {
            emulated_say("byte %td of %zu bytes of shared memory was written", byte - begin, dynamic_bytes);
            return false;
        }
    return true;
}

// "kernel<..>", of a call's text.
std::string name_of(const char *call)
{
    int depth = 0;
    const char *end = call;
    for (; *end && (*end != ',' || depth > 0); end++)
        depth += *end == '<' ? 1 : *end == '>' ? -1 : 0;
    return std::string(call, end);
}

bool is_launchable(dim3 grid, dim3 block, size_t bytes, const void *kernel)
{
    const auto found = allowed.find(kernel);
    const size_t most = found != allowed.end() ? found->second : (size_t)USUAL_SHARED;
    const uint64_t threads = (uint64_t)block.x * block.y * block.z;
    if (grid.x && grid.x <= INT32_MAX && grid.y && grid.y <= UINT16_MAX && grid.z && grid.z <= UINT16_MAX && threads &&
        threads <= MOST_THREADS && block.z <= MOST_DEEP && bytes <= most)
        return true;
    emulated_say("%u x %u x %u blocks of %u x %u x %u threads with %zu bytes of shared memory are no launch", grid.x,
                 grid.y, grid.z, block.x, block.y, block.z, bytes);
    return false;
}

// ---- faults ----

enum { FAULTS = 4 };
const int fault_signals[FAULTS] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
struct sigaction before[FAULTS];

void on_fault(int number, siginfo_t *info, void *)
{
    if (fibre_number() < 0) { // not a thread's: whoever would have had it
        for (int i = 0; i < FAULTS; i++)
            sigaction(fault_signals[i], &before[i], nullptr);
        return;
    }
    if (number == SIGSEGV || number == SIGBUS)
        emulated_fail("touches %s", emulated_where(info->si_addr));
    emulated_fail("does what is undefined: an unaligned address, an index outside of an array, an overflow");
}

void catch_faults()
{
    static unsigned char stack[64 << 10];
    stack_t own = {};
    own.ss_sp = stack;
    own.ss_size = sizeof stack;
    sigaltstack(&own, nullptr);
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER; // it doesn't return
    for (int i = 0; i < FAULTS; i++)
        sigaction(fault_signals[i], &action, &before[i]);
}

void stop_catching()
{
    for (int i = 0; i < FAULTS; i++)
        sigaction(fault_signals[i], &before[i], nullptr);
}

// ---- blocks ----

bool fits_a_card()
{
    if (dynamic_bytes <= ANYWHERE_SHARED || uses_groups)
        return true;
    emulated_say("%zu bytes of shared memory are more than 7.5 has, and nothing keeps the kernel from it",
                 dynamic_bytes);
    return false;
}

bool run_block(uint64_t number, dim3 grid, dim3 block, const std::function<void()> &thread)
{
    blockIdx = {(unsigned)(number % grid.x), (unsigned)(number / grid.x % grid.y),
                (unsigned)(number / grid.x / grid.y)};
    begin_shared();
    emulated_watch_block((unsigned)number);
    return emulated_block_run(block, thread) && shared_is_kept() && fits_a_card();
}

std::vector<uint64_t> blocks_in_order(uint64_t count)
{
    std::vector<uint64_t> out(count);
    for (uint64_t i = 0; i < count; i++)
        out[i] = order == EMULATOR_BACKWARD ? count - 1 - i : i;
    for (uint64_t i = 0; order > EMULATOR_BACKWARD && i < count; i++)
        std::swap(out[i], out[i + emulated_any((unsigned)(count - i))]);
    return out;
}

} // namespace

int emulated_order()
{
    return order;
}

unsigned emulated_any(unsigned count)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % count;
}

void emulator_order(int which)
{
    order = which;
    random_state = 2463534242u + (uint32_t)which;
    said.clear();
    emulated_conflicts_forget();
}

int emulator_kernels(void)
{
    return (int)launched.size();
}

void emulator_depth(unsigned most)
{
    deepest = most;
}

const char *emulator_order_name(int which)
{
    static const char *const names[EMULATOR_ORDERS] = {"forward", "backward", "any", "any other"};
    return names[which];
}

const char *emulator_said(void)
{
    return said.c_str();
}

bool emulated_failed()
{
    return !said.empty();
}

void emulated_say(const char *format, ...)
{
    if (emulated_failed())
        return;
    char place[200], text[800];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(place, sizeof place, ", block (%u, %u, %u), thread (%u, %u, %u), order %s: ", blockIdx.x, blockIdx.y,
             blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z, emulator_order_name(order));
    said = kernel_name + place + text;
}

void *emulated_dynamic(size_t alignment)
{
    if (alignment > MOST_ALIGNED || (dynamic_alignment && alignment != dynamic_alignment))
        emulated_fail("shared memory at multiples of %zu and %zu", alignment, dynamic_alignment);
    if (!dynamic_alignment)
        place_dynamic(alignment);
    return dynamic_begin;
}

void *emulated_fixed(const void *key, size_t bytes)
{
    auto found = fixed.find(key);
    if (found != fixed.end())
        return found->second.first;
    if (dynamic_bytes + fixed_bytes + bytes > (dynamic_bytes > USUAL_SHARED ? MOST_SHARED : USUAL_SHARED))
        emulated_fail("%zu bytes of shared memory and %zu asked for", fixed_bytes + bytes, dynamic_bytes);
    void *at = memset(fixed_begin + fixed_bytes, NAN_BYTE, bytes);
    fixed[key] = {at, bytes};
    fixed_bytes = (fixed_bytes + bytes + 15) / 16 * 16;
    return at;
}

bool emulated_is_shared(const void *at, size_t bytes)
{
    const unsigned char *first = (const unsigned char *)at;
    return (first >= dynamic_begin && first + bytes <= dynamic_begin + dynamic_bytes) ||
           (first >= fixed_begin && first + bytes <= fixed_begin + fixed_bytes);
}

const char *emulated_where(const void *at)
{
    static char text[200];
    const unsigned char *byte = (const unsigned char *)at;
    if (byte >= dynamic_area - PAGE && byte < dynamic_end + PAGE)
        snprintf(text, sizeof text, "byte %td of %zu bytes of shared memory", byte - dynamic_begin, dynamic_bytes);
    else if (byte >= fixed_begin && byte < fixed_begin + fixed_bytes)
        snprintf(text, sizeof text, "byte %td of %zu bytes of arrays of shared memory", byte - fixed_begin,
                 fixed_bytes);
    else
        emulated_describe(at, text, sizeof text);
    return text;
}

unsigned char *emulated_window()
{
    return dynamic_area;
}

void emulated_use_groups()
{
    uses_groups = true;
    emulated_watch_nothing();
}

cudaError_t emulated_set_shared(const void *kernel, int bytes)
{
    if (bytes < 0 || bytes > MOST_SHARED)
        return cudaErrorInvalidValue;
    allowed[kernel] = bytes > USUAL_SHARED ? (size_t)bytes : (size_t)USUAL_SHARED;
    return cudaSuccess;
}

cudaError_t emulated_launch(const char *call, const void *kernel, dim3 grid, dim3 block, size_t bytes,
                            const std::function<void()> &thread)
{
    kernel_name = name_of(call);
    blockIdx = threadIdx = {};
    if (!is_launchable(grid, block, bytes, kernel))
        return cudaErrorInvalidConfiguration;
    launched.insert(kernel);
    gridDim = grid;
    blockDim = block;
    dynamic_bytes = bytes;
    emulated_watch_launch();
    catch_faults();
    const unsigned deep = deepest && deepest < grid.z ? deepest : grid.z;
    for (const uint64_t number : blocks_in_order((uint64_t)grid.x * grid.y * deep))
        if (!run_block(number, grid, block, thread)) {
            fibres_abandon();
            break;
        }
    stop_catching();
    return emulated_failed() ? cudaErrorLaunchFailure : cudaSuccess;
}
