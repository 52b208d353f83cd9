#include "windower.h"

#include <string.h>

#include "memory.h"

// Used as the video's length while the end isn't known: greater than any frame number.
static const int64_t ENDLESS = INT64_MAX / 4;

typedef struct entry {
    int64_t k, handle;
    int64_t last_row; // the last window that needs it whatever the video's length is, -1 = none
    bool live;        // not given back yet
} entry;

struct tub_windower {
    tub_sampling s;
    int64_t span, offset; // of a window; of the first window's first frame
    bool pads;            // a last window may end at any frame
    int64_t frames;       // seen so far
    int64_t row;          // the next window
    int64_t end, rows;    // known when finished
    bool finished;
    entry *entries; // in the order of k: [first, count)
    size_t first, count, capacity;
    int64_t *free; // handles to give back: [free_first, free_count)
    size_t free_first, free_count, free_capacity;
    int64_t *clip; // scratch: frame numbers of one window
};

static void set_up(tub_windower *w, const tub_sampling *s)
{
    w->s = *s;
    w->span = (int64_t)(s->clip_length - 1) * s->interval + 1;
    w->offset = s->align == TUB_ALIGN_CENTER ? s->stride / 2 - (int64_t)(s->clip_length / 2) * s->interval : 0;
    w->pads = s->align == TUB_ALIGN_BACKPAD && s->stride > 1;
}

tub_windower *tub_windower_create(const tub_sampling *s)
{
    tub_windower *w = tub_calloc(1, sizeof *w);
    if (!w)
        return NULL;
    set_up(w, s);
    w->clip = tub_calloc((size_t)s->clip_length, sizeof *w->clip);
    if (!w->clip)
        tub_windower_destroy(&w);
    return w;
}

void tub_windower_destroy(tub_windower **windower)
{
    if (!windower || !*windower)
        return;
    tub_windower *w = *windower;
    tub_free(w->clip);
    tub_free(w->free);
    tub_free(w->entries);
    tub_free(w);
    *windower = NULL;
}

// The last window that contains frame k, apart from the end of the video; -1 = none.
static int64_t last_row_of(const tub_windower *w, int64_t k)
{
    int64_t clamped = -1;
    if (k == 0 && w->offset < 0)
        clamped = (-w->offset - 1) / w->s.stride;
    for (int j = 0; j < w->s.clip_length && j < w->s.stride; j++) {
        int64_t start = k - w->offset - (int64_t)j * w->s.interval;
        if (start < 0)
            break;
        if (start % w->s.stride == 0)
            return start / w->s.stride > clamped ? start / w->s.stride : clamped;
    }
    return clamped;
}

bool tub_windower_wants(const tub_windower *w, int64_t k)
{
    return w->pads || last_row_of(w, k) >= 0;
}

bool tub_sampling_wants(const tub_sampling *s, int64_t k)
{
    tub_windower w = {0};
    set_up(&w, s);
    return tub_windower_wants(&w, k);
}

// After the first windows, the pattern of wanted frames repeats at every stride.
bool tub_sampling_leaves_out(const tub_sampling *s)
{
    const int64_t begin = (int64_t)s->clip_length * s->interval, end = begin + 2 * (int64_t)s->stride;
    for (int64_t k = 0; k < end; k++)
        if (!tub_sampling_wants(s, k))
            return true;
    return false;
}

// The live entry of frame k, or NULL.
static entry *find(const tub_windower *w, int64_t k)
{
    size_t low = w->first, high = w->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->entries[middle].k < k)
            low = middle + 1;
        else
            high = middle;
    }
    return low < w->count && w->entries[low].k == k && w->entries[low].live ? &w->entries[low] : NULL;
}

// Whether a window may need frame k because of the end: as the repeated last frame, or in a window that ends there.
static bool is_kept_for_end(const tub_windower *w, int64_t k)
{
    if (w->finished)
        return w->row < w->rows;
    if (w->s.align == TUB_ALIGN_CENTER)
        return k == w->frames - 1;
    return w->pads && k >= w->frames - w->span;
}

static void give_back(tub_windower *w, entry *e)
{
    w->free[w->free_count++] = e->handle;
    e->live = false;
    while (w->first < w->count && !w->entries[w->first].live)
        w->first++;
}

static void give_back_if_done(tub_windower *w, entry *e)
{
    if (e && e->last_row < w->row && !is_kept_for_end(w, e->k))
        give_back(w, e);
}

