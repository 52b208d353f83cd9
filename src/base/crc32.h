// CRC-32 as ZIP has it.
#ifndef TUB_CRC32_H
#define TUB_CRC32_H

#include <stddef.h>
#include <stdint.h>

// Of what came before (0 at the start) and these bytes.
uint32_t tub_crc32(uint32_t before, const void *data, size_t bytes);
// Of two pieces one after the other, from those of each; `bytes` of the second.
uint32_t tub_crc32_join(uint32_t first, uint32_t second, uint64_t bytes);

#endif
