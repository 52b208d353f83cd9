#include "fake_gpu_checks.h"

#include "fail.h"
#include "gpu_bodies.h"
#include "gpu_frame_bodies.h"
#include "gpu_joined_bodies.h"

enum { PRODUCT_ALIGNMENT = 64, MOST_BLOCKS_Y = 65535 };

static tub_status aligned(const char *what, const void *p, int bytes, tub_error *err)
{
    if ((uintptr_t)p % (unsigned)bytes == 0)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_INTERNAL, "%s isn't at a multiple of %d bytes", what, bytes);
}

// Alignment of values that a thread reads four at once, if rows allow it.
static tub_status packed(const char *what, const void *p, tub_gpu_type type, bool by_pack, tub_error *err)
{
    return aligned(what, p, tub_gpu_type_bytes(type) * (by_pack ? TUB_GPU_PACK : 1), err);
}

// Alignment of narrow values, which a thread reads eight at once, and of others, four at once.
static tub_status in_runs(const char *what, const void *p, tub_gpu_type type, bool by_run, tub_error *err)
{
    return aligned(what, p, by_run ? 16 : tub_gpu_type_bytes(type), err);
}

static tub_status numbered(const char *what, int64_t threads, tub_error *err)
{
    if (threads <= INT32_MAX)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_INTERNAL, "%s: too many threads", what);
}

static tub_status check_norm(const tub_gpu_norm *t, tub_error *err)
{
    const bool by_pack = t->dim % TUB_GPU_PACK == 0 && t->cols % TUB_GPU_PACK == 0;
    TUB_TRY(packed("a norm's x", t->x, t->type, by_pack, err));
    TUB_TRY(packed("a norm's out", t->out, t->out_type, by_pack, err));
    TUB_TRY(packed("a norm's weight", t->weight, TUB_GPU_F32, by_pack, err));
    TUB_TRY(packed("a norm's bias", t->bias, TUB_GPU_F32, by_pack, err));
    return numbered("a norm", (int64_t)t->rows * t->count, err);
}

static tub_status check_rotate(const tub_gpu_rotate *t, tub_error *err)
{
    const bool by_pack = t->dim % (2 * TUB_GPU_PACK) == 0 && t->cols % TUB_GPU_PACK == 0;
    if (tub_gpu_rotate_most(t) == TUB_GPU_RUN) {
        TUB_TRY(in_runs("a rotation's x", t->x, t->type, true, err));
        TUB_TRY(in_runs("a rotation's out", t->out, t->type, true, err));
    }
    TUB_TRY(packed("a rotation's x", t->x, t->type, by_pack, err));
    TUB_TRY(packed("a rotation's out", t->out, t->type, by_pack, err));
    TUB_TRY(packed("a rotation's cosines", t->cosine, TUB_GPU_F32, by_pack, err));
    TUB_TRY(packed("a rotation's sines", t->sine, TUB_GPU_F32, by_pack, err));
    return numbered("a rotation", tub_gpu_rotate_threads(t), err);
}

static tub_status check_sum(const tub_gpu_sum *t, tub_error *err)
{
    const bool by_pack = t->cols % TUB_GPU_PACK == 0;
    TUB_TRY(packed("a sum's a", t->a, t->type, by_pack, err));
    TUB_TRY(packed("a sum's b", t->b, TUB_GPU_F32, by_pack, err));
    TUB_TRY(packed("a sum's out", t->out, TUB_GPU_F32, by_pack, err));
    return numbered("a sum", tub_gpu_sum_threads(t), err);
}

static tub_status check_copy_rows(const tub_gpu_copy_rows *t, tub_error *err)
{
    const int unit = tub_gpu_copy_piece(t);
    TUB_TRY(aligned("copied rows' a", t->a, unit, err));
    TUB_TRY(aligned("copied rows' b", t->b, unit, err));
    TUB_TRY(aligned("copied rows' out", t->out, unit, err));
    return numbered("copied rows", tub_gpu_copy_rows_threads(t), err);
}

static tub_status check_quantise(const tub_gpu_quantise *t, tub_error *err)
{
    if (t->cols % TUB_GPU_PACK || t->type == TUB_GPU_F32)
        return tub_fail(err, TUB_ERROR_INTERNAL, "rows of %d columns to e4m3", t->cols);
    TUB_TRY(packed("narrow rows", t->x, t->type, true, err));
    TUB_TRY(aligned("rows of e4m3", t->out, TUB_GPU_PACK, err));
    return aligned("rows' scales", t->scales, sizeof(float), err);
}

static tub_status check_attention(const tub_gpu_attention *t, int widest, tub_error *err)
{
    const int bytes = tub_gpu_type_bytes(t->type);
    if (t->dim > widest || t->heads > MOST_BLOCKS_Y)
        return tub_fail(err, TUB_ERROR_INTERNAL, "attention with %d heads of %d columns", t->heads, t->dim);
    TUB_TRY(aligned("attention's q", t->q, bytes, err));
    TUB_TRY(aligned("attention's k", t->k, bytes, err));
    TUB_TRY(aligned("attention's v", t->v, bytes, err));
    return aligned("attention's out", t->out, bytes, err);
}

