#include "hash.h"

#include <xxhash.h>

#include "memory.h"

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
