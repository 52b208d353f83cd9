#include "zip_stored.h"

#include <string.h>

enum { VERSION = 45, LOCAL = 30, EXTRA = 20 };

static uint8_t *put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint8_t *put_kind(uint8_t *at, int kind)
{
    const uint8_t record[4] = {'P', 'K', (uint8_t)kind, (uint8_t)(kind + 1)};
    memcpy(at, record, 4);
    return at + 4;
}

static uint8_t *put_name(uint8_t *at, const char *name, size_t length)
{
    memcpy(at, name, length);
    return at + length;
}

// What the local header and the directory have in common: no flags, stored, 1 January 1980 (the same bytes every time).
static uint8_t *put_entry(uint8_t *at, uint32_t crc, size_t name, size_t extra)
{
    enum { FIRST_DAY = 0x21 };
    at = put(at, VERSION, 2);
    at = put(at, 0, 2);
    at = put(at, 0, 2);
    at = put(at, 0, 2);
    at = put(at, FIRST_DAY, 2);
    at = put(at, crc, 4);
    at = put(at, UINT32_MAX, 4);
    at = put(at, UINT32_MAX, 4);
    at = put(at, name, 2);
    return put(at, extra, 2);
}

static uint8_t *put_sizes(uint8_t *at, uint64_t bytes)
{
    at = put(at, 1, 2);
    at = put(at, 16, 2);
    at = put(at, bytes, 8);
    return put(at, bytes, 8);
}

size_t tub_zip_stored_head(const char *name, uint32_t crc, uint64_t bytes, uint8_t out[ZIP_HEAD])
{
    size_t length = strlen(name);
    uint8_t *at = put_kind(out, 3);
    at = put_entry(at, crc, length, EXTRA);
    at = put_name(at, name, length);
    return (size_t)(put_sizes(at, bytes) - out);
}

static uint8_t *put_directory(uint8_t *at, const char *name, size_t length, uint32_t crc, uint64_t bytes)
{
    at = put_kind(at, 1);
    at = put(at, VERSION, 2);
    at = put_entry(at, crc, length, EXTRA);
    at = put(at, 0, 2); // comment
    at = put(at, 0, 2); // disk
    at = put(at, 0, 2); // internal attributes
    at = put(at, (uint64_t)0600 << 16, 4);
    at = put(at, 0, 4); // where the local header is
    at = put_name(at, name, length);
    return put_sizes(at, bytes);
}

size_t tub_zip_stored_tail(const char *name, uint32_t crc, uint64_t bytes, uint8_t out[ZIP_TAIL])
{
    size_t length = strlen(name);
    uint64_t begin = LOCAL + length + EXTRA + bytes;
    uint8_t *at = put_directory(out, name, length, crc, bytes);
    uint64_t directory = (uint64_t)(at - out), end = begin + directory;
    memcpy(at, "PK\6\6", 4); // zip64: the end record, its locator, and the old one
    at = put(at + 4, 44, 8);
    at = put(put(at, VERSION, 2), VERSION, 2);
    at = put(put(at, 0, 4), 0, 4);
    at = put(put(at, 1, 8), 1, 8);
    at = put(put(at, directory, 8), begin, 8);
    memcpy(at, "PK\6\7", 4);
    at = put(put(put(at + 4, 0, 4), end, 8), 1, 4);
    at = put(put_kind(at, 5), 0, 4);
    at = put(put(at, 1, 2), 1, 2);
    at = put(put(at, directory, 4), begin > UINT32_MAX ? UINT32_MAX : begin, 4);
    return (size_t)(put(at, 0, 2) - out);
}
