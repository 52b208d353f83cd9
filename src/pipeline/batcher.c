#include "batcher.h"

#include <pthread.h>
#include <string.h>

#include "fail.h"
#include "memory.h"

struct tub_batcher {
    pthread_mutex_t lock;
    pthread_cond_t changed; // there may be something to hand over
    pthread_cond_t room;
    int batch, frames, capacity;
    bool eager, apart, starved, finished, stopped;
    int takers;        // takers that are waiting
    int64_t undecoded; // jobs expected whose end hasn't come
    tub_entry *line;   // a ring
    int *slots;        // `frames` for each place of the ring
    tub_entry *aside;  // scratch for reordering, as large as the line; the entries' slots
    int *aside_slots;
    int head, count, items, ends;
    int loads, out;          // how many may be out, how many are
    tub_entry *load_entries; // [loads][capacity]: what take() handed over
    int *load_slots;         // [loads][batch * frames]
    bool *load_taken;        // [loads]
    tub_load *returned;      // [loads]
    int returned_count;
    int64_t next_number;
};

static void free_loads(tub_batcher *b)
{
    tub_free(b->aside);
    tub_free(b->aside_slots);
    b->aside = NULL;
    b->aside_slots = NULL;
    tub_free(b->returned);
    tub_free(b->load_taken);
    tub_free(b->load_slots);
    tub_free(b->load_entries);
    b->returned = NULL;
    b->load_taken = NULL;
    b->load_slots = NULL;
    b->load_entries = NULL;
}

static bool allocate_loads(tub_batcher *b, int loads)
{
    size_t count = (size_t)loads, entries = 0, ints = 0;
    if (!tub_size_mul(count, (size_t)b->capacity, &entries) ||
        !tub_size_mul((size_t)b->batch * count, (size_t)b->frames, &ints))
        return false;
    b->loads = loads;
    b->load_entries = tub_calloc(entries, sizeof *b->load_entries);
    b->load_slots = tub_calloc(ints, sizeof *b->load_slots);
    b->load_taken = tub_calloc(count, sizeof *b->load_taken);
    b->returned = tub_calloc(count, sizeof *b->returned);
    b->aside = tub_calloc((size_t)b->capacity, sizeof *b->aside);
    b->aside_slots = tub_calloc((size_t)b->capacity, (size_t)b->frames * sizeof *b->aside_slots);
    return b->load_entries && b->load_slots && b->load_taken && b->returned && b->aside && b->aside_slots;
}

static bool allocate(tub_batcher *b)
{
    size_t places = (size_t)b->capacity, ints = 0;
    if (!tub_size_mul(places, (size_t)b->frames, &ints))
        return false;
    b->line = tub_calloc(places, sizeof *b->line);
    b->slots = tub_calloc(ints, sizeof *b->slots);
    return b->line && b->slots && allocate_loads(b, 1);
}

tub_status tub_batcher_share(tub_batcher *b, int loads, tub_error *err)
{
    free_loads(b);
    return allocate_loads(b, loads) ? TUB_OK : tub_fail_memory(err, "the batches of several devices");
}

tub_status tub_batcher_open(int batch, int ready, int frames, bool eager, tub_batcher **out, tub_error *err)
{
    *out = NULL;
    tub_batcher *b = tub_calloc(1, sizeof *b);
    if (!b)
        return tub_fail_memory(err, "the batches");
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    pthread_cond_init(&b->room, NULL);
    b->batch = batch;
    b->frames = frames;
    b->capacity = ready > batch ? ready : batch;
    b->eager = eager;
    if (!allocate(b)) {
        tub_batcher_close(&b);
        return tub_fail_memory(err, "the batches");
    }
    *out = b;
    return TUB_OK;
}

void tub_batcher_close(tub_batcher **batcher)
{
    if (!batcher || !*batcher)
        return;
    tub_batcher *b = *batcher;
    free_loads(b);
    tub_free(b->slots);
    tub_free(b->line);
    pthread_cond_destroy(&b->room);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    tub_free(b);
    *batcher = NULL;
}

