// "Did you mean": the nearest of a few names by edit distance.
#include <string.h>

#include "cli.h"

enum { LONGEST = 40 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Insertions, deletions, replacements and swaps of neighbors that turn one word into the other.
static size_t edits(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[3][LONGEST + 1];
    size_t *older = row[0], *old = row[1], *now = row[2];
    for (size_t j = 0; j <= m; j++)
        old[j] = j;
    for (size_t i = 1; i <= n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = least(least(old[j], now[j - 1]) + 1, old[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], older[j - 2] + 1);
        }
        size_t *free_row = older;
        older = old;
        old = now;
        now = free_row;
    }
    return old[m];
}

const char *cli_nearest(const char *name, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t length = strlen(name), allowed = length / 3 > 2 ? length / 3 : 2;
    if (length > LONGEST)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) > LONGEST)
            continue;
        size_t cost = edits(name, names[i]);
        if (cost <= allowed && cost < length) {
            best = names[i];
            allowed = cost ? cost - 1 : 0;
        }
    }
    return best;
}
