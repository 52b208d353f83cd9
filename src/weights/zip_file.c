#include "zip_file.h"

#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "memory.h"

// Sizes of the records without their variable parts.
enum { END = 22, END64 = 56, LOCATOR64 = 20, CENTRAL = 46, LOCAL = 30, ENTRIES_MOST = 1 << 20 };

// The end records with the longest comment.
enum { TAIL_MOST = 65535 + END + LOCATOR64 };

typedef struct span {
    int64_t offset, bytes, count; // of the central directory
    int64_t end;                  // where it must end at the latest
} span;

static uint64_t number(const uint8_t *at, int bytes)
{
    uint64_t n = 0;
    while (bytes-- > 0)
        n = n << 8 | at[bytes];
    return n;
}

static bool is_record(const uint8_t *at, int kind)
{
    return at[0] == 'P' && at[1] == 'K' && at[2] == kind && at[3] == kind + 1;
}

static tub_status bad(const tub_tensor_file *f, const char *what, tub_error *err)
{
    return tub_fail(err, TUB_ERROR_MODEL, "%s: isn't a torch.save file that can be read: %s", f->path, what);
}

// The end record: the last one whose comment ends with the file.
static const uint8_t *find_end(const uint8_t *tail, int64_t bytes)
{
    for (int64_t at = bytes - END; at >= 0; at--)
        if (is_record(tail + at, 5) && (int64_t)number(tail + at + 20, 2) == bytes - END - at)
            return tail + at;
    return NULL;
}

// Counts and offsets that don't fit in the end record are in another record before it, which torch always writes. `out`
// has the end record's values: those that aren't the largest possible ones must agree.
static tub_status read_end64(const tub_tensor_file *f, const uint8_t *locator, int64_t end, span *out, tub_error *err)
{
    uint8_t record[END64];
    uint64_t at = number(locator + 8, 8);
    if (end < LOCATOR64 + END64 || at > (uint64_t)(end - LOCATOR64 - END64))
        return bad(f, "its ZIP directory isn't there", err);
    TUB_TRY(tub_tensor_file_read(f, record, END64, (int64_t)at, err));
    if (memcmp(record, "PK\6\6", 4) != 0)
        return bad(f, "its ZIP directory isn't there", err);
    span full = {(int64_t)number(record + 48, 8), (int64_t)number(record + 40, 8), (int64_t)number(record + 32, 8),
                 (int64_t)at};
    if ((out->offset != UINT32_MAX && out->offset != full.offset) ||
        (out->bytes != UINT32_MAX && out->bytes != full.bytes) ||
        (out->count != UINT16_MAX && out->count != full.count))
        return bad(f, "its two ZIP directories don't agree", err);
    *out = full;
    return TUB_OK;
}

// `tail`: the file's last bytes, from `base` on.
static tub_status read_end(const tub_tensor_file *f, const uint8_t *tail, int64_t bytes, span *out, tub_error *err)
{
    int64_t base = f->file_bytes - bytes;
    const uint8_t *end = find_end(tail, bytes);
    if (!end)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: is truncated: the ZIP directory at its end is missing: fetch it again", f->path);
    if (number(end + 4, 4) != 0 || number(end + 8, 2) != number(end + 10, 2))
        return bad(f, "a ZIP of several parts", err);
    *out = (span){(int64_t)number(end + 16, 4), (int64_t)number(end + 12, 4), (int64_t)number(end + 10, 2),
                  base + (end - tail)};
    if (end - tail >= LOCATOR64 && memcmp(end - LOCATOR64, "PK\6\7", 4) == 0)
        return read_end64(f, end - LOCATOR64, out->end, out, err);
    return TUB_OK;
}

static tub_status find_directory(const tub_tensor_file *f, span *out, tub_error *err)
{
    int64_t bytes = f->file_bytes < TAIL_MOST ? f->file_bytes : TAIL_MOST;
    uint8_t *tail = tub_alloc_aligned((size_t)bytes, 1);
    if (!tail)
        return tub_fail_memory(err, "a ZIP directory");
    tub_status status = tub_tensor_file_read(f, tail, bytes, f->file_bytes - bytes, err);
    if (status == TUB_OK)
        status = read_end(f, tail, bytes, out, err);
    tub_free(tail);
    TUB_TRY(status);
    if (out->bytes < 0 || out->bytes > out->end || out->offset != out->end - out->bytes)
        return bad(f, "its ZIP directory leaves the file", err);
    if (out->count < 0 || out->count > ENTRIES_MOST || out->count > out->bytes / CENTRAL)
        return bad(f, "its ZIP directory names more entries than it can hold", err);
    return TUB_OK;
}

// Sizes and offsets of 0xffffffff are in the zip64 extra field instead, in this order.
static bool read_extra(const uint8_t *extra, size_t bytes, uint64_t *size, uint64_t *packed, uint64_t *header)
{
    uint64_t *wanted[3];
    int count = 0;
    for (int i = 0; i < 3; i++)
        if (*(uint64_t *[]){size, packed, header}[i] == UINT32_MAX)
            wanted[count++] = (uint64_t *[]){size, packed, header}[i];
    for (size_t at = 0; count && at + 4 <= bytes;) {
        size_t length = number(extra + at + 2, 2);
        if (length > bytes - at - 4)
            return false;
        if (number(extra + at, 2) == 1) {
            if (length < 8 * (size_t)count)
                return false;
            for (int i = 0; i < count; i++)
                *wanted[i] = number(extra + at + 4 + 8 * i, 8);
            return true;
        }
        at += 4 + length;
    }
    return true;
}

