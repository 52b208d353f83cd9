// A map from names to numbers: with it, a resume over 100,000 videos costs next to nothing. The keys are borrowed.
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
// Adds a key that isn't in the map yet (*there is (size_t)TUB_NO_STEM then); a present key keeps its number, *there.
// False on failure.
bool tub_stem_map_add(tub_stem_map *map, const char *key, size_t value, size_t *there);
// The key's number, or (size_t)TUB_NO_STEM.
size_t tub_stem_map_get(const tub_stem_map *map, const char *key);
// The same; a key that isn't in the map is also looked for with "v_" removed or added, which some data sets put before
// file names and others before ids.
size_t tub_stem_map_find(const tub_stem_map *map, const char *key);
void tub_stem_map_finish(tub_stem_map *map);

#endif
