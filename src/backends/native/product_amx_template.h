// What products in tiles share, for both element types that tiles multiply. The including file defines
//   DOT                      the instruction: C += A B
//   GROUP                    elements that lie together in 4 bytes
//   COLS                     of a panel
//   PRODUCT, PRODUCT_NAME, K_BLOCK
// and, behind it, multiply().
#include <immintrin.h>
#include <stdint.h>

#include "product.h"

enum { TILE = 16, SIDE = 32, TILE_BYTES = 1024, TURN = 16 * GROUP };

// A row of B holds the tiles of a panel side by side, B_TILE bytes each.
enum { B_TILE = 64, B_ROW = COLS * 4 };

static void multiply(const tub_product_block *p);

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
    // The compiler's own intrinsic doesn't tell that the whole of it is read.
    __asm__ volatile("ldtilecfg %0" : : "m"(c));
}

static void leave(void)
{
    _tile_release();
}

static inline void bring(const char **next, int lines)
{
    for (int i = 0; i < lines; i++, *next += 64)
        _mm_prefetch(*next, _MM_HINT_T1);
}

static void pack_spans(const void *from, size_t row_bytes, int rows, int spans, void *out)
{
    char *to = out;
    for (int s = 0; s < spans; s++, to += (SIDE - rows) * B_TILE)
        for (int r = 0; r < rows; r++, to += B_TILE)
            _mm512_store_si512(to, _mm512_loadu_si512((const char *)from + (size_t)r * row_bytes + (size_t)s * B_TILE));
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
    .cols = COLS,
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
