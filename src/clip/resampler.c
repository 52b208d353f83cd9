#include "resampler.h"

#include <math.h>

// Seconds in double aren't exact. A time that is less than this part of an output frame from a threshold counts as on
// it.
static const double TOLERANCE = 1e-6;

// No output counts beyond this, so that a broken timestamp can't overflow.
static const double OUTPUTS_MOST = 1e15;

void tub_resampler_init(tub_resampler *r, double fps)
{
    *r = (tub_resampler){.fps = fps};
}

// `total` outputs are decided by now. Returns how many of them are new.
static int64_t decide(tub_resampler *r, double total)
{
    total = total < OUTPUTS_MOST ? total : OUTPUTS_MOST;
    int64_t more = total > (double)r->outputs ? (int64_t)total - r->outputs : 0;
    r->outputs += more;
    return more;
}

// The number of outputs whose thresholds are at or before `pts`: they belong to the frames before.
static double outputs_before(double fps, double first, double pts)
{
    return floor((pts - first) * fps + 0.5 + TOLERANCE);
}

int64_t tub_resampler_push(tub_resampler *r, double pts)
{
    if (!r->started) {
        r->started = true;
        r->first = r->previous = isfinite(pts) ? pts : 0;
        return 0;
    }
    bool forwards = isfinite(pts) && pts > r->previous;
    r->distance = forwards ? pts - r->previous : 0;
    r->previous = forwards ? pts : r->previous;
    if (r->fps == 0)
        return decide(r, (double)r->outputs + 1);
    return decide(r, outputs_before(r->fps, r->first, r->previous));
}

bool tub_resampler_may_show(double fps, double first, double pts, double next_most)
{
    return !(outputs_before(fps, first, next_most) <= outputs_before(fps, first, pts));
}

int64_t tub_resampler_finish(tub_resampler *r, double duration)
{
    if (!r->started)
        return 0;
    if (r->fps == 0)
        return decide(r, (double)r->outputs + 1);
    if (!(isfinite(duration) && duration > 0))
        duration = r->distance > 0 ? r->distance : 1 / r->fps;
    double end = r->previous + duration;
    double total = ceil((end - r->first) * r->fps - 0.5 - TOLERANCE);
    return decide(r, total < 1 ? 1 : total);
}
