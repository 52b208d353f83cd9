#include "idle.h"

#include "clock.h"

static int64_t look(_Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add(_Atomic int64_t *counter, int64_t nanoseconds)
{
    atomic_fetch_add_explicit(counter, nanoseconds, memory_order_relaxed);
}

void tub_idle_begin(tub_counters *c, tub_idle_mark *mark)
{
    *mark = (tub_idle_mark){
        .start = tub_now(), .open = look(&c->open), .decode = look(&c->decode), .convert = look(&c->convert)};
}

double tub_idle_end(tub_counters *c, const tub_idle_mark *mark)
{
    double seconds = tub_now() - mark->start;
    int64_t wait = (int64_t)(seconds * 1e9);
    add(&c->device_wait, wait);
    if (look(&c->batches) == 0) {
        add(&c->idle_start, wait);
        return seconds;
    }
    int64_t open = look(&c->open) - mark->open, decode = look(&c->decode) - mark->decode;
    int64_t convert = look(&c->convert) - mark->convert, worked = open + decode + convert;
    if (worked <= 0)
        return seconds;
    // Together, several workers may work more seconds than the wait has.
    double scale = worked > wait ? (double)wait / (double)worked : 1;
    add(&c->idle_open, (int64_t)(scale * (double)open));
    add(&c->idle_decode, (int64_t)(scale * (double)decode));
    add(&c->idle_convert, (int64_t)(scale * (double)convert));
    add(&c->idle_input, worked < wait ? wait - worked : 0);
    return seconds;
}

void tub_idle_explain(tub_counters *c, tub_progress *out)
{
    double open = tub_counted_seconds(&c->idle_open), decode = tub_counted_seconds(&c->idle_decode);
    double convert = tub_counted_seconds(&c->idle_convert), input = tub_counted_seconds(&c->idle_input);
    double all = open + decode + convert + input;
    out->idle_start_seconds = tub_counted_seconds(&c->idle_start);
    if (out->idle_start_seconds > out->device_wait_seconds) // counted meanwhile
        out->idle_start_seconds = out->device_wait_seconds;
    double rest = out->device_wait_seconds - out->idle_start_seconds;
    if (all <= 0) {
        out->idle_input_seconds = rest;
        return;
    }
    out->idle_open_seconds = rest * open / all;
    out->idle_decode_seconds = rest * decode / all;
    out->idle_convert_seconds = rest * convert / all;
    out->idle_input_seconds = rest * input / all;
}
