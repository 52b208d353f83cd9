#include "weight_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomic_file.h"
#include "fail.h"
#include "memory.h"

enum { LAYOUT = 1, ORDER = 0x01020304, PAGE = 4096 };
static const char magic[16] = "tubelet weights";

static size_t pieces_of(uint64_t bytes)
{
    return (size_t)((bytes + TUB_WEIGHT_PIECE - 1) / TUB_WEIGHT_PIECE);
}

static size_t table_bytes(uint64_t bytes)
{
    return pieces_of(bytes) * sizeof(uint64_t);
}

static uint64_t start_of(uint64_t bytes)
{
    return (sizeof(tub_weight_header) + table_bytes(bytes) + PAGE - 1) / PAGE * PAGE;
}

// The checksum of the header and the table after it.
static uint64_t checksum_of(const tub_weight_header *header, size_t table)
{
    tub_weight_header bare = *header;
    bare.checksum = 0;
    const uint64_t sums[] = {tub_hash_64(&bare, sizeof bare), tub_hash_64(header + 1, table)};
    return tub_hash_64(sums, sizeof sums);
}

static bool same(const char a[TUB_WEIGHT_TEXT], const char b[TUB_WEIGHT_TEXT])
{
    return memcmp(a, b, TUB_WEIGHT_TEXT) == 0;
}

static tub_weight_trouble check_header(const tub_weight_header *h, const tub_weight_facts *facts, int64_t file_bytes)
{
    if (memcmp(h->magic, magic, sizeof magic) != 0)
        return "is no file of packed weights";
    if (h->layout != LAYOUT || h->order != ORDER || !same(h->facts.version, facts->version))
        return "was written by another version";
    if (!same(h->facts.stamp, facts->stamp))
        return "is of the checkpoint as it was before";
    if (!same(h->facts.key, facts->key) || h->facts.bytes != facts->bytes)
        return "is of other weights";
    if (h->start != start_of(facts->bytes) || (uint64_t)file_bytes != h->start + facts->bytes)
        return "is cut short";
    return NULL;
}

// The file's size; -1: it isn't one.
static int64_t size_of(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? (int64_t)info.st_size : -1;
}

static bool read_at(int fd, size_t offset, void *out, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        const ssize_t n = pread(fd, (char *)out + done, bytes - done, (off_t)(offset + done));
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

// *header: followed by its table; the caller frees it in every case.
static tub_weight_trouble read_header(int fd, const tub_weight_facts *facts, int64_t bytes, tub_weight_header **header)
{
    const size_t table = table_bytes(facts->bytes);
    tub_weight_header *h = *header = tub_calloc(1, sizeof *h + table);
    if (!h)
        return "finds no memory for its header";
    if (bytes < (int64_t)sizeof *h || !read_at(fd, 0, h, sizeof *h))
        return "is no file of packed weights";
    const tub_weight_trouble trouble = check_header(h, facts, bytes);
    if (trouble)
        return trouble;
    return read_at(fd, sizeof *h, h + 1, table) && checksum_of(h, table) == h->checksum ? NULL : "is damaged";
}

typedef struct check {
    const tub_weight_header *header;
    const char *data;
    atomic_bool damaged;
} check;

static void check_piece(void *context, int unit, int member)
{
    (void)member;
    check *c = context;
    const uint64_t *sums = (const uint64_t *)(const void *)(c->header + 1);
    const uint64_t at = (uint64_t)unit * TUB_WEIGHT_PIECE, left = c->header->facts.bytes - at;
    const size_t bytes = left < TUB_WEIGHT_PIECE ? (size_t)left : TUB_WEIGHT_PIECE;
    if (tub_hash_64(c->data + at, bytes) != sums[unit])
        atomic_store(&c->damaged, true);
}

static tub_weight_trouble map_data(int fd, int64_t bytes, const tub_weight_header *h, tub_team *team,
                                   tub_file_map **map)
{
    *map = tub_file_map_open(fd, bytes);
    if (!*map)
        return "can't be mapped";
    check c = {.header = h, .data = (const char *)tub_file_map_data(*map) + h->start};
    tub_team_run(team, (int)pieces_of(h->facts.bytes), check_piece, &c);
    if (!atomic_load(&c.damaged))
        return NULL;
    tub_file_map_release(*map);
    *map = NULL;
    return "is damaged";
}

tub_weight_trouble tub_weight_file_open(const char *path, const tub_weight_facts *facts, tub_team *team,
                                        tub_file_map **map, size_t *start, char hash[TUB_HASH_TEXT])
{
    tub_weight_header *h = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? "" : "can't be opened";
    const int64_t bytes = size_of(fd);
    tub_weight_trouble trouble = read_header(fd, facts, bytes, &h);
    if (!trouble && team)
        trouble = map_data(fd, bytes, h, team, map);
    if (!trouble && team) {
        *start = (size_t)h->start;
        memcpy(hash, h->facts.hash, TUB_HASH_TEXT);
        hash[TUB_HASH_TEXT - 1] = '\0';
    }
    tub_free(h);
    close(fd);
    return trouble;
}

static tub_status write_pieces(tub_atomic_file *file, const tub_weight_header *h, const char *data,
                               const atomic_bool *stop, tub_error *err)
{
    TUB_TRY(tub_atomic_write(file, h, sizeof *h + table_bytes(h->facts.bytes), err));
    for (uint64_t at = 0; at < h->facts.bytes; at += TUB_WEIGHT_PIECE) {
        const uint64_t left = h->facts.bytes - at;
        const size_t bytes = left < TUB_WEIGHT_PIECE ? (size_t)left : TUB_WEIGHT_PIECE;
        if (atomic_load(stop))
            return tub_fail(err, TUB_ERROR_CANCELLED, "interrupted");
        TUB_TRY(tub_atomic_write_at(file, (int64_t)(h->start + at), data + at, bytes, err));
    }
    return TUB_OK;
}

static void fill_header(tub_weight_header *h, const tub_weight_facts *facts, const char *data)
{
    uint64_t *sums = (uint64_t *)(void *)(h + 1);
    *h = (tub_weight_header){.layout = LAYOUT, .order = ORDER, .facts = *facts, .start = start_of(facts->bytes)};
    memcpy(h->magic, magic, sizeof magic);
    for (size_t i = 0; i < pieces_of(facts->bytes); i++) {
        const uint64_t at = (uint64_t)i * TUB_WEIGHT_PIECE, left = facts->bytes - at;
        sums[i] = tub_hash_64(data + at, left < TUB_WEIGHT_PIECE ? (size_t)left : TUB_WEIGHT_PIECE);
    }
    h->checksum = checksum_of(h, table_bytes(facts->bytes));
}

tub_status tub_weight_file_write(const char *path, const tub_weight_facts *facts, const void *data,
                                 const atomic_bool *stop, tub_error *err)
{
    tub_weight_header *h = tub_calloc(1, sizeof *h + table_bytes(facts->bytes));
    if (!h)
        return tub_fail_memory(err, "a file's header");
    fill_header(h, facts, data);
    tub_atomic_file *file = NULL;
    tub_status status = tub_atomic_open(path, &file, err);
    if (status == TUB_OK)
        status = write_pieces(file, h, data, stop, err);
    tub_free(h);
    if (status == TUB_OK)
        return tub_atomic_commit(&file, err);
    tub_atomic_abandon(&file);
    return status;
}
