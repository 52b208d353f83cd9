#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "tune_impl.h"

// Two runs with the same settings may differ by this factor.
static const double noise = 1.04;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void tub_tune_note(tub_tune_entry *entry, double rate)
{
    double sorted[TUB_TUNE_RUNS_MOST];
    int runs = entry->row.runs;
    if (runs == TUB_TUNE_RUNS_MOST)
        return;
    entry->rates[runs++] = rate;
    memcpy(sorted, entry->rates, (size_t)runs * sizeof *sorted);
    qsort(sorted, (size_t)runs, sizeof *sorted, by_value);
    entry->row.rate = (sorted[(runs - 1) / 2] + sorted[runs / 2]) / 2;
    entry->row.runs = runs;
}

size_t tub_tune_choose(const tub_tune_entry *entries, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (entries[i].row.rate > entries[best].row.rate)
            best = i;
    return entries[best].row.rate > noise * entries[0].row.rate ? best : 0;
}

bool tub_tuning_row_at(const tub_tuning *t, size_t i, tub_tune_row *out)
{
    if (i < t->count)
        *out = t->entries[i].row;
    return i < t->count;
}

const tub_profile *tub_tuning_profile(const tub_tuning *t)
{
    return &t->profile;
}

void tub_tuning_close(tub_tuning **t)
{
    if (!t || !*t)
        return;
    tub_encoder_close(&(*t)->encoder);
    tub_free(*t);
    *t = NULL;
}
