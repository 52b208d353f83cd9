// CRC-32 as in ZIP files.
#ifndef TUB_CRC32_H
#define TUB_CRC32_H

#include <stddef.h>
#include <stdint.h>

// Continues the checksum `before` (0 at the start) with these bytes.
uint32_t tub_crc32(uint32_t before, const void *data, size_t bytes);
// The checksum of two consecutive pieces, from those of each. `bytes`: of the second.
uint32_t tub_crc32_join(uint32_t first, uint32_t second, uint64_t bytes);

#endif
