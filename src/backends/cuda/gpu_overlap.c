// Runs that overlap. A run is queued on the device while the previous one is computed. Meanwhile its frames are copied,
// and the device continues without waiting for the host to take the rows. Each run has its own room for what is copied;
// the computing uses one set of memory, in order.
//
// Only what succeeds is done this way. A batch that is too large for a room, or that couldn't be queued, waits for its
// end(). There it is run as by run(), which knows what to do: halve, or report. The runs under way are finished first.
#include "fail.h"
#include "gpu_executable.h"

enum { EVENT_LANDED = TUB_GPU_EVENTS - TUB_RUNS_BEGUN }; // one per room

static tub_gpu_room *room_of(tub_executable *e, int number)
{
    return number == 0 || tub_gpu_shape_second_room(e) ? &e->rooms[number] : NULL;
}

// TUB_END: the run can't be queued.
static tub_status queue(tub_executable *e, int number, const tub_batch *batch)
{
    const tub_backend *b = e->backend;
    tub_gpu_room *room = tub_gpu_run_fits(e, batch) ? room_of(e, number) : NULL;
    if (!room)
        return TUB_END;
    TUB_TRY(tub_gpu_run_queue(e, room, batch, NULL));
    return b->ops->record(b->gpu, EVENT_LANDED + number, TUB_GPU_COMPUTE, NULL);
}

tub_status tub_gpu_begin(tub_executable *e, const tub_batch *batch, tub_error *err)
{
    (void)err;
    const int number = (e->first_flight + e->flight_count) % TUB_RUNS_BEGUN;
    tub_gpu_flight *f = &e->flights[number];
    *f = (tub_gpu_flight){.batch = *batch, .wave = e->wave};
    e->flight_count++;
    f->status = queue(e, number, batch);
    f->state = f->status == TUB_OK ? TUB_GPU_FLIES : TUB_GPU_WAITS;
    return TUB_OK;
}

static void land_one(tub_executable *e, int number)
{
    const tub_backend *b = e->backend;
    tub_gpu_flight *f = &e->flights[number];
    if (f->state != TUB_GPU_FLIES)
        return;
    f->status = b->ops->settle(b->gpu, EVENT_LANDED + number, NULL);
    f->state = f->status == TUB_OK ? TUB_GPU_LANDED : TUB_GPU_WAITS;
    if (f->state == TUB_GPU_LANDED)
        tub_gpu_run_fetch(e, &e->rooms[number], &f->batch);
}

void tub_gpu_land(tub_executable *e)
{
    for (int i = 0; i < e->flight_count; i++)
        land_one(e, (e->first_flight + i) % TUB_RUNS_BEGUN);
}

tub_status tub_gpu_end(tub_executable *e, tub_error *err)
{
    const int number = e->first_flight;
    const tub_gpu_flight *f = &e->flights[number];
    e->first_flight = (number + 1) % TUB_RUNS_BEGUN;
    e->flight_count--;
    land_one(e, number);
    if (f->state == TUB_GPU_LANDED)
        return tub_gpu_run_rescue(e, &f->batch, err);
    tub_gpu_land(e);
    return tub_gpu_run_after(e, &f->batch, f->wave == e->wave ? f->status : TUB_OK, err);
}
