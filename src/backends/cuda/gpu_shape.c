// What depends on how many items are computed at once: memory, steps, plans. That number is what keeps the card busy
// and fits in its free memory, judging by the program's known needs. If it doesn't fit after all, it is halved.
#include <string.h>

#include "fail.h"
#include "gpu_choices.h"
#include "gpu_executable.h"
#include "gpu_fits.h"

enum {
    BUSY_ROWS = 131072,       // this many rows of the longest value keep any card busy
    FRAMES_BYTES = 256 << 20, // a part's frames take less than this, or are those of one wave
    LEFT_FREE = 32,           // one part in so many of the free memory is left to the libraries
};

int tub_gpu_shape_usual(const tub_executable *e)
{
    const tub_gpu_list *all = &e->lists[e->with_tokens];
    int rows = 1;
    for (int i = 0; i < e->program->op_count; i++)
        if (all->need[i] && e->program->values[e->program->ops[i].out].rows > rows)
            rows = e->program->values[e->program->ops[i].out].rows;
    const int most = rows < BUSY_ROWS ? BUSY_ROWS / rows : 1;
    const int waves = (e->max_items + most - 1) / most;
    return (e->max_items + waves - 1) / waves;
}

static size_t wave_bytes(const tub_executable *e, int wave)
{
    return (size_t)wave * (size_t)e->program->input.frames * e->frame_bytes;
}

// For how many waves the frames are on the device at once, if there is memory.
static int waves_of_part(const tub_executable *e, int wave)
{
    const int waves = (e->max_items + wave - 1) / wave;
    const size_t fit = FRAMES_BYTES / wave_bytes(e, wave);
    return fit < 1 ? 1 : fit < (size_t)waves ? (int)fit : waves;
}

static size_t rounded(size_t bytes)
{
    return (bytes + 255) & ~(size_t)255;
}

// The parts of the workspace, except the products' scratch memory.
typedef struct layout {
    size_t values, table, positions, factors, rows;
} layout;

// False: the sizes are too large to count.
static bool lay_out(const tub_executable *e, int wave, layout *l)
{
    const size_t items = (size_t)wave, frames = items * (size_t)e->program->input.frames;
    const size_t one = e->lists[0].item_bytes, other = e->lists[1].item_bytes;
    if (!tub_size_mul(one > other ? one : other, items, &l->values) || l->values > SIZE_MAX / 2)
        return false;
    tub_gpu_quantised_size(e, &l->factors, &l->rows);
    l->values = rounded(l->values);
    l->factors = rounded(l->factors * items);
    l->rows = rounded(l->rows * items * sizeof *e->row_scales);
    l->table = rounded(frames * sizeof *e->frame_table);
    l->positions = rounded(frames * sizeof *e->positions);
    return true;
}

static size_t workspace_bytes(const layout *l)
{
    return l->values + TUB_GPU_GEMM_WORKSPACE + l->table + l->positions + l->factors + l->rows;
}

int tub_gpu_shape_affordable(const tub_executable *e, int most)
{
    const tub_backend *b = e->backend;
    layout l;
    size_t free = 0;
    int wave = most;
    if (b->ops->memory_free(b->gpu, &free, NULL) != TUB_OK)
        return most;
    for (free -= free / LEFT_FREE; wave > 1; wave--)
        if (lay_out(e, wave, &l) && workspace_bytes(&l) + wave_bytes(e, wave) <= free)
            break;
    return wave;
}

static tub_status reserve_device(tub_executable *e, tub_error *err)
{
    layout l;
    if (!lay_out(e, e->wave, &l))
        return tub_fail_memory(err, "the workspace of a batch that large");
    TUB_TRY(tub_gpu_reserve(e->backend, workspace_bytes(&l), "the workspace", &e->workspace, err));
    e->values = e->workspace.data;
    e->scratch = e->values + l.values;
    e->frame_table = (const void **)(void *)(e->scratch + TUB_GPU_GEMM_WORKSPACE);
    e->positions = (int *)(void *)(e->scratch + TUB_GPU_GEMM_WORKSPACE + l.table);
    e->quantised = (uint8_t *)e->scratch + TUB_GPU_GEMM_WORKSPACE + l.table + l.positions;
    e->row_scales = (float *)(void *)(e->quantised + l.factors);
    return TUB_OK;
}

static size_t part_frames(const tub_executable *e)
{
    return (size_t)e->part_waves * tub_gpu_wave_frames(e);
}