void tub_batcher_expect(tub_batcher *b)
{
    pthread_mutex_lock(&b->lock);
    b->undecoded++;
    pthread_mutex_unlock(&b->lock);
}

static bool append(tub_batcher *b, const tub_entry *entry, const int *slots)
{
    while (!b->stopped && b->count == b->capacity)
        pthread_cond_wait(&b->room, &b->lock);
    if (b->stopped)
        return false;
    int place = (b->head + b->count) % b->capacity;
    b->line[place] = *entry;
    b->count++;
    if (slots) {
        memcpy(b->slots + (size_t)place * (size_t)b->frames, slots, (size_t)b->frames * sizeof *slots);
        b->items++;
    } else {
        b->ends++;
    }
    pthread_cond_signal(&b->changed);
    return true;
}

bool tub_batcher_put(tub_batcher *b, const tub_entry *entry, const int *slots)
{
    pthread_mutex_lock(&b->lock);
    bool ok = append(b, entry, slots);
    pthread_mutex_unlock(&b->lock);
    return ok;
}

bool tub_batcher_end(tub_batcher *b, tub_reel *reel)
{
    tub_entry end = {.kind = TUB_ENTRY_END, .reel = reel};
    pthread_mutex_lock(&b->lock);
    bool ok = append(b, &end, NULL);
    b->undecoded--;
    pthread_mutex_unlock(&b->lock);
    return ok;
}

static void set_and_tell(tub_batcher *b, bool *flag, bool value)
{
    pthread_mutex_lock(&b->lock);
    *flag = value;
    pthread_cond_broadcast(&b->changed);
    pthread_cond_broadcast(&b->room);
    pthread_mutex_unlock(&b->lock);
}