static tub_status check_pixels(const tub_gpu_pixels *t, tub_error *err)
{
    if (t->count < 1 || t->count > TUB_GPU_SURFACES)
        return tub_fail(err, TUB_ERROR_INTERNAL, "%d frames at once", t->count);
    for (int i = 0; i < t->count; i++)
        TUB_TRY(packed("a made frame", t->surfaces[i].out, t->form.type, false, err));
    for (int i = 0; i < t->count && t->by_words; i++)
        for (int plane = 0; plane < 2; plane++)
            TUB_TRY(aligned("a plane", t->surfaces[i].planes[plane], 16, err));
    TUB_TRY(aligned("a recipe's tables", t->recipe.tables, 16, err));
    return numbered("a frame", tub_gpu_pixels_threads(t), err);
}

static tub_status check_joined(const tub_gpu_joined *t, tub_error *err)
{
    const int bytes = TUB_GPU_JOINED_RUN * 2;
    if (!tub_gpu_joined_serves(t, t->wide ? 90 : 1000) || (t->activation == 0 && (t->rotate.out != t->out || t->rotate.cols != t->n)))
        return tub_fail(err, TUB_ERROR_INTERNAL, "a joined product of %d columns by %d", t->n, t->k);
    TUB_TRY(aligned("a joined product's x", t->x, bytes, err));
    TUB_TRY(aligned("a joined product's weight", t->weight, bytes, err));
    TUB_TRY(aligned("a joined product's out", t->out, bytes, err));
    TUB_TRY(aligned("a joined product's bias", t->bias, 2, err));
    return t->activation ? TUB_OK : check_rotate(&t->rotate, err);
}

tub_status fake_gpu_check_task(const tub_gpu_task *task, tub_error *err)
{
    switch (task->kind) {
    case TUB_GPU_PATCHES:
        TUB_TRY(packed("patches", task->patches.out, task->patches.type, task->patches.kx % TUB_GPU_PACK == 0, err));
        return numbered("patches", tub_gpu_patches_threads(&task->patches), err);
    case TUB_GPU_NORM:
        return check_norm(&task->norm, err);
    case TUB_GPU_ROTATE:
        return check_rotate(&task->rotate, err);
    case TUB_GPU_SUM:
        return check_sum(&task->sum, err);
    case TUB_GPU_COPY_ROWS:
        return check_copy_rows(&task->copy_rows, err);
    case TUB_GPU_GATE:
        TUB_TRY(in_runs("a gate's x", task->gate.x, task->gate.type, task->gate.cols % TUB_GPU_RUN == 0, err));
        TUB_TRY(in_runs("a gate's out", task->gate.out, task->gate.type, task->gate.cols % TUB_GPU_RUN == 0, err));
        return numbered("a gate", tub_gpu_gate_threads(&task->gate), err);
    case TUB_GPU_ACTIVATE:
        TUB_TRY(in_runs("an activation's x", task->activate.x, task->activate.type, true, err));
        return numbered("an activation", tub_gpu_activate_threads(&task->activate), err);
    case TUB_GPU_MEAN:
        TUB_TRY(packed("a mean's x", task->mean.x, task->mean.type, false, err));
        if (task->mean.items > MOST_BLOCKS_Y)
            return tub_fail(err, TUB_ERROR_INTERNAL, "a mean of %d items: too many blocks", task->mean.items);
        return TUB_OK;
    case TUB_GPU_ATTENTION:
        return check_attention(&task->attention, TUB_GPU_MOST_HEAD, err);
    case TUB_GPU_FLASH:
        return check_attention(&task->attention, TUB_GPU_FLASH_HEAD, err);
    case TUB_GPU_PIXELS:
        return check_pixels(&task->pixels, err);
    case TUB_GPU_QUANTISE:
        return check_quantise(&task->quantise, err);
    case TUB_GPU_JOINED:
        return check_joined(&task->joined, err);
    case TUB_GPU_TASK_KINDS:
        break;
    }
    return tub_fail(err, TUB_ERROR_INTERNAL, "a task of no kind");
}

// Checks what cuBLASLt is told of all values when it is asked for algorithms.
tub_status fake_gpu_check_gemm(const tub_gpu_gemm *g, tub_error *err)
{
    TUB_TRY(aligned("a product's x", g->x, PRODUCT_ALIGNMENT, err));
    TUB_TRY(aligned("a product's weight", g->weight, PRODUCT_ALIGNMENT, err));
    TUB_TRY(aligned("a product's residual", g->residual, PRODUCT_ALIGNMENT, err));
    TUB_TRY(aligned("a product's out", g->out, PRODUCT_ALIGNMENT, err));
    TUB_TRY(aligned("a product's workspace", g->workspace, PRODUCT_ALIGNMENT, err));
    return aligned("a product's bias", g->bias, 16, err);
}
