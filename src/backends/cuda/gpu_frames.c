#include "gpu_frames.h"

#include <pthread.h>
#include <string.h>

#include "fail.h"
#include "gpu_frame_bodies.h"
#include "gpu_frame_tables.h"

enum {
    DESKS = 2,
    RECIPES = 64, // that a desk keeps
    EVENT_MADE = 0,
    WORDS = 16,        // bytes that are read at once
    PITCH = 256,       // rows of uploaded planes begin at multiples of this
    TABLES = 64 << 10, // tables get multiples of this, so that another recipe's can replace them
    CORES = 80,        // from here on, code has tensor core products of bytes
};

// A recipe's tables on the device.
typedef struct shelf {
    tub_frame_recipe recipe;     // the tables' recipe, which points to the host's copy
    tub_gpu_frame_tables tables; // no data: none
    tub_gpu_block block;
    unsigned long used; // the desk's turn when it was last used
} shelf;

typedef struct desk {
    bool busy;
    tub_gpu *gpu;
    shelf shelves[RECIPES];
    unsigned long turns;
    tub_gpu_block planes;   // for a frame from the host
    unsigned char *staging; // the same, in pinned memory
    size_t staging_bytes;
} desk;

// A frame that a thread waits for.
typedef struct wish {
    const tub_frame_recipe *recipe;
    const tub_frame_planes *planes;
    void *at, *host;
    bool taken, done;
    tub_status status;
    tub_error error;
    struct wish *next;
} wish;

struct tub_gpu_frames {
    tub_backend *backend;
    tub_gpu_form form;
    tub_gpu_block memory;
    desk desks[DESKS];
    pthread_mutex_t lock; // protects the wishes and the desks' `busy`
    pthread_cond_t changed;
    wish *wishes; // in order of arrival
};

bool tub_gpu_frames_has(const tub_backend *backend, const void *frame)
{
    const tub_gpu_frames *f = backend->frames;
    return f && (uintptr_t)frame - (uintptr_t)f->memory.data < f->memory.bytes;
}

static size_t bytes_of(const tub_executable *e, const tub_gpu_form *form)
{
    return (size_t)tub_gpu_form_bytes(form, e->program->input.height, e->program->input.width);
}

size_t tub_gpu_frames_held(const tub_executable *e, tub_gpu_type *type)
{
    const tub_gpu_frames *f = e->backend->frames;
    if (!f)
        return 0;
    *type = f->form.type;
    return bytes_of(e, &f->form);
}

// ---- desks ----

static void clear_shelf(tub_backend *b, shelf *s)
{
    tub_gpu_give_back(b, &s->block);
    tub_gpu_frame_tables_finish(&s->tables);
    *s = (shelf){0};
}

static void close_desk(tub_backend *b, desk *d)
{
    for (int i = 0; i < RECIPES; i++)
        clear_shelf(b, &d->shelves[i]);
    tub_gpu_give_back(b, &d->planes);
    if (d->gpu)
        b->ops->release_host(d->gpu, d->staging);
    b->ops->close(&d->gpu);
}

void tub_gpu_frames_drop(tub_backend *b)
{
    tub_gpu_frames *f = b->frames;
    if (!f)
        return;
    for (int i = 0; i < DESKS; i++)
        close_desk(b, &f->desks[i]);
    tub_gpu_give_back(b, &f->memory);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    tub_free(f);
    b->frames = NULL;
}

tub_status tub_gpu_frames_hold_as(tub_backend *b, const tub_gpu_form *form, size_t bytes, void **out, tub_error *err)
{
    *out = NULL;
    tub_gpu_frames_drop(b);
    tub_gpu_frames *f = tub_calloc(1, sizeof *f);
    if (!f)
        return tub_fail_memory(err, "frames on a GPU");
    f->backend = b;
    f->form = *form;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    b->frames = f;
    tub_status status = tub_gpu_reserve(b, bytes, "frames on the GPU", &f->memory, err);
    for (int i = 0; status == TUB_OK && i < DESKS; i++)
        status = b->ops->open(b->number, true, &f->desks[i].gpu, err);
    if (status != TUB_OK)
        tub_gpu_frames_drop(b);
    else
        *out = f->memory.data;
    return status;
}