void tub_batcher_starving(tub_batcher *b, bool starved)
{
    pthread_mutex_lock(&b->lock);
    b->starved = starved;
    if (starved)
        pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

void tub_batcher_keep_apart(tub_batcher *b)
{
    b->apart = true;
}

void tub_batcher_finish(tub_batcher *b)
{
    set_and_tell(b, &b->finished, true);
}

void tub_batcher_stop(tub_batcher *b)
{
    set_and_tell(b, &b->stopped, true);
}

int tub_batcher_count(tub_batcher *b)
{
    pthread_mutex_lock(&b->lock);
    int items = b->items;
    pthread_mutex_unlock(&b->lock);
    return items;
}

static bool is_sealed(const tub_batcher *b)
{
    return b->items >= b->batch || b->count == b->capacity || b->eager || b->starved || b->undecoded == 0 ||
           (b->apart && b->ends > 0);
}

static bool is_ready(const tub_batcher *b)
{
    return b->count > 0 && (b->line[b->head].kind == TUB_ENTRY_END || is_sealed(b));
}

static bool is_over(const tub_batcher *b)
{
    return b->stopped || (b->finished && b->undecoded == 0 && b->count == 0 && b->out == 0);
}

static int free_place(const tub_batcher *b)
{
    for (int i = 0; i < b->loads; i++)
        if (!b->load_taken[i])
            return i;
    return -1;
}

static size_t ring_place(const tub_batcher *b, int i)
{
    return (size_t)((b->head + i) % b->capacity);
}

static void copy_entry(const tub_batcher *b, tub_entry *to, int *to_slots, size_t to_place, const tub_entry *from,
                       const int *from_slots, size_t from_place)
{
    const size_t frames = (size_t)b->frames;
    to[to_place] = from[from_place];
    memcpy(to_slots + to_place * frames, from_slots + from_place * frames, frames * sizeof *to_slots);
}

// Moves the first items of this home, at most a batch, to the front. All others keep their order. The end of a video
// stays behind its items.
static void put_own_first(tub_batcher *b, int home)
{
    int own = 0, last = -1;
    for (int i = 0; i < b->count && own < b->batch; i++) {
        const tub_entry *entry = &b->line[ring_place(b, i)];
        if (entry->kind == TUB_ENTRY_END || entry->home != home)
            continue;
        own++;
        last = i;
    }
    for (int i = 0, first = 0, rest = own; i <= last; i++) {
        const tub_entry *entry = &b->line[ring_place(b, i)];
        const bool is_own = entry->kind != TUB_ENTRY_END && entry->home == home;
        copy_entry(b, b->aside, b->aside_slots, (size_t)(is_own ? first++ : rest++), b->line, b->slots,
                   ring_place(b, i));
    }
    for (int i = 0; i <= last; i++)
        copy_entry(b, b->line, b->slots, ring_place(b, i), b->aside, b->aside_slots, (size_t)i);
}

static void move_out(tub_batcher *b, int place, tub_load *load)
{
    int most = is_sealed(b) ? b->batch : 0;
    *load = (tub_load){.entries = b->load_entries + (size_t)place * (size_t)b->capacity,
                       .slots = b->load_slots + (size_t)place * (size_t)b->batch * (size_t)b->frames,
                       .number = b->next_number++,
                       .place = place};
    b->load_taken[place] = true;
    b->out++;
    while (b->count > 0) {
        const tub_entry *entry = &b->line[b->head];
        if (entry->kind != TUB_ENTRY_END) {
            if (load->items == most)
                break;
            memcpy(load->slots + (size_t)load->items * (size_t)b->frames,
                   b->slots + (size_t)b->head * (size_t)b->frames, (size_t)b->frames * sizeof *load->slots);
            load->items++;
        }
        const bool is_end = entry->kind == TUB_ENTRY_END;
        load->entries[load->count++] = *entry;
        b->head = (b->head + 1) % b->capacity;
        b->count--;
        b->ends -= is_end;
        if (is_end && b->apart)
            break;
    }
    b->items -= load->items;
}

static bool try_take(tub_batcher *b, int home, tub_load *load)
{
    if (b->returned_count > 0) {
        *load = b->returned[0];
        b->returned_count--;
        memmove(b->returned, b->returned + 1, (size_t)b->returned_count * sizeof *b->returned);
        return true;
    }
    const int place = free_place(b);
    if (place < 0 || !is_ready(b))
        return false;
    if (home && b->items > b->batch && !b->apart)
        put_own_first(b, home);
    move_out(b, place, load);
    pthread_cond_broadcast(&b->room);
    if (is_ready(b))
        pthread_cond_signal(&b->changed);
    return true;
}

static void put_down(tub_batcher *b, int place)
{
    b->out -= b->load_taken[place];
    b->load_taken[place] = false;
}

bool tub_batcher_take(tub_batcher *b, tub_load *load)
{
    return tub_batcher_take_own(b, 0, load);
}

bool tub_batcher_take_own(tub_batcher *b, int home, tub_load *load)
{
    pthread_mutex_lock(&b->lock);
    if (b->loads == 1 && b->returned_count == 0)
        put_down(b, 0);
    bool taken = false;
    b->takers++;
    while (!is_over(b) && !(taken = try_take(b, home, load)))
        pthread_cond_wait(&b->changed, &b->lock);
    b->takers--;
    pthread_mutex_unlock(&b->lock);
    return taken;
}

bool tub_batcher_take_ahead(tub_batcher *b, int home, tub_load *load)
{
    pthread_mutex_lock(&b->lock);
    const bool full = b->returned_count > 0 || b->items >= b->batch;
    const bool taken = full && b->takers == 0 && !is_over(b) && try_take(b, home, load);
    pthread_mutex_unlock(&b->lock);
    return taken;
}

void tub_batcher_done(tub_batcher *b, const tub_load *load)
{
    pthread_mutex_lock(&b->lock);
    put_down(b, load->place);
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

void tub_batcher_give_back(tub_batcher *b, const tub_load *load)
{
    pthread_mutex_lock(&b->lock);
    b->returned[b->returned_count++] = *load;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}
