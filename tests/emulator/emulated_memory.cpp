// Stands in for a device's memory: see emulator.h.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <vector>

#include "emulated_block.h"
#include "emulated_races.h"
#include "emulator.h"

namespace
{

enum { PAGE = 4096, ALIGNMENT = 16, NAN_BYTE = 0xff };

struct piece {
    unsigned char *mapped, *data;
    size_t mapped_bytes, bytes;
    size_t room; // bytes, rounded up: those after the piece stay NaN
};

std::vector<piece> pieces;

size_t up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

} // namespace

void *emulator_memory(size_t bytes)
{
    piece p = {};
    p.bytes = bytes;
    p.room = up(bytes, ALIGNMENT);
    p.mapped_bytes = up(p.room, PAGE) + 2 * PAGE;
    p.mapped =
        (unsigned char *)mmap(nullptr, p.mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p.mapped == MAP_FAILED)
        return nullptr;
    mprotect(p.mapped, PAGE, PROT_NONE);
    mprotect(p.mapped + p.mapped_bytes - PAGE, PAGE, PROT_NONE);
    p.data = p.mapped + p.mapped_bytes - PAGE - p.room;
    memset(p.mapped + PAGE, NAN_BYTE, p.mapped_bytes - 2 * PAGE);
    pieces.push_back(p);
    emulated_watch_area(p.data, p.room, false);
    return p.data;
}

void emulator_forget(void)
{
    for (const piece &p : pieces) {
        emulated_unwatch_area(p.data);
        munmap(p.mapped, p.mapped_bytes);
    }
    pieces.clear();
}

size_t emulator_memory_bytes(void)
{
    size_t all = 0;
    for (const piece &p : pieces)
        all += p.mapped_bytes - 2 * PAGE;
    return all;
}

void emulator_save(void *to)
{
    unsigned char *out = (unsigned char *)to;
    for (const piece &p : pieces) {
        memcpy(out, p.mapped + PAGE, p.mapped_bytes - 2 * PAGE);
        out += p.mapped_bytes - 2 * PAGE;
    }
}

void emulator_restore(const void *from)
{
    const unsigned char *in = (const unsigned char *)from;
    for (const piece &p : pieces) {
        memcpy(p.mapped + PAGE, in, p.mapped_bytes - 2 * PAGE);
        in += p.mapped_bytes - 2 * PAGE;
    }
}

bool emulator_is(const void *saved, char *where, size_t bytes)
{
    const unsigned char *want = (const unsigned char *)saved;
    for (size_t i = 0; i < pieces.size(); i++) {
        const unsigned char *is = pieces[i].mapped + PAGE;
        const size_t all = pieces[i].mapped_bytes - 2 * PAGE;
        for (size_t j = 0; j < all; j++)
            if (is[j] != want[j]) {
                snprintf(where, bytes, "byte %td of the %zu of piece %zu is %#x, not %#x", is + j - pieces[i].data,
                         pieces[i].bytes, i, is[j], want[j]);
                return false;
            }
        want += all;
    }
    return true;
}

void emulated_describe(const void *at, char *out, size_t bytes)
{
    const unsigned char *byte = (const unsigned char *)at;
    for (size_t i = 0; i < pieces.size(); i++)
        if (byte >= pieces[i].mapped && byte < pieces[i].mapped + pieces[i].mapped_bytes) {
            snprintf(out, bytes, "byte %td of the %zu of piece %zu", byte - pieces[i].data, pieces[i].bytes, i);
            return;
        }
    snprintf(out, bytes, "%p", at);
}
