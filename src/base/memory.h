// Memory: sizes are checked for overflow, tensors are aligned to 64 bytes, everything is freed with tub_free().
#ifndef TUB_MEMORY_H
#define TUB_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// a * b and a + b; false on overflow.
bool tub_size_mul(size_t a, size_t b, size_t *out);
bool tub_size_add(size_t a, size_t b, size_t *out);

// count * size bytes, zeroed. NULL on overflow or failure; count or size 0 gives a valid pointer.
void *tub_calloc(size_t count, size_t size);
// count * size bytes, 64-byte aligned, not zeroed. Large blocks use huge pages if the system provides them.
void *tub_alloc_aligned(size_t count, size_t size);
// Grows an array to at least `need` elements of `size` bytes (doubling) and updates *capacity. False on failure: *array
// stays as it was.
bool tub_grow(void **array, size_t *capacity, size_t need, size_t size);
char *tub_strdup(const char *text);     // NULL gives NULL
char *tub_format(const char *format, ...) __attribute__((format(printf, 1, 2)));   // malloc'ed, NULL on failure
// Asks for large pages if they are worth it: a hint, for memory that hasn't been written to yet.
void tub_huge_pages(void *memory, size_t bytes);
void tub_free(void *memory);            // any of the above; accepts NULL

// An arena: many allocations with one lifetime, freed at once. They are zeroed and 64-byte aligned, except texts, which
// are packed closely. Large ones cost nothing until they are written to. One thread at a time.
typedef struct tub_arena {
    void **blocks;
    size_t count, capacity;
    size_t bytes;               // handed out so far
    char *text;                 // free space in the last block for texts
    size_t text_bytes;
    struct tub_arena_kept {
        void *object;
        void (*release)(void *object);
    } *kept;
    size_t kept_count, kept_capacity;
} tub_arena;

void tub_arena_init(tub_arena *arena);
void *tub_arena_alloc(tub_arena *arena, size_t count, size_t size);    // NULL on failure
void *tub_arena_alloc_raw(tub_arena *arena, size_t count, size_t size);    // not zeroed
char *tub_arena_strdup(tub_arena *arena, const char *text);
char *tub_arena_text(tub_arena *arena, const char *text, size_t bytes);     // a copy of `bytes` bytes, NUL-terminated
char *tub_arena_format(tub_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The arena owns the object from now on, and releases it at its end. False on failure: the object was released.
bool tub_arena_keep(tub_arena *arena, void *object, void (*release)(void *object));
void tub_arena_finish(tub_arena *arena);

#endif
