#include "frame_rows.h"

#include <string.h>

#include "fail.h"
#include "memory.h"
#include "window_mean.h"
#include "windower.h"

struct tub_frame_rows {
    tub_windower *windower;
    int dim, clip_length;
    float *ring; // places * dim
    int *counts; // unreleased pushes of each place
    int64_t *free_places;
    int64_t free_count;
    int64_t next; // the next output frame
    bool finished;
    int64_t *handles;         // of one window
    const float **embeddings; // likewise
    double *sum;
    float *row;
};

static bool allocate(tub_frame_rows *f, const tub_sampling *s)
{
    // One place more than frames are held, since a frame is put down before it is pushed.
    int64_t places = tub_windower_most_held(s) + 1;
    size_t values = 0;
    if (places < 1 || !tub_size_mul((size_t)places, (size_t)f->dim, &values))
        return false;
    f->ring = tub_alloc_aligned(values, sizeof *f->ring);
    f->counts = tub_calloc((size_t)places, sizeof *f->counts);
    f->free_places = tub_calloc((size_t)places, sizeof *f->free_places);
    f->handles = tub_calloc((size_t)f->clip_length, sizeof *f->handles);
    f->embeddings = tub_calloc((size_t)f->clip_length, sizeof *f->embeddings);
    f->sum = tub_calloc((size_t)f->dim, sizeof *f->sum);
    f->row = tub_calloc((size_t)f->dim, sizeof *f->row);
    f->windower = tub_windower_create(s);
    if (!f->ring || !f->counts || !f->free_places || !f->handles || !f->embeddings || !f->sum || !f->row ||
        !f->windower)
        return false;
    for (int64_t i = 0; i < places; i++)
        f->free_places[i] = i;
    f->free_count = places;
    return true;
}

tub_status tub_frame_rows_open(const tub_sampling *s, int dim, tub_frame_rows **out, tub_error *err)
{
    *out = NULL;
    tub_frame_rows *f = tub_calloc(1, sizeof *f);
    if (f) {
        f->dim = dim;
        f->clip_length = s->clip_length;
    }
    if (!f || !allocate(f, s)) {
        tub_frame_rows_close(&f);
        return tub_fail_memory(err, "the frame embeddings of a window");
    }
    *out = f;
    return TUB_OK;
}

void tub_frame_rows_close(tub_frame_rows **f)
{
    if (!f || !*f)
        return;
    tub_windower_destroy(&(*f)->windower);
    tub_free((*f)->row);
    tub_free((*f)->sum);
    tub_free((*f)->embeddings);
    tub_free((*f)->handles);
    tub_free((*f)->free_places);
    tub_free((*f)->counts);
    tub_free((*f)->ring);
    tub_free(*f);
    *f = NULL;
}

static void release(tub_frame_rows *f, int64_t place)
{
    if (--f->counts[place] == 0)
        f->free_places[f->free_count++] = place;
}

static tub_status emit(tub_frame_rows *f, tub_take_row take, void *user)
{
    int64_t row = 0, place = 0;
    while (tub_windower_next(f->windower, &row, f->handles)) {
        for (int i = 0; i < f->clip_length; i++)
            f->embeddings[i] = f->ring + (size_t)f->handles[i] * (size_t)f->dim;
        tub_window_mean(f->embeddings, f->clip_length, f->dim, f->sum, f->row);
        if (!take(user, row, f->row))
            return TUB_END;
    }
    while (tub_windower_release(f->windower, &place))
        release(f, place);
    return TUB_OK;
}

static tub_status skip_until(tub_frame_rows *f, int64_t k, tub_take_row take, void *user)
{
    while (f->next < k) {
        tub_windower_skip(f->windower, f->next++);
        TUB_TRY(emit(f, take, user));
    }
    return TUB_OK;
}

static tub_status push(tub_frame_rows *f, int64_t place, int64_t count, tub_take_row take, void *user, tub_error *err)
{
    for (int64_t end = f->next + count; f->next < end; f->next++) {
        if (tub_windower_wants(f->windower, f->next)) {
            f->counts[place]++;
            if (!tub_windower_push(f->windower, f->next, place))
                return tub_fail_memory(err, "the windows of a video");
        } else {
            tub_windower_skip(f->windower, f->next);
        }
        TUB_TRY(emit(f, take, user));
    }
    return TUB_OK;
}

static tub_status finish(tub_frame_rows *f, int64_t frames, int64_t place, tub_take_row take, void *user,
                         tub_error *err)
{
    TUB_TRY(skip_until(f, frames, take, user));
    f->finished = true;
    if (!tub_windower_finish(f->windower, frames, place))
        return tub_fail_memory(err, "the windows of a video");
    return emit(f, take, user);
}

tub_status tub_frame_rows_add(tub_frame_rows *f, const float *embedding, int64_t first, int64_t count, bool last,
                              tub_take_row take, void *user, tub_error *err)
{
    if (f->free_count == 0 || f->finished || (!last && first < f->next))
        return tub_fail(err, TUB_ERROR_INTERNAL, "frame %lld: no place for its embedding", (long long)first);
    int64_t place = f->free_places[--f->free_count];
    memcpy(f->ring + (size_t)place * (size_t)f->dim, embedding, (size_t)f->dim * sizeof *embedding);
    f->counts[place] = 1; // our own count while it is pushed
    if (last) {
        f->counts[place]++;
        TUB_TRY(finish(f, first + 1, place, take, user, err));
    } else {
        TUB_TRY(skip_until(f, first, take, user));
        TUB_TRY(push(f, place, count, take, user, err));
    }
    release(f, place);
    return TUB_OK;
}

tub_status tub_frame_rows_finish(tub_frame_rows *f, int64_t frames, tub_take_row take, void *user, tub_error *err)
{
    return f->finished ? TUB_OK : finish(f, frames, -1, take, user, err);
}