// Only patches operations take no value, so they begin every program; a model has one size of patches.
static tub_gpu_form form_of(const tub_executable *e)
{
    const tub_op *op = &e->program->ops[0];
    return (tub_gpu_form){e->narrow, op->patches.ky, op->patches.kx, e->constants[0].weight};
}

size_t tub_gpu_frames_bytes(const tub_executable *e)
{
    const tub_gpu_form form = form_of(e);
    return bytes_of(e, &form);
}

tub_status tub_gpu_frames_hold(tub_executable *e, size_t bytes, void **out, tub_error *err)
{
    const tub_gpu_form form = form_of(e);
    return tub_gpu_frames_hold_as(e->backend, &form, bytes, out, err);
}

// ---- tables ----

static bool same_recipe(const tub_frame_recipe *a, const tub_frame_recipe *b)
{
    const bool same_form = a->in_height == b->in_height && a->in_width == b->in_width &&
                           a->out_height == b->out_height && a->out_width == b->out_width &&
                           a->is_float == b->is_float && a->down_first == b->down_first && a->levels == b->levels &&
                           a->table_bytes == b->table_bytes;
    return same_form && !memcmp(&a->across, &b->across, sizeof a->across) &&
           !memcmp(&a->down, &b->down, sizeof a->down) && !memcmp(a->mean, b->mean, sizeof a->mean) &&
           !memcmp(a->std, b->std, sizeof a->std) && !memcmp(a->zero, b->zero, sizeof a->zero) &&
           !memcmp(a->tables, b->tables, a->table_bytes);
}

static bool holds(const shelf *s, const tub_frame_recipe *r)
{
    return s->tables.data && same_recipe(&s->recipe, r);
}

static shelf *find_shelf(desk *d, const tub_frame_recipe *r)
{
    shelf *oldest = &d->shelves[0];
    for (int i = 0; i < RECIPES; i++) {
        shelf *s = &d->shelves[i];
        if (holds(s, r))
            return s;
        if (s->used < oldest->used)
            oldest = s;
    }
    return oldest;
}

// Reuses the memory of the old tables if it is large enough: releasing memory would wait for everything that the device
// does.
static tub_status fill_shelf(tub_backend *b, desk *d, const tub_frame_recipe *r, shelf *s, tub_error *err)
{
    tub_gpu_frame_tables tables;
    TUB_TRY(tub_gpu_frame_tables_make(r, b->info.code >= CORES, &tables, err));
    if (s->block.bytes < tables.bytes)
        clear_shelf(b, s);
    tub_gpu_frame_tables_finish(&s->tables);
    s->tables = tables;
    s->recipe = *r;
    s->recipe.tables = tables.data;
    tub_status status = TUB_OK;
    if (!s->block.data)
        status = tub_gpu_reserve(b, (tables.bytes + TABLES - 1) / TABLES * TABLES, "the tables of the resize",
                                 &s->block, err);
    if (status == TUB_OK)
        status = b->ops->upload(d->gpu, TUB_GPU_COMPUTE, s->block.data, tables.data, tables.bytes, err);
    if (status != TUB_OK)
        clear_shelf(b, s);
    return status;
}

static tub_status find_tables(tub_backend *b, desk *d, const tub_frame_recipe *r, tub_gpu_pixels *task, tub_error *err)
{
    shelf *s = find_shelf(d, r);
    if (!holds(s, r))
        TUB_TRY(fill_shelf(b, d, r, s, err));
    s->used = ++d->turns;
    task->recipe.tables = s->block.data;
    tub_gpu_frame_tables_use(&s->tables, task);
    return TUB_OK;
}

// ---- planes ----

typedef struct plane {
    size_t bytes; // of a row
    int rows;
    size_t pitch, at; // on the device
} plane;

