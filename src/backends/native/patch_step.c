// PATCHES: pixels to rows. A unit is some whole rows of patches. Float pixels don't fit in the cache, so they are read
// in order: a line of the frame goes to all the patches that it crosses before the next one is read.
#include "executable.h"
#include "fail.h"

enum { UNIT_ELEMENTS = 65536 }; // about

// The row of patches that is being copied.
typedef struct strip {
    const tub_run *run;
    const tub_step *step;
    const void *const *frames; // of the item
    int first;                 // the patches' first frame
    size_t corner;             // of the first patch, in pixels
    int across;
    char *out; // the first patch's row
} strip;

// If an item has fewer frames than a patch, its frames are repeated.
static const void *frame_of(const strip *s, int t)
{
    return s->frames[(s->first + t) % s->run->executable->input.frames];
}

static void patch_uint8(const strip *s, size_t corner, char *out)
{
    const tub_executable *e = s->run->executable;
    const tub_op *op = &s->step->op;
    const size_t narrow = e->kernels->narrow_bytes;
    const size_t width = (size_t)e->input.width;
    for (int c = 0; c < 3; c++) {
        const char *levels = (const char *)s->step->levels + (size_t)c * 256 * narrow;
        for (int t = 0; t < op->patches.kt; t++)
            for (int y = 0; y < op->patches.ky; y++) {
                const uint8_t *from = (const uint8_t *)frame_of(s, t) + 3 * (corner + (size_t)y * width) + c;
                if (narrow == 2)
                    for (int x = 0; x < op->patches.kx; x++)
                        ((uint16_t *)(void *)out)[x] = ((const uint16_t *)(const void *)levels)[from[3 * x]];
                else
                    for (int x = 0; x < op->patches.kx; x++)
                        ((float *)(void *)out)[x] = ((const float *)(const void *)levels)[from[3 * x]];
                out += (size_t)op->patches.kx * narrow;
            }
    }
}

static void strip_uint8(const strip *s)
{
    const tub_executable *e = s->run->executable;
    const size_t row = (size_t)e->values[s->step->op.out].cols * e->kernels->narrow_bytes;
    for (int i = 0; i < s->across; i++)
        patch_uint8(s, s->corner + (size_t)(i * s->step->op.patches.kx), s->out + (size_t)i * row);
}

static void strip_float(const strip *s)
{
    const tub_executable *e = s->run->executable;
    const tub_op *op = &s->step->op;
    const int kx = op->patches.kx, cols = e->values[op->out].cols;
    const size_t width = (size_t)e->input.width, plane = (size_t)e->input.height * width;
    char *out = s->out;
    for (int c = 0; c < 3; c++)
        for (int t = 0; t < op->patches.kt; t++) {
            const float *line = (const float *)frame_of(s, t) + (size_t)c * plane + s->corner;
            for (int y = 0; y < op->patches.ky; y++, line += width, out += (size_t)kx * e->kernels->narrow_bytes)
                e->kernels->narrow_pieces(line, s->across, kx, out, (size_t)cols);
        }
}

static tub_status patches_unit(const tub_run *run, const tub_step *step, int item, int unit, int member, tub_error *err)
{
    (void)member, (void)err;
    const tub_executable *e = run->executable;
    const tub_input *in = &e->input;
    const tub_op *op = &step->op;
    const int down = in->height / op->patches.ky, rows = e->values[op->out].rows;
    strip s = {.run = run,
               .step = step,
               .frames = run->frames + (size_t)item * (size_t)in->frames,
               .across = in->width / op->patches.kx};
    for (int i = unit * step->unit_rows; i < (unit + 1) * step->unit_rows && i < rows; i += s.across) {
        const int y = i / s.across;
        s.first = y / down * op->patches.kt;
        s.corner = (size_t)(y % down * op->patches.ky) * (size_t)in->width;
        s.out = tub_row(run, op->out, item, i);
        if (in->is_float)
            strip_float(&s);
        else
            strip_uint8(&s);
    }
    return TUB_OK;
}

tub_status tub_patches_make(tub_executable *e, tub_step *step, tub_error *err)
{
    const tub_op *op = &step->op;
    const int across = e->input.width / op->patches.kx, elements = across * e->values[op->out].cols;
    step->levels = tub_arena_alloc(&e->arena, 3 * 256, e->kernels->narrow_bytes);
    if (!step->levels)
        return tub_fail_memory(err, "the table of levels");
    e->kernels->narrow(&e->input.table[0][0], step->levels, 3 * 256);
    step->unit_rows = (UNIT_ELEMENTS / elements > 0 ? UNIT_ELEMENTS / elements : 1) * across;
    step->units = (e->values[op->out].rows + step->unit_rows - 1) / step->unit_rows;
    step->unit = patches_unit;
    return TUB_OK;
}
