// LINEAR: a tile of the product in the member's scratch memory, then our epilogue while the tile is in the cache.
#include "fail.h"
#include "half.h"
#include "onednn_plan.h"

enum {
    BLOCK_ROWS = 112,  // most rows of a tile
    PANEL_COLS = 1024, // most columns
};

// Units: (block of rows) x (panel of columns). Remaining rows and columns have their own shapes.
typedef struct linear_step {
    int block_rows, blocks;
    int panel_cols, panels;
    tub_matmul *matmuls[2][2]; // [last block][last panel]; owned by the shelf
    void **packed;             // [panels]
    tub_epilogue epilogue;     // the residual is filled in at run time
} linear_step;

static tub_status linear_unit(const tub_run *run, const tub_step *step, int item, int unit, int member, tub_error *err)
{
    const tub_executable *e = run->executable;
    const linear_step *l = step->made;
    const int block = unit / l->panels, panel = unit % l->panels;
    const int row = block * l->block_rows, col = panel * l->panel_cols;
    tub_matmul *matmul = l->matmuls[block == l->blocks - 1][panel == l->panels - 1];
    const tub_matmul_shape *shape = tub_matmul_shape_of(matmul);
    float *tile = (float *)(void *)tub_scratch(e, member);
    TUB_TRY(tub_matmul_run(matmul, member, tub_row(run, step->op.in[0], item, row), l->packed[panel], tile,
                           tub_scratch(e, member) + e->tile_bytes, err));
    const bool wide = e->values[step->op.out].width == TUB_WIDE;
    const size_t shift = (size_t)col * tub_element_bytes(e, step->op.out);
    tub_epilogue epilogue = l->epilogue;
    epilogue.bias = epilogue.bias ? epilogue.bias + col : NULL;
    epilogue.scale = epilogue.scale ? epilogue.scale + col : NULL;
    for (int i = 0; i < shape->m; i++) {
        const float *sums = tile + (size_t)i * (size_t)shape->n;
        char *out = (char *)tub_row(run, step->op.out, item, row + i) + shift;
        if (step->op.in[1] != TUB_NONE)
            epilogue.residual = (const float *)tub_row(run, step->op.in[1], item, row + i) + col;
        if (wide)
            e->kernels->finish_wide(sums, &epilogue, (float *)(void *)out, shape->n);
        else
            e->kernels->finish_narrow(sums, &epilogue, out, shape->n);
    }
    return TUB_OK;
}

// Splits into even parts of at most `most`; all but the last are multiples of `step`.
static void split(int whole, int most, int step, int *part, int *parts)
{
    *parts = (whole + most - 1) / most;
    *part = ((whole + *parts - 1) / *parts + step - 1) / step * step;
    *parts = (whole + *part - 1) / *part;
    if (*part > whole)
        *part = whole;
}

static tub_status make_matmuls(tub_executable *e, linear_step *l, int rows, int k, int n, tub_error *err)
{
    for (int last_panel = 0; last_panel < 2; last_panel++)
        for (int last_block = 0; last_block < 2; last_block++) {
            const int m = last_block ? rows - (l->blocks - 1) * l->block_rows : l->block_rows;
            const int cols = last_panel ? n - (l->panels - 1) * l->panel_cols : l->panel_cols;
            const tub_matmul_shape shape = {.m = m, .k = k, .n = cols, .bf16 = e->dtype == TUB_BF16};
            const tub_matmul *like = last_block ? l->matmuls[0][last_panel] : NULL;
            TUB_TRY(tub_shelf_matmul(e, &shape, like, &l->matmuls[last_block][last_panel], err));
            const size_t tile = (size_t)m * (size_t)cols * sizeof(float);
            tub_need_scratch(e, tile);
        }
    return TUB_OK;
}

tub_status tub_onednn_linear_make(tub_executable *e, tub_step *step, tub_error *err)
{
    tub_op *op = &step->op;
    linear_step *l = step->made = tub_arena_alloc(&e->arena, 1, sizeof *l);
    if (!l)
        return tub_fail_memory(err, "a product");
    const int rows = e->values[op->out].rows, n = e->values[op->out].cols, k = e->values[op->in[0]].cols;
    split(rows, BLOCK_ROWS, 1, &l->block_rows, &l->blocks);
    split(n, PANEL_COLS, 64, &l->panel_cols, &l->panels);
    TUB_TRY(make_matmuls(e, l, rows, k, n, err));
    l->packed = tub_arena_alloc(&e->arena, (size_t)l->panels, sizeof *l->packed);
    if (!l->packed)
        return tub_fail_memory(err, "packed weights");
    for (int panel = 0; panel < l->panels; panel++)
        TUB_TRY(tub_onednn_pack_later(e, l->matmuls[0][panel == l->panels - 1], &op->linear.weight,
                                      panel * l->panel_cols, &l->packed[panel], err));
    l->epilogue.activation = op->linear.activation;
    if (op->linear.bias.data && !(l->epilogue.bias = tub_own_floats(e, &op->linear.bias)))
        return tub_fail_memory(err, "a bias");
    if (op->linear.scale.data && !(l->epilogue.scale = tub_own_floats(e, &op->linear.scale)))
        return tub_fail_memory(err, "a scale");
    step->units = l->blocks * l->panels;
    step->unit = linear_unit;
    return TUB_OK;
}
