#include "in_parallel.h"

#include "team.h"

// More threads than there may be processors: they wait more than they work.
enum { THREADS = 8, PIECE = 256 };

typedef struct tub_pieces {
    size_t count;
    void (*each)(void *context, size_t i);
    void *context;
} tub_pieces;

static void do_piece(void *context, int unit, int member)
{
    (void)member;
    const tub_pieces *p = context;
    size_t from = (size_t)unit * PIECE, to = from + PIECE < p->count ? from + PIECE : p->count;
    for (size_t i = from; i < to; i++)
        p->each(p->context, i);
}

void tub_in_parallel(size_t count, void (*each)(void *context, size_t i), void *context)
{
    tub_pieces pieces = {.count = count, .each = each, .context = context};
    int units = (int)((count + PIECE - 1) / PIECE);
    tub_team *team = NULL;
    if (units > 1 && tub_team_open(units < THREADS ? units : THREADS, &team, NULL) == TUB_OK)
        tub_team_run(team, units, do_piece, &pieces);
    else
        for (int i = 0; i < units; i++)
            do_piece(&pieces, i, 0);
    tub_team_close(&team);
}
