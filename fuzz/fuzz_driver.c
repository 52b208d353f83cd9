// Runs a fuzz target without libFuzzer: fuzz_x ROUNDS FILE... mutates the given files, the same way every time.
// With clang's -fsanitize=fuzzer this file is left out.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { MOST = 1 << 20, HEAD = 2048 };

typedef struct seed_file {
    uint8_t *data;
    size_t size;
} seed_file;

static uint64_t state = 0x9e3779b97f4a7c15u;

static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (size_t)(state % n) : 0;
}

// Headers are at the beginning: most changes are made there.
static size_t place(size_t size)
{
    return below(size < HEAD || below(8) == 0 ? size : HEAD);
}

static size_t mutate(uint8_t *data, size_t size)
{
    static const char *const words[] = {"-1", "99999999999999999999", "1e9", "null", "{", "]", "\"", "\\u0000", "0", "\xff"};
    size_t at = place(size), n = 1 + below(8);
    switch (size ? below(8) : 7) {
    case 5:
    case 6: // another number, still valid JSON
        while (at < size && (data[at] < '0' || data[at] > '9'))
            at++;
        if (at < size)
            data[at] = (uint8_t)('0' + below(10));
        return size;
    case 0:
        data[at] ^= (uint8_t)(1u << below(8));
        return size;
    case 1:
        data[at] = (uint8_t)below(256);
        return size;
    case 2: // leave out
        n = n < size - at ? n : size - at;
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    case 3: // repeat
        n = n < size - at ? n : size - at;
        if (size + n > MOST)
            return size;
        memmove(data + at + n, data + at, size - at);
        return size + n;
    case 4: // cut
        return below(4) ? size : at;
    default: {
        const char *word = words[below(sizeof words / sizeof *words)];
        n = strlen(word);
        if (at + n > size)
            return size;
        memcpy(data + at, word, n);
        return size;
    }
    }
}

static seed_file load(const char *path)
{
    seed_file s = {malloc(MOST), 0};
    FILE *f = fopen(path, "rb");
    if (!f || !s.data) {
        fprintf(stderr, "%s: can't read\n", path);
        exit(2);
    }
    s.size = fread(s.data, 1, MOST / 2, f);
    fclose(f);
    return s;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s ROUNDS FILE...\n", argv[0]);
        return 2;
    }
    long rounds = atol(argv[1]);
    int count = argc - 2;
    seed_file *seeds = calloc((size_t)count, sizeof *seeds);
    uint8_t *data = malloc(MOST);
    if (!seeds || !data)
        return 2;
    for (int i = 0; i < count; i++)
        seeds[i] = load(argv[i + 2]);
    for (long i = 0; i < rounds; i++) {
        const seed_file *s = &seeds[i % count];
        size_t size = s->size;
        memcpy(data, s->data, size);
        for (size_t changes = i < count ? 0 : 1 + below(6); changes > 0; changes--)
            size = mutate(data, size);
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("%ld rounds over %d files\n", rounds, count);
    for (int i = 0; i < count; i++)
        free(seeds[i].data);
    free(seeds);
    free(data);
    return 0;
}
