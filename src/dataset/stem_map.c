#include "stem_map.h"

#include <stdio.h>
#include <string.h>

#include "hash.h"
#include "memory.h"

static uint64_t hash(const char *key)
{
    return tub_hash_64(key, strlen(key));
}

// The key's slot, or the empty one where it belongs. The capacity is a power of two, never full.
static struct tub_stem_slot *slot_of(const tub_stem_map *map, const char *key, uint64_t h)
{
    size_t i = h & (map->capacity - 1);
    while (map->slots[i].key && (map->slots[i].hash != h || strcmp(map->slots[i].key, key)))
        i = (i + 1) & (map->capacity - 1);
    return &map->slots[i];
}

static struct tub_stem_slot *empty_slot(const tub_stem_map *map, uint64_t h)
{
    size_t i = h & (map->capacity - 1);
    while (map->slots[i].key)
        i = (i + 1) & (map->capacity - 1);
    return &map->slots[i];
}

static bool grow(tub_stem_map *map)
{
    tub_stem_map larger = {.capacity = map->capacity ? map->capacity * 2 : 64, .count = map->count};
    // Written before it is read: a page that is read first is mapped twice, and each mapping stops all threads.
    larger.slots = tub_alloc_aligned(larger.capacity, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    memset(larger.slots, 0, larger.capacity * sizeof *larger.slots);
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].key)
            *empty_slot(&larger, map->slots[i].hash) = map->slots[i];
    tub_free(map->slots);
    *map = larger;
    return true;
}

// The key's slot, or the empty one where it may be put. NULL on failure.
static struct tub_stem_slot *slot_for(tub_stem_map *map, const char *key, uint64_t h)
{
    if (map->count >= map->capacity / 2 && !grow(map))
        return NULL;
    return slot_of(map, key, h);
}

bool tub_stem_map_set(tub_stem_map *map, const char *key, size_t value)
{
    const uint64_t h = hash(key);
    struct tub_stem_slot *slot = slot_for(map, key, h);
    if (!slot)
        return false;
    map->count += !slot->key;
    *slot = (struct tub_stem_slot){.key = key, .hash = h, .value = value};
    return true;
}

bool tub_stem_map_add(tub_stem_map *map, const char *key, size_t value, size_t *there)
{
    const uint64_t h = hash(key);
    struct tub_stem_slot *slot = slot_for(map, key, h);
    *there = slot && slot->key ? slot->value : (size_t)TUB_NO_STEM;
    if (!slot || slot->key)
        return slot != NULL;
    map->count++;
    *slot = (struct tub_stem_slot){.key = key, .hash = h, .value = value};
    return true;
}

size_t tub_stem_map_get(const tub_stem_map *map, const char *key)
{
    if (!map->capacity)
        return (size_t)TUB_NO_STEM;
    const struct tub_stem_slot *slot = slot_of(map, key, hash(key));
    return slot->key ? slot->value : (size_t)TUB_NO_STEM;
}

size_t tub_stem_map_find(const tub_stem_map *map, const char *key)
{
    char longer[256];
    size_t at = tub_stem_map_get(map, key);
    if (at == (size_t)TUB_NO_STEM && strncmp(key, "v_", 2) == 0)
        at = tub_stem_map_get(map, key + 2);
    if (at == (size_t)TUB_NO_STEM && snprintf(longer, sizeof longer, "v_%s", key) < (int)sizeof longer)
        at = tub_stem_map_get(map, longer);
    return at;
}

void tub_stem_map_finish(tub_stem_map *map)
{
    tub_free(map->slots);
    *map = (tub_stem_map){0};
}