// Returns the bytes that the planes need.
static size_t lay_out(const tub_frame_planes *f, plane planes[3])
{
    const int columns = f->kind == TUB_PLANES_HALF ? (f->width + 1) / 2 : f->width;
    const int rows = (f->height + (1 << f->chroma_shift) - 1) >> f->chroma_shift;
    const int count = f->kind == TUB_PLANES_RGB ? 1 : f->paired ? 2 : 3;
    size_t used = 0;
    for (int i = 0; i < 3; i++) {
        plane *p = &planes[i];
        *p = (plane){.at = used};
        if (i >= count)
            continue;
        p->bytes = i ? (size_t)columns * (f->paired ? 2 : 1) : (size_t)f->width * (f->kind == TUB_PLANES_RGB ? 3 : 1);
        p->bytes *= f->bits > 8 ? 2 : 1;
        p->rows = i ? rows : f->height;
        p->pitch = (p->bytes + PITCH - 1) / PITCH * PITCH;
        used += p->pitch * (size_t)p->rows;
    }
    return used;
}

static tub_status reserve_planes(tub_backend *b, desk *d, size_t bytes, tub_error *err)
{
    void *memory = NULL;
    if (bytes <= d->staging_bytes)
        return TUB_OK;
    b->ops->release_host(d->gpu, d->staging);
    d->staging = NULL;
    d->staging_bytes = 0;
    tub_gpu_give_back(b, &d->planes);
    TUB_TRY(tub_gpu_reserve(b, bytes, "a decoded frame", &d->planes, err));
    TUB_TRY(b->ops->allocate_host(d->gpu, bytes, &memory, err));
    d->staging = memory;
    d->staging_bytes = bytes;
    return TUB_OK;
}

// Brings a frame from the host: copies its rows close together, then uploads all at once.
static tub_status bring_planes(tub_backend *b, desk *d, tub_frame_planes *f, tub_error *err)
{
    plane planes[3];
    const size_t bytes = lay_out(f, planes);
    TUB_TRY(reserve_planes(b, d, bytes, err));
    for (int i = 0; i < 3 && planes[i].rows; i++) {
        for (int y = 0; y < planes[i].rows; y++)
            memcpy(d->staging + planes[i].at + (size_t)y * planes[i].pitch, f->planes[i] + y * f->pitches[i],
                   planes[i].bytes);
        f->planes[i] = (const uint8_t *)d->planes.data + planes[i].at;
        f->pitches[i] = (int64_t)planes[i].pitch;
    }
    return b->ops->upload(d->gpu, TUB_GPU_COMPUTE, d->planes.data, d->staging, bytes, err);
}

static bool can_read_words(const tub_frame_planes *f)
{
    bool aligned = f->kind == TUB_PLANES_HALF && f->paired && f->bits == 8;
    for (int i = 0; i < 2; i++)
        aligned = aligned && (uintptr_t)f->planes[i] % WORDS == 0 && f->pitches[i] % WORDS == 0 &&
                  f->pitches[i] >= (f->width + WORDS - 1) / WORDS * WORDS;
    return aligned;
}

// ---- a launch ----

static tub_status launch(tub_backend *b, desk *d, wish *const *group, int count, tub_error *err)
{
    tub_gpu_task task = {.kind = TUB_GPU_PIXELS};
    tub_gpu_pixels *p = &task.pixels;
    *p = (tub_gpu_pixels){.recipe = *group[0]->recipe, .form = b->frames->form, .count = count, .by_words = true};
    const size_t bytes = (size_t)tub_gpu_form_bytes(&p->form, p->recipe.out_height, p->recipe.out_width);
    TUB_TRY(find_tables(b, d, group[0]->recipe, p, err));
    for (int i = 0; i < count; i++) {
        p->frame = *group[i]->planes;
        if (!p->frame.on_device) // then it is the only one in the group
            TUB_TRY(bring_planes(b, d, &p->frame, err));
        p->by_words = p->by_words && can_read_words(&p->frame);
        for (int k = 0; k < 3; k++)
            p->surfaces[i].planes[k] = p->frame.planes[k];
        p->surfaces[i].out = group[i]->at;
    }
    TUB_TRY(b->ops->launch(d->gpu, &task, err));
    for (int i = 0; i < count; i++)
        if (group[i]->host)
            TUB_TRY(b->ops->download(d->gpu, TUB_GPU_COMPUTE, group[i]->host, group[i]->at, bytes, err));
    return TUB_OK;
}

