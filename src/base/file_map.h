// The bytes of a file where the system keeps them: nothing is copied, and what isn't looked at isn't read.
//
// Only of files on this machine: what a server doesn't deliver would end the process instead of a call. For the same
// reason a map is for files that stay as they are while it lives.
#ifndef TUB_FILE_MAP_H
#define TUB_FILE_MAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct tub_file_map tub_file_map;

// The first `bytes` of the file, read-only; `fd` may be closed after. NULL: it can't be mapped, to be read instead.
tub_file_map *tub_file_map_open(int fd, int64_t bytes);
const void *tub_file_map_data(const tub_file_map *map);
// Counted, from any thread. Release accepts NULL.
tub_file_map *tub_file_map_hold(tub_file_map *map);
void tub_file_map_release(void *map);

#endif
