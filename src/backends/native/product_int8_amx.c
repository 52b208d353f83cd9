#if defined(__x86_64__)
#define DOT _tile_dpbssd
#define GROUP 4
#define COLS 48
#define K_BLOCK 768
#define PRODUCT tub_product_int8_amx
#define PRODUCT_NAME "amx_int8"
#include "product_amx_template.h"

// C is 2 x 3 tiles of 16 rows x 16 columns: A, which comes from the second cache, is read once for three columns of
// tiles. That leaves one tile for A and one for B, which is loaded more often; in bfloat16, where a load feeds half as
// many products, it was no gain.
static void multiply_two(const tub_product_block *p, const char *b, float *c)
{
    const char *a = p->a, *a2 = a + TILE * p->a_row;
    float *c2 = c + TILE * p->c_row;
    const size_t row = p->c_row * sizeof(float);
    if (p->add) {
        _tile_loadd(0, c, row);
        _tile_loadd(1, c + TILE, row);
        _tile_loadd(2, c + 2 * TILE, row);
        _tile_loadd(3, c2, row);
        _tile_loadd(4, c2 + TILE, row);
        _tile_loadd(5, c2 + 2 * TILE, row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        _tile_zero(4);
        _tile_zero(5);
    }
    const char *next = p->next;
    const int lines = next ? p->next_lines : 0;
    for (int k = 0; k < p->k; k += TURN, a += p->a_group, a2 += p->a_group, b += TILE * B_ROW) {
        _tile_stream_loadd(6, a, p->a_row);
        _tile_loadd(7, b, B_ROW);
        DOT(0, 6, 7);
        _tile_loadd(7, b + B_TILE, B_ROW);
        DOT(1, 6, 7);
        _tile_loadd(7, b + 2 * B_TILE, B_ROW);
        DOT(2, 6, 7);
        _tile_stream_loadd(6, a2, p->a_row);
        bring(&next, lines);
        DOT(5, 6, 7);
        _tile_loadd(7, b + B_TILE, B_ROW);
        DOT(4, 6, 7);
        _tile_loadd(7, b, B_ROW);
        DOT(3, 6, 7);
    }
    _tile_stored(0, c, row);
    _tile_stored(1, c + TILE, row);
    _tile_stored(2, c + 2 * TILE, row);
    _tile_stored(3, c2, row);
    _tile_stored(4, c2 + TILE, row);
    _tile_stored(5, c2 + 2 * TILE, row);
}

static void multiply_one(const tub_product_block *p, const char *b, float *c)
{
    const char *a = p->a;
    const size_t row = p->c_row * sizeof(float);
    if (p->add) {
        _tile_loadd(0, c, row);
        _tile_loadd(1, c + TILE, row);
        _tile_loadd(2, c + 2 * TILE, row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
    }
    for (int k = 0; k < p->k; k += TURN, a += p->a_group, b += TILE * B_ROW) {
        _tile_stream_loadd(6, a, p->a_row);
        _tile_loadd(7, b, B_ROW);
        DOT(0, 6, 7);
        _tile_loadd(7, b + B_TILE, B_ROW);
        DOT(1, 6, 7);
        _tile_loadd(7, b + 2 * B_TILE, B_ROW);
        DOT(2, 6, 7);
    }
    _tile_stored(0, c, row);
    _tile_stored(1, c + TILE, row);
    _tile_stored(2, c + 2 * TILE, row);
}

static void multiply(const tub_product_block *p)
{
    const char *b = p->b;
    float *c = p->c;
    for (int i = 0; i < p->panels; i++, b += p->b_panel, c += COLS) {
        if (p->rows > TILE)
            multiply_two(p, b, c);
        else
            multiply_one(p, b, c);
    }
}
#endif
