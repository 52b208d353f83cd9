// Opening a backend on a device, compiling a program for it, and freeing both.
#include <math.h>

#include "fail.h"
#include "gpu_choices.h"
#include "gpu_executable.h"
#include "gpu_fits.h"
#include "gpu_frames.h"

tub_status tub_gpu_reserve(tub_backend *b, size_t bytes, const char *what, tub_gpu_block *out, tub_error *err)
{
    void *data = NULL;
    *out = (tub_gpu_block){0};
    const size_t used = atomic_fetch_add(&b->used, bytes);
    tub_status status = TUB_OK;
    if (b->limit && (bytes > b->limit || used > b->limit - bytes))
        status = tub_fail(err, TUB_ERROR_MEMORY,
                          "%s: %.0f MiB of GPU memory are allowed, at least %.0f are needed: allow more", what,
                          (double)b->limit / (1 << 20), ceil((double)(used + bytes) / (1 << 20)));
    else if ((status = b->ops->allocate(b->gpu, bytes, &data, err)) != TUB_OK)
        tub_fail_within(err, status, "%s", what);
    if (status == TUB_OK)
        *out = (tub_gpu_block){data, bytes};
    else
        atomic_fetch_sub(&b->used, bytes);
    return status;
}

void tub_gpu_give_back(tub_backend *b, tub_gpu_block *block)
{
    if (block->data)
        b->ops->release(b->gpu, block->data);
    atomic_fetch_sub(&b->used, block->bytes);
    *block = (tub_gpu_block){0};
}

tub_status tub_gpu_backend_open(const tub_gpu_ops *ops, const tub_open_params *params, tub_backend **out,
                                tub_error *err)
{
    *out = NULL;
    tub_backend *b = tub_calloc(1, sizeof *b);
    if (!b)
        return tub_fail_memory(err, "the CUDA backend");
    b->ops = ops;
    b->number = params->device;
    b->limit = params->memory;
    b->log = params->log;
    b->without = params->without;
    b->group = params->group;
    tub_status status = ops->describe(params->device, &b->info, err);
    if (status == TUB_OK)
        status = ops->open(params->device, false, &b->gpu, err);
    if (status == TUB_OK)
        status = ops->memory_free(b->gpu, &b->free_at_open, err);
    if (status == TUB_OK)
        status = tub_gpu_choices_open(b->info.key, !(b->without & TUB_GPU_WITHOUT_TUNING), &b->choices, err);
    if (status != TUB_OK)
        tub_gpu_backend_close(&b);
    *out = b;
    return status;
}

void tub_gpu_backend_close(tub_backend **backend)
{
    if (!backend || !*backend)
        return;
    tub_backend *b = *backend;
    tub_gpu_frames_drop(b);
    tub_gpu_choices_close(&b->choices);
    b->ops->close(&b->gpu);
    if (b->unload)
        b->unload(b->library);
    tub_free(b);
    *backend = NULL;
}

tub_status tub_gpu_pin(tub_backend *backend, void *memory, size_t bytes, tub_error *err)
{
    return backend->ops->pin(backend->gpu, memory, bytes, err);
}

void tub_gpu_unpin(tub_backend *backend, void *memory)
{
    backend->ops->unpin(backend->gpu, memory);
}

static tub_gpu_type narrow_type(tub_dtype dtype)
{
    return dtype == TUB_F16 ? TUB_GPU_F16 : dtype == TUB_BF16 || dtype == TUB_FP8 ? TUB_GPU_BF16 : TUB_GPU_F32;
}

// Bytes of a frame's pixels, or of a frame that another GPU has made if that is more.
static size_t frame_bytes(const tub_executable *e)
{
    const tub_input *input = &e->program->input;
    const size_t values = 3 * (size_t)input->height * (size_t)input->width;
    const size_t pixel = input->is_float ? sizeof(float) : 1;
    const size_t made = !e->shares ? 0 : e->made == TUB_GPU_F32 ? sizeof(float) : sizeof(uint16_t);
    // Frames lie one after another, each where a kernel may read 16 bytes at once.
    return (values * (pixel > made ? pixel : made) + 255) & ~(size_t)255;
}

static int first_wave(const tub_executable *e)
{
    const int usual = tub_gpu_shape_usual(e), known = tub_gpu_fits_known(e), wave = tub_gpu_shape_affordable(e, usual);
    if (known >= wave) {
        if (wave < usual)
            tub_inform(&e->backend->log, "%s: %d items at once instead of %d, which its free memory has room for",
                       e->backend->info.name, wave, usual);
        return wave;
    }
    tub_inform(&e->backend->log, "%s: %d items at once, as more didn't fit in an earlier run", e->backend->info.name,
               known);
    return known;
}

static tub_status make(tub_executable *e, tub_error *err)
{
    e->constants = tub_arena_alloc(&e->arena, (size_t)e->program->op_count, sizeof *e->constants);
    if (!e->constants)
        return tub_fail_memory(err, "the CUDA executable");
    for (int tokens = 0; tokens <= (int)e->with_tokens; tokens++)
        TUB_TRY(tub_gpu_list_place(e, tokens, err));
    TUB_TRY(tub_gpu_constants_make(e, err));
    return tub_gpu_shape_make(e, first_wave(e), err);
}

static tub_status compile(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                          tub_gpu_type made, tub_executable **out, tub_error *err)
{
    *out = NULL;
    tub_executable *e = tub_calloc(1, sizeof *e);
    if (!e)
        return tub_fail_memory(err, "the CUDA executable");
    tub_arena_init(&e->arena);
    e->backend = backend;
    e->program = program;
    e->dtype = params->dtype;
    e->narrow = narrow_type(params->dtype);
    e->made = made;
    e->with_tokens = params->tokens;
    e->shares = params->shares;
    e->max_items = params->max_items;
    e->frame_bytes = frame_bytes(e);
    const tub_status status = make(e, err);
    if (status != TUB_OK)
        tub_gpu_release(&e);
    *out = e;
    return status;
}

tub_status tub_gpu_compile(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                           tub_executable **out, tub_error *err)
{
    return compile(backend, program, params, narrow_type(params->dtype), out, err);
}

tub_status tub_gpu_compile_rescue(tub_executable *e, tub_dtype dtype, tub_error *err)
{
    const tub_compile_params params = {.dtype = dtype, .max_items = 1, .tokens = e->with_tokens, .shares = e->shares};
    return compile(e->backend, e->program, &params, e->made, &e->rescue, err);
}

void tub_gpu_release(tub_executable **executable)
{
    if (!executable || !*executable)
        return;
    tub_executable *e = *executable;
    if (e->rescued)
        tub_inform(&e->backend->log, "%s: %lld %s overflowed in float16, computed in %s instead", e->backend->info.name,
                   (long long)e->rescued, e->rescued == 1 ? "row" : "rows", tub_dtype_name(e->rescue->dtype));
    tub_gpu_release(&e->rescue);
    tub_gpu_shape_forget(e);
    for (int i = 0; i < 2; i++)
        tub_free(e->lists[i].steps);
    for (size_t i = 0; i < e->block_count; i++)
        tub_gpu_give_back(e->backend, &e->blocks[i]);
    tub_free(e->blocks);
    tub_arena_finish(&e->arena);
    tub_free(e);
    *executable = NULL;
}
