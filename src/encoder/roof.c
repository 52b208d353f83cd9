#include "backend.h"
#include "clock.h"
#include "fail.h"
#include "params.h"

enum { REPEATS = 8 };

typedef struct loop {
    const tub_backend_ops *ops;
    tub_dtype dtype;
    long turns;
    double done[1024]; // by unit
} loop;

static void unit(void *context, int number, int member)
{
    (void)member;
    loop *l = context;
    l->done[number] = l->ops->roof(l->dtype, l->turns);
}

static const tub_backend_ops *find(tub_dtype dtype, tub_error *err)
{
    for (size_t i = 0; tub_backend_at(i); i++)
        if (tub_backend_at(i)->roof)
            return tub_backend_at(i)->supports(dtype, err) == TUB_OK ? tub_backend_at(i) : NULL;
    (void)tub_fail(err, TUB_ERROR_DEVICE, "this build has no loop to measure the processor's limit with");
    return NULL;
}

static double once(tub_team *team, int threads, loop *l)
{
    const double start = tub_now();
    tub_team_run(team, threads, unit, l);
    const double seconds = tub_now() - start;
    double done = 0;
    for (int i = 0; i < threads; i++)
        done += l->done[i];
    return seconds > 0 ? done / seconds : 0;
}

static void measure(tub_team *team, int threads, double seconds, loop *l, double *best)
{
    // The turns of one repeat, estimated from a short first run.
    enum { FEW = 20000 };
    l->turns = FEW;
    const double start = tub_now();
    (void)once(team, threads, l);
    const double took = tub_now() - start;
    l->turns = (long)(FEW * seconds / REPEATS / (took > 1e-6 ? took : 1e-6)) + FEW;
    *best = 0;
    for (int i = 0; i < REPEATS; i++) {
        const double rate = once(team, threads, l);
        *best = rate > *best ? rate : *best;
    }
}

tub_status tub_roof_measure(tub_dtype dtype, int threads, double seconds, double *flops_per_second, tub_error *err)
{
    TUB_TRY(tub_check_given("flops_per_second", flops_per_second, err));
    enum { MOST = sizeof((loop *)0)->done / sizeof(double) };
    tub_team *team = NULL;
    if (threads < 0 || threads > MOST || !(seconds >= 0) || seconds > 60)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%d threads for %g seconds: 0 to %d threads, 0 to 60 seconds", threads,
                        seconds, MOST);
    const tub_backend_ops *ops = find(dtype, err);
    if (!ops)
        return TUB_ERROR_DEVICE;
    loop l = {.ops = ops, .dtype = dtype};
    const int count = threads ? threads : tub_usable_processors();
    TUB_TRY(tub_team_open(count, &team, err));
    measure(team, count, seconds > 0 ? seconds : 0.1, &l, flops_per_second);
    tub_team_close(&team);
    return TUB_OK;
}
