// Maps a file into memory: nothing is copied, and what isn't accessed isn't read.
//
// Only for files on this machine: if a server failed to deliver bytes, the process would end where a call would
// fail. For the same reason, a mapped file must stay as it is while the map lives.
#ifndef TUB_FILE_MAP_H
#define TUB_FILE_MAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct tub_file_map tub_file_map;

// Maps the first `bytes` of the file read-only; `fd` may be closed afterwards. NULL: it can't be mapped; read it
// instead.
tub_file_map *tub_file_map_open(int fd, int64_t bytes);
const void *tub_file_map_data(const tub_file_map *map);
// Add or drop a reference, from any thread. Release accepts NULL.
tub_file_map *tub_file_map_hold(tub_file_map *map);
void tub_file_map_release(void *map);

#endif