static tub_status make(tub_backend *b, desk *d, wish *const *group, int count, tub_error *err)
{
    const tub_status status = launch(b, d, group, count, err);
    // In every case: nothing may still read the planes.
    tub_status settled = b->ops->record(d->gpu, EVENT_MADE, TUB_GPU_COMPUTE, status == TUB_OK ? err : NULL);
    if (settled == TUB_OK)
        settled = b->ops->settle(d->gpu, EVENT_MADE, status == TUB_OK ? err : NULL);
    return status == TUB_OK ? settled : status;
}

// ---- which thread makes which frame ----

static bool same_form(const tub_frame_planes *a, const tub_frame_planes *b)
{
    return a->kind == b->kind && a->paired == b->paired && a->chroma_shift == b->chroma_shift && a->bits == b->bits &&
           a->shift == b->shift && a->width == b->width && a->height == b->height &&
           !memcmp(a->pitches, b->pitches, sizeof a->pitches) && !memcmp(&a->matrix, &b->matrix, sizeof a->matrix) &&
           !memcmp(&a->steps, &b->steps, sizeof a->steps);
}

// Planes from the host are never grouped: they go through a desk's single buffer.
static bool alike(const wish *a, const wish *b)
{
    return a->planes->on_device && b->planes->on_device && same_form(a->planes, b->planes) &&
           same_recipe(a->recipe, b->recipe);
}

static desk *free_desk(tub_gpu_frames *f)
{
    for (int i = 0; i < DESKS; i++)
        if (!f->desks[i].busy)
            return &f->desks[i];
    return NULL;
}

// Takes `own`, and the wishes like it that nobody has taken yet.
static int gather(const tub_gpu_frames *f, wish *own, wish **group)
{
    int count = 1;
    group[0] = own;
    own->taken = true;
    for (wish *w = f->wishes; w && count < TUB_GPU_SURFACES; w = w->next)
        if (!w->taken && alike(own, w)) {
            w->taken = true;
            group[count++] = w;
        }
    return count;
}

static void add(tub_gpu_frames *f, wish *w)
{
    wish **end = &f->wishes;
    while (*end)
        end = &(*end)->next;
    *end = w;
}

static void forget(tub_gpu_frames *f, const wish *w)
{
    wish **at = &f->wishes;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

// Called with the lock held; releases it while the device works.
static void work(tub_gpu_frames *f, desk *d, wish *own)
{
    wish *group[TUB_GPU_SURFACES];
    tub_error err = {0};
    const int count = gather(f, own, group);
    d->busy = true;
    pthread_mutex_unlock(&f->lock);
    const tub_status status = make(f->backend, d, group, count, &err);
    pthread_mutex_lock(&f->lock);
    d->busy = false;
    for (int i = 0; i < count; i++) {
        group[i]->status = status;
        group[i]->error = err;
        group[i]->done = true;
    }
    pthread_cond_broadcast(&f->changed);
}

tub_status tub_gpu_frames_make(tub_backend *b, const tub_frame_recipe *recipe, const tub_frame_planes *planes, void *at,
                               void *host, tub_error *err)
{
    tub_gpu_frames *f = b->frames;
    wish own = {.recipe = recipe, .planes = planes, .at = at, .host = host};
    pthread_mutex_lock(&f->lock);
    add(f, &own);
    while (!own.done) {
        desk *d = own.taken ? NULL : free_desk(f);
        if (d)
            work(f, d, &own);
        else
            pthread_cond_wait(&f->changed, &f->lock);
    }
    forget(f, &own);
    pthread_mutex_unlock(&f->lock);
    if (own.status != TUB_OK && err)
        *err = own.error;
    return own.status;
}