// One entry of the directory; `*used`: its bytes there.
static tub_status read_entry(const tub_tensor_file *f, const uint8_t *at, size_t left, tub_zip_entry *out, size_t *used,
                             tub_error *err)
{
    if (left < CENTRAL || !is_record(at, 1))
        return bad(f, "its ZIP directory is damaged", err);
    size_t name = number(at + 28, 2), extra = number(at + 30, 2);
    *used = CENTRAL + name + extra + number(at + 32, 2);
    if (*used > left)
        return bad(f, "its ZIP directory is damaged", err);
    if (number(at + 8, 2) & 1 || number(at + 10, 2) != 0)
        return bad(f, "it has a compressed or encrypted entry", err);
    uint64_t packed = number(at + 20, 4), size = number(at + 24, 4), header = number(at + 42, 4);
    if (!read_extra(at + CENTRAL + name, extra, &size, &packed, &header) || size != packed)
        return bad(f, "its ZIP directory is damaged", err);
    if (header > (uint64_t)f->file_bytes || size > (uint64_t)f->file_bytes)
        return bad(f, "an entry of its ZIP directory leaves the file", err);
    *out = (tub_zip_entry){(const char *)at + CENTRAL, name, (int64_t)header, 0, (int64_t)size};
    return TUB_OK;
}

static int by_header(const void *a, const void *b)
{
    int64_t x = ((const tub_zip_entry *)a)->header, y = ((const tub_zip_entry *)b)->header;
    return (x > y) - (x < y);
}

static int compare(const tub_zip_entry *a, const char *name, size_t length)
{
    int order = memcmp(a->name, name, a->length < length ? a->length : length);
    return order ? order : (a->length > length) - (a->length < length);
}

static int by_name(const void *a, const void *b)
{
    const tub_zip_entry *y = b;
    return compare(a, y->name, y->length);
}

// Finds where the data begin, after the local header, which must name the same entry.
static tub_status read_local(const tub_tensor_file *f, tub_zip_entry *e, int64_t end, tub_error *err)
{
    uint8_t local[LOCAL + 256];
    size_t compared = e->length < 256 ? e->length : 256, bytes = LOCAL + compared;
    if ((int64_t)bytes > end - e->header)
        return bad(f, "an entry of its ZIP directory leaves the file", err);
    TUB_TRY(tub_tensor_file_read(f, local, (int64_t)bytes, e->header, err));
    if (!is_record(local, 3) || number(local + 8, 2) != 0 || number(local + 26, 2) != e->length ||
        memcmp(local + LOCAL, e->name, compared) != 0)
        return bad(f, "an entry of its ZIP directory isn't where that says", err);
    e->offset = e->header + LOCAL + (int64_t)e->length + (int64_t)number(local + 28, 2);
    return TUB_OK;
}

// In the file's order, each entry must begin after the end of the previous one, and the last must end before the
// directory.
static tub_status check_places(const tub_tensor_file *f, tub_zip *z, int64_t directory, tub_error *err)
{
    int64_t at = 0;
    qsort(z->entries, z->count, sizeof *z->entries, by_header);
    for (size_t i = 0; i < z->count; i++) {
        tub_zip_entry *e = &z->entries[i];
        if (e->header < at)
            return bad(f, "entries of its ZIP directory overlap", err);
        TUB_TRY(read_local(f, e, directory, err));
        if (e->offset > directory || e->bytes > directory - e->offset)
            return bad(f, "an entry of its ZIP directory leaves the file", err);
        at = e->offset + e->bytes;
    }
    qsort(z->entries, z->count, sizeof *z->entries, by_name);
    for (size_t i = 1; i < z->count; i++)
        if (by_name(&z->entries[i - 1], &z->entries[i]) == 0)
            return bad(f, "two entries of its ZIP directory have one name", err);
    return TUB_OK;
}

tub_status tub_zip_open(const tub_tensor_file *f, tub_zip *out, tub_error *err)
{
    *out = (tub_zip){0};
    span where = {0};
    TUB_TRY(find_directory(f, &where, err));
    out->directory = tub_alloc_aligned((size_t)where.bytes, 1);
    out->entries = tub_calloc((size_t)where.count, sizeof *out->entries);
    if (!out->directory || !out->entries)
        return tub_fail_memory(err, "a ZIP directory");
    TUB_TRY(tub_tensor_file_read(f, out->directory, where.bytes, where.offset, err));
    size_t at = 0, used = 0;
    for (; (int64_t)out->count < where.count; out->count++, at += used)
        TUB_TRY(read_entry(f, out->directory + at, (size_t)where.bytes - at, &out->entries[out->count], &used, err));
    if (at != (size_t)where.bytes)
        return bad(f, "its ZIP directory is damaged", err);
    return check_places(f, out, where.offset, err);
}

void tub_zip_finish(tub_zip *z)
{
    tub_free(z->directory);
    tub_free(z->entries);
    *z = (tub_zip){0};
}

const tub_zip_entry *tub_zip_find(const tub_zip *z, const char *name, size_t length)
{
    size_t low = 0, high = z->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(&z->entries[middle], name, length);
        if (order == 0)
            return &z->entries[middle];
        if (order > 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
