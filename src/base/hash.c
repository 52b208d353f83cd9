#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "fail.h"
#include "memory.h"
#include "shortage.h"

struct tub_hash {
    XXH3_state_t *state;
};

tub_hash *tub_hash_create(void)
{
    tub_hash *hash = tub_calloc(1, sizeof *hash);
    if (!hash)
        return NULL;
    hash->state = XXH3_createState();
    if (!hash->state || XXH3_128bits_reset(hash->state) != XXH_OK)
        tub_hash_destroy(&hash);
    return hash;
}

void tub_hash_update(tub_hash *hash, const void *data, size_t bytes)
{
    if (bytes)
        XXH3_128bits_update(hash->state, data, bytes);
}

static ssize_t update_from(tub_hash *hash, int fd, char *chunk, size_t bytes)
{
    ssize_t got;
    do {
        got = read(fd, chunk, bytes);
        if (got > 0)
            tub_hash_update(hash, chunk, (size_t)got);
    } while (got > 0 || (got < 0 && errno == EINTR));
    return got;
}

tub_status tub_hash_file(tub_hash *hash, const char *path, tub_status status, tub_error *err)
{
    enum { CHUNK = 1 << 20 };
    char *chunk = tub_alloc_aligned(CHUNK, 1);
    if (!chunk)
        return tub_fail_memory(err, "reading a file");
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t end = fd >= 0 ? update_from(hash, fd, chunk, CHUNK) : -1;
    const tub_status result =
        end < 0 ? tub_fail(err, tub_shortage_status(errno, status), "%s: can't be read: %s", path, strerror(errno))
                : TUB_OK;
    if (fd >= 0)
        close(fd);
    tub_free(chunk);
    return result;
}

static void to_text(XXH128_hash_t value, char out[TUB_HASH_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, value);
    for (int i = 0; i < 16; i++) {
        out[2 * i] = digits[canonical.digest[i] >> 4];
        out[2 * i + 1] = digits[canonical.digest[i] & 15];
    }
    out[32] = 0;
}

void tub_hash_text(const tub_hash *hash, char out[TUB_HASH_TEXT])
{
    to_text(XXH3_128bits_digest(hash->state), out);
}

void tub_hash_destroy(tub_hash **hash)
{
    if (!hash || !*hash)
        return;
    XXH3_freeState((*hash)->state);
    tub_free(*hash);
    *hash = NULL;
}

void tub_hash_bytes(const void *data, size_t bytes, char out[TUB_HASH_TEXT])
{
    to_text(XXH3_128bits(bytes ? data : "", bytes), out);
}

uint64_t tub_hash_64(const void *data, size_t bytes)
{
    return XXH3_64bits(bytes ? data : "", bytes);
}
