// From names to numbers: what makes a resume over 100,000 videos cost next to nothing. The keys are borrowed.
#ifndef TUB_STEM_MAP_H
#define TUB_STEM_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tub_stem_map {
    struct tub_stem_slot {
        const char *key;
        uint64_t hash;
        size_t value;
    } *slots;
    size_t capacity, count;
} tub_stem_map;     // all zero = empty

enum { TUB_NO_STEM = -1 };

// Sets or replaces. False on failure.
bool tub_stem_map_set(tub_stem_map *map, const char *key, size_t value);
// Sets where the key isn't there: *there is what is there already, and stays, or (size_t)TUB_NO_STEM. False on failure.
bool tub_stem_map_add(tub_stem_map *map, const char *key, size_t value, size_t *there);
// The number, (size_t)TUB_NO_STEM where the key isn't there.
size_t tub_stem_map_get(const tub_stem_map *map, const char *key);
// The same, where the key may be there with the "v_" less or more that some data sets put before file names and others
// before ids; as it is comes first.
size_t tub_stem_map_find(const tub_stem_map *map, const char *key);
void tub_stem_map_finish(tub_stem_map *map);

#endif