static tub_status reserve_room(const tub_executable *e, tub_gpu_room *room, tub_error *err)
{
    const tub_gpu_ops *ops = e->backend->ops;
    tub_gpu *gpu = e->backend->gpu;
    const size_t frames = part_frames(e);
    const size_t rows = (size_t)(e->part_waves * e->wave) * (size_t)e->program->values[e->program->feature].cols;
    void *table = NULL, *positions = NULL, *floats = NULL;
    TUB_TRY(tub_gpu_reserve(e->backend, frames * e->frame_bytes, "the frames of a batch", &room->frames, err));
    tub_status status = ops->allocate_host(gpu, frames * sizeof *room->table, &table, err);
    if (status == TUB_OK)
        status = ops->allocate_host(gpu, frames * sizeof *room->positions, &positions, err);
    if (status == TUB_OK)
        status = ops->allocate_host(gpu, rows * sizeof *room->rows, &floats, err);
    room->table = table;
    room->positions = positions;
    room->rows = floats;
    return status;
}

static void clear_room(tub_backend *b, tub_gpu_room *room)
{
    b->ops->release_host(b->gpu, (void *)room->table);
    b->ops->release_host(b->gpu, room->positions);
    b->ops->release_host(b->gpu, room->rows);
    tub_gpu_give_back(b, &room->frames);
    *room = (tub_gpu_room){0};
}

static tub_status reserve_first_room(tub_executable *e, tub_error *err)
{
    for (e->part_waves = waves_of_part(e, e->wave);; e->part_waves = (e->part_waves + 1) / 2) {
        const tub_status status = reserve_room(e, &e->rooms[0], err);
        if (status != TUB_ERROR_MEMORY || e->part_waves == 1)
            return status;
        clear_room(e->backend, &e->rooms[0]);
    }
}

bool tub_gpu_shape_second_room(tub_executable *e)
{
    if (e->rooms[1].rows)
        return true;
    if (!e->no_second_room && reserve_room(e, &e->rooms[1], NULL) == TUB_OK)
        return true;
    clear_room(e->backend, &e->rooms[1]);
    e->no_second_room = true;
    return false;
}

static tub_status list_frames(tub_executable *e, tub_error *err)
{
    e->seen_places = 64;
    while (e->seen_places < 2 * part_frames(e))
        e->seen_places *= 2;
    e->seen = tub_calloc(e->seen_places, sizeof *e->seen);
    return e->seen ? TUB_OK : tub_fail_memory(err, "the list of frames");
}

static tub_status attempt(tub_executable *e, int wave, tub_error *err)
{
    e->wave = wave;
    TUB_TRY(reserve_device(e, err));
    for (int tokens = 0; tokens <= (int)e->with_tokens; tokens++)
        TUB_TRY(tub_gpu_list_steps(e, tokens, err));
    if (e->plan_bytes > 0)
        TUB_TRY(tub_gpu_reserve(e->backend, e->plan_bytes, "attention's workspace", &e->plan_scratch, err));
    TUB_TRY(reserve_first_room(e, err));
    return list_frames(e, err);
}

void tub_gpu_shape_forget(tub_executable *e)
{
    tub_backend *b = e->backend;
    for (int i = 0; i < 2; i++) {
        b->ops->forget(b->gpu, e->lists[i].graph);
        e->lists[i].graph = NULL;
        e->lists[i].ran = false;
        e->lists[i].count = 0;
    }
    for (size_t i = 0; i < e->plan_count; i++)
        b->ops->release_plan(b->gpu, e->plans[i].plan);
    tub_free(e->plans);
    tub_free(e->seen);
    b->ops->release_host(b->gpu, e->host_tokens);
    for (int i = 0; i < TUB_RUNS_BEGUN; i++)
        clear_room(b, &e->rooms[i]);
    tub_gpu_give_back(b, &e->plan_scratch);
    tub_gpu_give_back(b, &e->workspace);
    e->plans = NULL;
    e->plan_count = e->plan_capacity = e->plan_bytes = 0;
    e->seen = NULL;
    e->host_tokens = NULL;
    e->no_second_room = false;
}

// The list of frames is made last.
bool tub_gpu_shape_is_made(const tub_executable *e)
{
    return e->seen != NULL;
}

tub_status tub_gpu_shape_make(tub_executable *e, int wave, tub_error *err)
{
    for (const int asked = wave;;) {
        const tub_status status = attempt(e, wave, err);
        if (status == TUB_OK && wave < asked)
            tub_gpu_fits_keep(e);
        if (status == TUB_OK)
            return tub_gpu_choices_save(e->backend->choices, err);
        tub_gpu_shape_forget(e);
        if (status != TUB_ERROR_MEMORY || wave == 1)
            return status;
        wave = (wave + 1) / 2;
        tub_warn(&e->backend->log, "%s: GPU memory is short: %d items at once from now on", e->backend->info.name,
                 wave);
    }
}
