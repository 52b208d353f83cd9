#include "pixel_pairs.h"

#include "fail.h"
#include "memory.h"

// A shuffle index with the top bit set gives zero.
static uint32_t pick_bytes(int lane, int low, int high)
{
    uint32_t base = 4 * (uint32_t)(lane % 4);
    return (base + (uint32_t)low) | 0x8000u | (base + (uint32_t)high) << 16 | 0x80000000u;
}

static int within(int at, int size)
{
    return at < size - 4 ? at : size - 4;
}

tub_status tub_pairs_init(tub_pairs *pairs, const tub_axis *axis, tub_error *err)
{
    size_t padded = (size_t)axis->padded;
    int chroma_columns = (axis->in + 1) / 2;
    *pairs =
        (tub_pairs){.kept = axis->kept, .padded = axis->padded, .first = axis->first, .weights = axis->weights_by_tap};
    pairs->luma_at = tub_calloc(padded, sizeof *pairs->luma_at);
    pairs->chroma_at = tub_calloc(padded, sizeof *pairs->chroma_at);
    pairs->luma_pick = tub_calloc(padded, sizeof *pairs->luma_pick);
    pairs->chroma_pick = tub_calloc(padded, sizeof *pairs->chroma_pick);
    if (!pairs->luma_at || !pairs->chroma_at || !pairs->luma_pick || !pairs->chroma_pick) {
        tub_pairs_finish(pairs);
        return tub_fail_memory(err, "the tables of the resize");
    }
    for (int k = 0; k < axis->padded; k++) {
        int x = axis->first[k], luma = within(x, axis->in), chroma = within(x / 2, chroma_columns);
        pairs->luma_at[k] = luma;
        pairs->chroma_at[k] = chroma;
        pairs->luma_pick[k] = pick_bytes(k, x - luma, x + 1 - luma);
        pairs->chroma_pick[k] = pick_bytes(k, x / 2 - chroma, (x + 1) / 2 - chroma);
    }
    return TUB_OK;
}

void tub_pairs_finish(tub_pairs *pairs)
{
    tub_free(pairs->luma_at);
    tub_free(pairs->chroma_at);
    tub_free(pairs->luma_pick);
    tub_free(pairs->chroma_pick);
    *pairs = (tub_pairs){0};
}
