// The product with AMX tiles, for both element types that tiles multiply. The including file defines
//   DOT                      the instruction: C += A B
//   GROUP                    elements in 4 bytes
//   PRODUCT, PRODUCT_NAME, K_BLOCK
// C is 2 x 2 tiles of 16 rows x 16 columns; a turn reads two tiles of A and two of B. B's part stays in the first-level
// cache. A comes from the second level through stream loads, which don't push B out.
#include <immintrin.h>
#include <stdint.h>

#include "product.h"

enum { TILE = 16, SIDE = 32, TILE_BYTES = 1024, TURN = 16 * GROUP };

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes_across[16];
    uint8_t rows[16];
} tile_config;

static void enter(void)
{
    tile_config c = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        c.bytes_across[i] = 64;
        c.rows[i] = TILE;
    }
    // The compiler's own intrinsic doesn't declare that all of it is read.
    __asm__ volatile("ldtilecfg %0" : : "m"(c));
}

static void leave(void)
{
    _tile_release();
}

// B's rows contain both tiles side by side.
enum { B_ROW = 128, B_HALF = 64 };

static inline void bring(const char **next, int lines)
{
    for (int i = 0; i < lines; i++, *next += 64)
        _mm_prefetch(*next, _MM_HINT_T1);
}

static void multiply_two(const tub_product_block *p, const char *b, float *c)
{
    const char *a = p->a, *a2 = a + TILE * p->a_row;
    float *c2 = c + TILE * p->c_row;
    const size_t row = p->c_row * sizeof(float);
    if (p->add) {
        _tile_loadd(0, c, row);
        _tile_loadd(1, c + TILE, row);
        _tile_loadd(2, c2, row);
        _tile_loadd(3, c2 + TILE, row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    const char *next = p->next;
    const int lines = next ? p->next_lines : 0;
    for (int k = 0; k < p->k; k += TURN, a += p->a_group, a2 += p->a_group, b += TILE * B_ROW) {
        _tile_loadd(6, b, B_ROW);
        _tile_stream_loadd(4, a, p->a_row);
        DOT(0, 4, 6);
        _tile_loadd(7, b + B_HALF, B_ROW);
        DOT(1, 4, 7);
        _tile_stream_loadd(5, a2, p->a_row);
        bring(&next, lines);
        DOT(2, 5, 6);
        DOT(3, 5, 7);
    }
    _tile_stored(0, c, row);
    _tile_stored(1, c + TILE, row);
    _tile_stored(2, c2, row);
    _tile_stored(3, c2 + TILE, row);
}

static void multiply_one(const tub_product_block *p, const char *b, float *c)
{
    const char *a = p->a;
    const size_t row = p->c_row * sizeof(float);
    if (p->add) {
        _tile_loadd(0, c, row);
        _tile_loadd(1, c + TILE, row);
    } else {
        _tile_zero(0);
        _tile_zero(1);
    }
    for (int k = 0; k < p->k; k += TURN, a += p->a_group, b += TILE * B_ROW) {
        _tile_loadd(6, b, B_ROW);
        _tile_stream_loadd(4, a, p->a_row);
        DOT(0, 4, 6);
        _tile_loadd(7, b + B_HALF, B_ROW);
        DOT(1, 4, 7);
    }
    _tile_stored(0, c, row);
    _tile_stored(1, c + TILE, row);
}

// For small k: A stays in four tiles for all panels, which are done half by half. The next half is loaded before this
// half's sums are stored: loads after stores wait for those whose addresses share the lower bits.
enum { SHORT = 2 * TURN };

static void multiply_short(const tub_product_block *p)
{
    const char *a = p->a, *a2 = a + TILE * p->a_row, *b = p->b;
    const size_t row = p->c_row * sizeof(float);
    float *c = p->c, *c2 = c + TILE * p->c_row;
    const int halves = 2 * p->panels;
    _tile_loadd(4, a, p->a_row);
    _tile_loadd(5, a + p->a_group, p->a_row);
    _tile_loadd(6, a2, p->a_row);
    _tile_loadd(7, a2 + p->a_group, p->a_row);
    _tile_loadd(2, b, B_ROW);
    _tile_loadd(3, b + TILE * B_ROW, B_ROW);
    for (int i = 0; i < halves; i++, c += TILE, c2 += TILE) {
        const char *next = p->b;
        next += (size_t)((i + 1) / 2) * p->b_panel + (size_t)((i + 1) % 2) * B_HALF;
        next = i + 1 < halves ? next : b;
        _tile_zero(0);
        _tile_zero(1);
        DOT(0, 4, 2);
        DOT(1, 6, 2);
        _tile_loadd(2, next, B_ROW);
        DOT(0, 5, 3);
        DOT(1, 7, 3);
        _tile_loadd(3, next + TILE * B_ROW, B_ROW);
        _tile_stored(0, c, row);
        _tile_stored(1, c2, row);
    }
}

static void multiply(const tub_product_block *p)
{
    if (p->rows > TILE && p->k == SHORT && !p->add) {
        multiply_short(p);
        return;
    }
    // What differs between panels is passed separately: a copy of the block would be read while what was just written
    // to it is still on its way to the cache, and would have to wait for it.
    const char *b = p->b;
    float *c = p->c;
    for (int i = 0; i < p->panels; i++, b += p->b_panel, c += SIDE) {
        if (p->rows > TILE)
            multiply_two(p, b, c);
        else
            multiply_one(p, b, c);
    }
}

static void pack_spans(const void *from, size_t row_bytes, int rows, int spans, void *out)
{
    char *to = out;
    for (int s = 0; s < spans; s++, to += (SIDE - rows) * B_HALF)
        for (int r = 0; r < rows; r++, to += B_HALF)
            _mm512_store_si512(to, _mm512_loadu_si512((const char *)from + (size_t)r * row_bytes + (size_t)s * B_HALF));
}

static double roof(long turns)
{
    uint16_t numbers[TILE_BYTES / 2];
    for (int i = 0; i < TILE_BYTES / 2; i++)
        numbers[i] = (uint16_t)(0x3f80 + i % 64); // about 1, as bfloat16
    __asm__ volatile("" : : "r"(numbers) : "memory");
    _tile_loadd(4, numbers, 64);
    _tile_loadd(5, numbers, 64);
    _tile_loadd(6, numbers, 64);
    _tile_loadd(7, numbers, 64);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (long i = 0; i < turns; i++) {
        DOT(0, 4, 6);
        DOT(1, 4, 7);
        DOT(2, 5, 6);
        DOT(3, 5, 7);
    }
    return 2.0 * SIDE * SIDE * TURN * (double)turns;
}

const tub_product PRODUCT = {
    .name = PRODUCT_NAME,
    .rows = SIDE,
    .cols = SIDE,
    .group = GROUP,
    .span = TURN,
    .depth = TURN,
    .k_block = K_BLOCK,
    .element = 4 / GROUP,
    .packs_a = true,
    .enter = enter,
    .leave = leave,
    .multiply = multiply,
    .pack_spans = pack_spans,
    .roof = roof,
};
