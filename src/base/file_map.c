#include "file_map.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "memory.h"

struct tub_file_map {
    void *data;
    size_t bytes;
    atomic_int count;
};

// The remote ones are file systems served by another machine or process, by their numbers in statfs(2).
static bool is_local(int fd)
{
    static const uint32_t remote[] = {
        0x6969,                             // NFS
        0x517b,     0xfe534d42, 0xff534d42, // SMB
        0x65735546,                         // FUSE
        0x0bd00bd0,                         // Lustre
        0x00c36400,                         // Ceph
        0x01021997,                         // 9P
        0x47504653,                         // GPFS
        0x19830326,                         // BeeGFS
        0x5346414f, 0x6b414653,             // AFS
    };
    struct statfs info;
    if (fstatfs(fd, &info) != 0)
        return false;
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
        if ((uint32_t)info.f_type == remote[i])
            return false;
    return true;
}

tub_file_map *tub_file_map_open(int fd, int64_t bytes)
{
    if (bytes <= 0 || (uint64_t)bytes > SIZE_MAX / 2 || !is_local(fd))
        return NULL;
    tub_file_map *map = tub_calloc(1, sizeof *map);
    if (!map)
        return NULL;
    map->bytes = (size_t)bytes;
    map->data = mmap(NULL, map->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map->data == MAP_FAILED) {
        tub_free(map);
        return NULL;
    }
    atomic_init(&map->count, 1);
    return map;
}

const void *tub_file_map_data(const tub_file_map *map)
{
    return map->data;
}

tub_file_map *tub_file_map_hold(tub_file_map *map)
{
    atomic_fetch_add(&map->count, 1);
    return map;
}

void tub_file_map_release(void *released)
{
    tub_file_map *map = released;
    if (!map || atomic_fetch_sub(&map->count, 1) > 1)
        return;
    munmap(map->data, map->bytes);
    tub_free(map);
}
