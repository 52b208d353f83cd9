#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    ALIGNMENT = 64,
    HUGE_PAGE = 2 << 20,
    HUGE_FROM = 2 << 20, // from here on, large pages save time
    LARGE = 1 << 18,     // from here on, zeroed pages come from the system
    TEXTS = 1 << 14,     // texts share blocks of this many bytes
};

bool tub_size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool tub_size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

void *tub_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!tub_size_mul(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    return calloc(bytes ? bytes : 1, 1);
}

void tub_huge_pages(void *memory, size_t bytes)
{
    enum { PAGE = 4096 };
    const uintptr_t from = ((uintptr_t)memory + PAGE - 1) / PAGE * PAGE, to = ((uintptr_t)memory + bytes) / PAGE * PAGE;
    if (bytes >= HUGE_FROM && to > from)
        madvise((char *)memory + (from - (uintptr_t)memory), to - from, MADV_HUGEPAGE);
}

void *tub_alloc_aligned(size_t count, size_t size)
{
    size_t bytes;
    void *memory = NULL;
    if (!tub_size_mul(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    const bool large = bytes >= HUGE_FROM;
    bytes = large ? (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE : bytes;
    if (posix_memalign(&memory, large ? HUGE_PAGE : ALIGNMENT, bytes ? bytes : 1))
        return NULL;
    tub_huge_pages(memory, bytes);
    return memory;
}

bool tub_grow(void **array, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return true;
    size_t more = *capacity > SIZE_MAX / 2 ? need : 2 * *capacity, bytes;
    if (more < need)
        more = need;
    if (more < 8)
        more = 8;
    if (!tub_size_mul(more, size, &bytes))
        return false;
    void *grown = realloc(*array, bytes);
    if (!grown)
        return false;
    *array = grown;
    *capacity = more;
    return true;
}

char *tub_strdup(const char *text)
{
    return text ? strdup(text) : NULL;
}

static __attribute__((format(printf, 1, 0))) char *format_new(const char *format, va_list args)
{
    char *text = NULL;
    return vasprintf(&text, format, args) < 0 ? NULL : text;
}

char *tub_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_new(format, args);
    va_end(args);
    return text;
}

void tub_free(void *memory)
{
    free(memory);
}

void tub_arena_init(tub_arena *arena)
{
    *arena = (tub_arena){0};
}

// Makes room for one more block.
static bool make_room(tub_arena *arena)
{
    void *blocks = arena->blocks;
    bool grown = tub_grow(&blocks, &arena->capacity, arena->count + 1, sizeof(void *));
    arena->blocks = blocks;
    return grown;
}

// *block: what to free. Returns what to hand out.
static void *zeroed(size_t bytes, void **block)
{
    if (bytes < LARGE) {
        *block = tub_alloc_aligned(bytes, 1);
        return *block ? memset(*block, 0, bytes) : NULL;
    }
    char *memory = *block = tub_calloc(bytes + ALIGNMENT, 1);
    if (!memory)
        return NULL;
    memory += (ALIGNMENT - (uintptr_t)memory % ALIGNMENT) % ALIGNMENT;
    tub_huge_pages(memory, bytes);
    return memory;
}

void *tub_arena_alloc_raw(tub_arena *arena, size_t count, size_t size)
{
    void *memory = make_room(arena) ? tub_alloc_aligned(count, size) : NULL;
    if (!memory)
        return NULL;
    arena->blocks[arena->count++] = memory;
    arena->bytes += count * size;
    return memory;
}

void *tub_arena_alloc(tub_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!tub_size_mul(count, size, &bytes) || bytes > SIZE_MAX / 2 - ALIGNMENT || !make_room(arena))
        return NULL;
    void *memory = zeroed(bytes, &arena->blocks[arena->count]);
    arena->count += memory != NULL;
    arena->bytes += memory ? bytes : 0;
    return memory;
}

char *tub_arena_text(tub_arena *arena, const char *text, size_t bytes)
{
    if (bytes >= TEXTS / 4) {
        char *copy = bytes < SIZE_MAX ? tub_arena_alloc(arena, bytes + 1, 1) : NULL;
        return copy ? memcpy(copy, text, bytes) : NULL;
    }
    if (bytes >= arena->text_bytes) {
        char *block = make_room(arena) ? tub_alloc_aligned(TEXTS, 1) : NULL;
        if (!block)
            return NULL;
        arena->blocks[arena->count++] = arena->text = block;
        arena->text_bytes = TEXTS;
    }
    char *copy = memcpy(arena->text, text, bytes);
    copy[bytes] = 0;
    arena->text += bytes + 1;
    arena->text_bytes -= bytes + 1;
    arena->bytes += bytes + 1;
    return copy;
}

char *tub_arena_strdup(tub_arena *arena, const char *text)
{
    return text ? tub_arena_text(arena, text, strlen(text)) : NULL;
}

char *tub_arena_format(tub_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_new(format, args);
    va_end(args);
    char *copy = tub_arena_strdup(arena, text);
    tub_free(text);
    return copy;
}

bool tub_arena_keep(tub_arena *arena, void *object, void (*release)(void *object))
{
    void *kept = arena->kept;
    bool grown = tub_grow(&kept, &arena->kept_capacity, arena->kept_count + 1, sizeof *arena->kept);
    arena->kept = kept;
    if (grown)
        arena->kept[arena->kept_count++] = (struct tub_arena_kept){.object = object, .release = release};
    else
        release(object);
    return grown;
}

void tub_arena_finish(tub_arena *arena)
{
    for (size_t i = 0; i < arena->kept_count; i++)
        arena->kept[i].release(arena->kept[i].object);
    tub_free(arena->kept);
    for (size_t i = 0; i < arena->count; i++)
        tub_free(arena->blocks[i]);
    tub_free(arena->blocks);
    tub_arena_init(arena);
}
