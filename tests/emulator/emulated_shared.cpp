// Shared memory of each block of a cluster: what the launch asked for, and places of fixed sizes.
#include <stdio.h>
#include <sys/mman.h>

#include <map>

#include "emulated_block.h"
#include "emulated_races.h"

namespace
{

// Of the cards that kernels are compiled for, 7.5 has the least shared memory. Kernels for 9.0 only may have more.
enum {
    USUAL_SHARED = 48 << 10,
    ANYWHERE_SHARED = 64 << 10,
    MOST_SHARED = 227 << 10,
    AREA = 228 << 10,
    MOST_ALIGNED = 1024,
    PAGE = 4096,
    NAN_BYTE = 0xff
};

// Two areas that end at pages that nobody may touch: what the launch asked for, and places of fixed sizes.
struct memory {
    unsigned char *dynamic_area, *dynamic_begin, *dynamic_end, *fixed_begin;
    size_t dynamic_alignment, fixed_bytes;
    std::map<const void *, std::pair<void *, size_t>> fixed;
};

memory memories[EMULATED_CLUSTER];
size_t dynamic_bytes;
std::map<const void *, size_t> allowed; // kernels that may use more shared memory than usual
bool uses_groups;

memory &own()
{
    return memories[emulated_rank()];
}

// At a multiple of EMULATED_WINDOW, so that an address's low bits are as on a card.
unsigned char *map_area()
{
    const size_t bytes = 2 * EMULATED_WINDOW + PAGE;
    unsigned char *area =
        (unsigned char *)mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    area += EMULATED_WINDOW - (uintptr_t)area % EMULATED_WINDOW;
    mprotect(area, AREA, PROT_READ | PROT_WRITE);
    return area;
}

// At no higher multiple than was asked for, and as near to the end as possible.
void place_dynamic(memory &m, size_t alignment)
{
    const uintptr_t last = (uintptr_t)m.dynamic_end - dynamic_bytes;
    m.dynamic_alignment = alignment;
    m.dynamic_begin = (unsigned char *)(last - (last + alignment) % (2 * alignment));
}

// The bytes that may be in use, and a page before them.
size_t around()
{
    const size_t bytes = dynamic_bytes + 2 * MOST_ALIGNED + PAGE;
    return bytes < AREA ? bytes : (size_t)AREA;
}

void begin(memory &m)
{
    if (!m.dynamic_end) {
        m.dynamic_area = map_area();
        m.dynamic_end = m.dynamic_area + AREA;
        m.fixed_begin = map_area();
        emulated_watch_area(m.dynamic_area, AREA, true);
        emulated_watch_area(m.fixed_begin, AREA, true);
    }
    m.dynamic_begin = m.dynamic_end - dynamic_bytes;
    m.dynamic_alignment = 0;
    memset(m.dynamic_end - around(), NAN_BYTE, around());
    m.fixed.clear();
    m.fixed_bytes = 0;
}

// Checks that the bytes around the requested memory are unchanged.
bool is_kept(const memory &m)
{
    const unsigned char *begin = m.dynamic_begin;
    for (const unsigned char *byte = m.dynamic_end - around(); byte < m.dynamic_end; byte++)
        if ((byte < begin || byte >= begin + dynamic_bytes) && *byte != NAN_BYTE) {
            emulated_say("byte %td of %zu bytes of shared memory was written", byte - begin, dynamic_bytes);
            return false;
        }
    return true;
}

bool fits_a_card()
{
    if (dynamic_bytes <= ANYWHERE_SHARED || uses_groups)
        return true;
    emulated_say("%zu bytes of shared memory are more than 7.5 has, and nothing keeps the kernel from it",
                 dynamic_bytes);
    return false;
}

bool holds(const memory &m, const unsigned char *first, size_t bytes)
{
    return (first >= m.dynamic_begin && first + bytes <= m.dynamic_begin + dynamic_bytes) ||
           (first >= m.fixed_begin && first + bytes <= m.fixed_begin + m.fixed_bytes);
}

} // namespace

bool emulated_shared_fits(const void *kernel, size_t bytes)
{
    const auto found = allowed.find(kernel);
    dynamic_bytes = bytes;
    return bytes <= (found != allowed.end() ? found->second : (size_t)USUAL_SHARED);
}

void emulated_shared_begin(int blocks)
{
    uses_groups = false;
    for (int i = 0; i < blocks; i++)
        begin(memories[i]);
}

bool emulated_shared_end(int blocks)
{
    for (int i = 0; i < blocks; i++)
        if (!is_kept(memories[i]))
            return false;
    return fits_a_card();
}

void *emulated_dynamic(size_t alignment)
{
    memory &m = own();
    if (alignment > MOST_ALIGNED || (m.dynamic_alignment && alignment != m.dynamic_alignment))
        emulated_fail("shared memory at multiples of %zu and %zu", alignment, m.dynamic_alignment);
    if (!m.dynamic_alignment)
        place_dynamic(m, alignment);
    return m.dynamic_begin;
}

void *emulated_fixed(const void *key, size_t bytes)
{
    memory &m = own();
    auto found = m.fixed.find(key);
    if (found != m.fixed.end())
        return found->second.first;
    if (dynamic_bytes + m.fixed_bytes + bytes > (dynamic_bytes > USUAL_SHARED ? MOST_SHARED : USUAL_SHARED))
        emulated_fail("%zu bytes of shared memory and %zu asked for", m.fixed_bytes + bytes, dynamic_bytes);
    void *at = memset(m.fixed_begin + m.fixed_bytes, NAN_BYTE, bytes);
    m.fixed[key] = {at, bytes};
    m.fixed_bytes = (m.fixed_bytes + bytes + 15) / 16 * 16;
    return at;
}

bool emulated_is_shared(const void *at, size_t bytes)
{
    return holds(own(), (const unsigned char *)at, bytes);
}

const char *emulated_where(const void *at)
{
    static char text[200];
    const unsigned char *byte = (const unsigned char *)at;
    for (const memory &m : memories) {
        const char *whose = &m == &own() ? "" : " of another block";
        if (m.dynamic_area && byte >= m.dynamic_area - PAGE && byte < m.dynamic_end + PAGE) {
            snprintf(text, sizeof text, "byte %td of %zu bytes of shared memory%s", byte - m.dynamic_begin,
                     dynamic_bytes, whose);
            return text;
        }
        if (byte >= m.fixed_begin && byte < m.fixed_begin + m.fixed_bytes) {
            snprintf(text, sizeof text, "byte %td of %zu bytes of arrays of shared memory%s", byte - m.fixed_begin,
                     m.fixed_bytes, whose);
            return text;
        }
    }
    emulated_describe(at, text, sizeof text);
    return text;
}

unsigned char *emulated_window(int rank)
{
    return memories[rank].dynamic_area;
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