// Moves what is in use to the front once half of the array is unused, so that arrays don't grow with the video.
static void compact(void *array, size_t size, size_t *first, size_t *count)
{
    if (*first == 0 || *first < *count / 2)
        return;
    memmove(array, (char *)array + *first * size, (*count - *first) * size);
    *count -= *first;
    *first = 0;
}

// Makes room for one more entry, and for giving back all that are held.
static bool make_room(tub_windower *w)
{
    compact(w->entries, sizeof *w->entries, &w->first, &w->count);
    compact(w->free, sizeof *w->free, &w->free_first, &w->free_count);
    void *entries = w->entries, *list = w->free;
    bool ok = tub_grow(&entries, &w->capacity, w->count + 1, sizeof *w->entries);
    w->entries = entries;
    ok = ok && tub_grow(&list, &w->free_capacity, w->free_count + (w->count - w->first) + 1, sizeof *w->free);
    w->free = list;
    return ok;
}

// Frame k has come: gives back what was kept only because the video might have ended before it.
static void advance(tub_windower *w, int64_t k)
{
    w->frames = k + 1;
    if (w->s.align == TUB_ALIGN_CENTER)
        give_back_if_done(w, find(w, k - 1));
    else if (w->pads)
        give_back_if_done(w, find(w, k - w->span));
}

bool tub_windower_push(tub_windower *w, int64_t k, int64_t handle)
{
    if (!make_room(w))
        return false;
    w->entries[w->count++] = (entry){.k = k, .handle = handle, .last_row = last_row_of(w, k), .live = true};
    advance(w, k);
    return true;
}

void tub_windower_skip(tub_windower *w, int64_t k)
{
    advance(w, k);
}

bool tub_windower_needs_last(const tub_windower *w, int64_t n)
{
    int64_t rows = tub_sampling_rows(&w->s, n);
    if (w->row >= rows || find(w, n - 1))
        return false;
    tub_sampling_clip(&w->s, n, rows - 1, w->clip);
    return w->clip[w->s.clip_length - 1] == n - 1;
}

bool tub_windower_finish(tub_windower *w, int64_t n, int64_t last)
{
    bool extra = tub_windower_needs_last(w, n);
    if (!make_room(w))
        return false;
    if (extra)
        w->entries[w->count++] = (entry){.k = n - 1, .handle = last, .last_row = -1, .live = true};
    w->finished = true;
    w->end = n;
    w->rows = tub_sampling_rows(&w->s, n);
    return true;
}

bool tub_windower_next(tub_windower *w, int64_t *row, int64_t *handles)
{
    int64_t last = w->row * w->s.stride + w->offset + w->span - 1;
    if (w->finished ? w->row >= w->rows : last >= w->frames)
        return false;
    tub_sampling_clip(&w->s, w->finished ? w->end : ENDLESS, w->row, w->clip);
    for (int j = 0; j < w->s.clip_length; j++) {
        const entry *e = find(w, w->clip[j]);
        handles[j] = e ? e->handle : -1;
    }
    *row = w->row++;
    for (int j = 0; j < w->s.clip_length; j++)
        give_back_if_done(w, find(w, w->clip[j]));
    return true;
}

static bool take_free(tub_windower *w, int64_t *handle)
{
    if (w->free_first == w->free_count)
        return false;
    *handle = w->free[w->free_first++];
    return true;
}

bool tub_windower_drop(tub_windower *w, int64_t *handle)
{
    if (w->first < w->count)
        for (size_t i = w->count; i-- > w->first;)
            if (w->entries[i].live)
                give_back(w, &w->entries[i]);
    return take_free(w, handle);
}

bool tub_windower_release(tub_windower *w, int64_t *handle)
{
    if (w->finished && w->row >= w->rows)
        return tub_windower_drop(w, handle);
    return take_free(w, handle);
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int64_t tub_windower_most_held(const tub_sampling *s)
{
    tub_windower w = {0};
    set_up(&w, s);
    // All frames of a span, and the one that leaves it when the next comes.
    if (w.pads)
        return w.span + 1;
    // The frames of windows that are open at once lie on a lattice within one span.
    int64_t step = common_divisor(s->stride, s->interval);
    int64_t lattice = (w.span - 1) / step + 1;
    int64_t open = (w.span + s->stride - 1) / s->stride;
    int64_t most = lattice < open * s->clip_length ? lattice : open * s->clip_length;
    // The frame before was kept in case it was the last.
    return most + (s->align == TUB_ALIGN_CENTER);
}
