#include "tune_ranges.h"

#include <stdio.h>
#include <string.h>

static void add(tub_range *out, int value)
{
    if (out->count < TUB_RANGE_MOST && (out->count == 0 || out->values[out->count - 1] != value))
        out->values[out->count++] = value;
}

// Half of the memory at most: decoded frames and the system need some too.
static void keep_what_fits(tub_range *out, size_t workspace, size_t memory)
{
    while (out->count > 1 && workspace > 0 && (size_t)out->values[out->count - 1] > memory / 2 / workspace)
        out->count--;
}

void tub_range_of_batch(const tub_encoder_info *info, size_t workspace, size_t memory, bool whole, tub_range *out)
{
    static const int device[] = {16, 32, 48, 64, 96, 128}, clips[] = {1, 2, 4, 8, 16, 32, 64, 128},
                     frames[] = {8, 16, 32, 64, 128};
    const bool cpu = !strcmp(info->device, "cpu");
    const int *values = !cpu ? device : info->per_frame ? frames : clips;
    const size_t count = !cpu ? 6 : info->per_frame || !whole ? 5 : 8;
    *out = (tub_range){0};
    for (size_t i = 0; i < count; i++)
        add(out, values[i]);
    keep_what_fits(out, workspace, memory);
    const int last = out->values[out->count - 1];
    snprintf(out->note, sizeof out->note, "batch %d to %d%s%s", out->values[0], last,
             cpu && !whole ? ": a processor gains nothing from the guide's 16 to 128; --wide tries them" : "",
             last < values[count - 1] ? ", as far as memory goes" : "");
}

void tub_range_of_decode_threads(int processors, bool whole, tub_range *out)
{
    const int least = 8, most = 128, twice = 2 * processors < most ? 2 * processors : most;
    const int last = whole ? most : twice;
    int value = processors / 4;
    *out = (tub_range){0};
    if ((twice >= 2 * least && value < least) || (whole && value > least))
        value = least;
    for (value = value > 0 ? value : 1; value < last; value *= 2) {
        if (value > processors && out->values[out->count - 1] < processors)
            add(out, processors);
        add(out, value);
    }
    add(out, last);
    snprintf(out->note, sizeof out->note, "decode threads %d to %d%s", out->values[0], last,
             last < most || out->values[0] > least
                 ? ": the guide's 8 to 128, cut to what these processors can use; --wide tries more"
                 : "");
}

void tub_range_of_prefetch(tub_range *out)
{
    *out = (tub_range){.values = {4, 8, 16}, .count = 3, .note = "prefetch 4 to 16 clips"};
}

static double ratio(int value, int now)
{
    return value > now ? (double)value / now : (double)now / value;
}

void tub_range_sort(tub_range *range, int now)
{
    for (int i = 1; now > 0 && i < range->count; i++)
        for (int k = i; k > 0 && ratio(range->values[k], now) < ratio(range->values[k - 1], now); k--) {
            int other = range->values[k];
            range->values[k] = range->values[k - 1];
            range->values[k - 1] = other;
        }
}
