#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

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

void *tub_alloc_aligned(size_t count, size_t size)
{
    size_t bytes;
    void *memory = NULL;
    if (!tub_size_mul(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    if (posix_memalign(&memory, ALIGNMENT, bytes ? bytes : 1))
        return NULL;
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

void *tub_arena_alloc(tub_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    void *blocks = arena->blocks;
    if (!tub_size_mul(count, size, &bytes) || !tub_grow(&blocks, &arena->capacity, arena->count + 1, sizeof(void *)))
        return NULL;
    arena->blocks = blocks;
    void *memory = tub_alloc_aligned(count, size);
    if (!memory)
        return NULL;
    arena->blocks[arena->count++] = memory;
    arena->bytes += bytes;
    return memset(memory, 0, bytes);
}

char *tub_arena_strdup(tub_arena *arena, const char *text)
{
    if (!text)
        return NULL;
    size_t bytes = strlen(text) + 1;
    char *copy = tub_arena_alloc(arena, bytes, 1);
    return copy ? memcpy(copy, text, bytes) : NULL;
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

void tub_arena_finish(tub_arena *arena)
{
    for (size_t i = 0; i < arena->count; i++)
        tub_free(arena->blocks[i]);
    tub_free(arena->blocks);
    tub_arena_init(arena);
}
