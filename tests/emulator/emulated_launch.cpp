// Launches: what a card refuses, the orders, and threads' faults.
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <set>
#include <string>
#include <vector>

#include "emulated_block.h"
#include "emulated_fibres.h"
#include "emulated_races.h"
#include "emulator.h"

namespace
{

enum { MOST_THREADS = 1024, MOST_DEEP = 64 };

int order;
unsigned deepest; // only blocks with a smaller z are run; 0: all
uint32_t random_state = 1;
std::string said;
std::string kernel_name;         // of the running launch
std::set<const void *> launched; // kernels launched so far

// "kernel<..>", from a call's text.
std::string name_of(const char *call)
{
    int depth = 0;
    const char *end = call;
    for (; *end && (*end != ',' || depth > 0); end++)
        depth += *end == '<' ? 1 : *end == '>' ? -1 : 0;
    return std::string(call, end);
}

bool is_launchable(dim3 grid, dim3 block, size_t bytes, const void *kernel, int cluster)
{
    const uint64_t threads = (uint64_t)block.x * block.y * block.z;
    const bool fits = emulated_shared_fits(kernel, bytes);
    if (fits && grid.x && grid.x <= INT32_MAX && grid.y && grid.y <= UINT16_MAX && grid.z && grid.z <= UINT16_MAX &&
        threads && threads <= MOST_THREADS && block.z <= MOST_DEEP && grid.x % (unsigned)cluster == 0)
        return true;
    emulated_say("%u x %u x %u blocks of %u x %u x %u threads with %zu bytes of shared memory are no launch%s", grid.x,
                 grid.y, grid.z, block.x, block.y, block.z, bytes, cluster > 1 ? " of pairs" : "");
    return false;
}

// ---- faults ----

enum { FAULTS = 4 };
const int fault_signals[FAULTS] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
struct sigaction before[FAULTS];

void on_fault(int number, siginfo_t *info, void *)
{
    if (fibre_number() < 0) { // not a thread's fault: whoever handled it before gets it
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
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER; // the handler doesn't return
    for (int i = 0; i < FAULTS; i++)
        sigaction(fault_signals[i], &action, &before[i]);
}

void stop_catching()
{
    for (int i = 0; i < FAULTS; i++)
        sigaction(fault_signals[i], &before[i], nullptr);
}

// ---- blocks ----

uint3 block_at(uint64_t number, dim3 grid)
{
    return {(unsigned)(number % grid.x), (unsigned)(number / grid.x % grid.y), (unsigned)(number / grid.x / grid.y)};
}

// Runs the blocks of a cluster, the first of which is number `first`.
bool run_blocks(uint64_t first, int cluster, dim3 grid, dim3 block, const std::function<void()> &thread)
{
    uint3 blocks[EMULATED_CLUSTER];
    for (int i = 0; i < cluster; i++)
        blocks[i] = block_at(first + (unsigned)i, grid);
    blockIdx = blocks[0];
    emulated_shared_begin(cluster);
    emulated_watch_block((unsigned)first);
    return emulated_blocks_run(blocks, cluster, block, thread) && emulated_shared_end(cluster);
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

cudaError_t emulated_launch(const char *call, const void *kernel, dim3 grid, dim3 block, size_t bytes, int cluster,
                            const std::function<void()> &thread)
{
    kernel_name = name_of(call);
    blockIdx = threadIdx = {};
    if (!is_launchable(grid, block, bytes, kernel, cluster))
        return cudaErrorInvalidConfiguration;
    launched.insert(kernel);
    gridDim = grid;
    blockDim = block;
    emulated_watch_launch();
    catch_faults();
    const unsigned deep = deepest && deepest < grid.z ? deepest : grid.z;
    for (const uint64_t number : blocks_in_order((uint64_t)grid.x * grid.y * deep / (unsigned)cluster))
        if (!run_blocks(number * (unsigned)cluster, cluster, grid, block, thread)) {
            fibres_abandon();
            break;
        }
    stop_catching();
    return emulated_failed() ? cudaErrorLaunchFailure : cudaSuccess;
}
