// RGB from 8-bit planes, for vectors of any width. The including file defines
//   INTEGERS, FLOATS         the vectors' types
//   V(name)                  the intrinsic of this name for them
//   LEVEL(name)              the name of a function at this level
//   LANES, PIXELS            32-bit numbers and bytes in a vector
// and before including it, functions for what has no common name: load(), load_half() (bytes to words), load_lanes()
// (16 bytes, repeated), zero(), both() and either() (bitwise), widened() (bytes to 32-bit numbers), gather(),
// store_third(), store_channel(), store_floats().

typedef struct matrix {
    INTEGERS luma_offset, luma, v_red, v_green, u_green, u_blue;
} matrix;

typedef struct channels {
    INTEGERS red, green, blue;
} channels;

static inline matrix words(const tub_matrix *m)
{
    return (matrix){V(set1_epi16)((short)m->luma_offset), V(set1_epi16)((short)m->luma),
                    V(set1_epi16)((short)m->v_red),       V(set1_epi16)((short)m->v_green),
                    V(set1_epi16)((short)m->u_green),     V(set1_epi16)((short)m->u_blue)};
}

// What chroma, given as 16-bit numbers, adds to each channel.
static inline channels chroma(const matrix *m, INTEGERS u, INTEGERS v)
{
    const INTEGERS middle = V(set1_epi16)(1024);
    u = V(sub_epi16)(V(slli_epi16)(u, 3), middle);
    v = V(sub_epi16)(V(slli_epi16)(v, 3), middle);
    return (channels){V(mulhi_epi16)(v, m->v_red),
                      V(add_epi16)(V(mulhi_epi16)(u, m->u_green), V(mulhi_epi16)(v, m->v_green)),
                      V(mulhi_epi16)(u, m->u_blue)};
}

static inline INTEGERS luma(const matrix *m, INTEGERS y)
{
    return V(mulhi_epi16)(V(sub_epi16)(V(slli_epi16)(y, 3), m->luma_offset), m->luma);
}

static inline INTEGERS byte_range(INTEGERS v)
{
    return V(min_epi16)(V(max_epi16)(v, zero()), V(set1_epi16)(255));
}

// Even and odd pixels of one channel, a byte each.
static inline INTEGERS interleave(INTEGERS even, INTEGERS odd, INTEGERS add)
{
    return either(byte_range(V(add_epi16)(even, add)), V(slli_epi16)(byte_range(V(add_epi16)(odd, add)), 8));
}

// Within 128 bits: a third of the 48 bytes of 16 pixels with three channels.
static inline INTEGERS third_of(const channels *c, int third)
{
    INTEGERS red = load_lanes(tub_rgb_spread[third][0]);
    INTEGERS green = load_lanes(tub_rgb_spread[third][1]);
    INTEGERS blue = load_lanes(tub_rgb_spread[third][2]);
    return either(either(V(shuffle_epi8)(c->red, red), V(shuffle_epi8)(c->green, green)),
                  V(shuffle_epi8)(c->blue, blue));
}

static inline void store_packed(uint8_t *out, channels c)
{
    for (int third = 0; third < 3; third++)
        store_third(out + 16 * third, third_of(&c, third));
}

static inline void half_block(const matrix *m, const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *out)
{
    INTEGERS bytes = load(y);
    INTEGERS even = luma(m, both(bytes, V(set1_epi16)(255))), odd = luma(m, V(srli_epi16)(bytes, 8));
    channels add = chroma(m, load_half(u), load_half(v));
    store_packed(out, (channels){interleave(even, odd, add.red), interleave(even, odd, add.green),
                                 interleave(even, odd, add.blue)});
}

// The last pixels of a row go through buffers, so that nothing beyond the row is read or written.
void LEVEL(tub_rgb_half)(const tub_matrix *matrix_of, const uint8_t *const row[3], int width, uint8_t *out)
{
    const matrix m = words(matrix_of);
    int x = 0;
    for (; x + PIXELS <= width; x += PIXELS)
        half_block(&m, row[0] + x, row[1] + x / 2, row[2] + x / 2, out + 3 * x);
    if (x < width) {
        uint8_t y[PIXELS] = {0}, u[PIXELS / 2] = {0}, v[PIXELS / 2] = {0}, rgb[PIXELS * 3];
        memcpy(y, row[0] + x, (size_t)(width - x));
        memcpy(u, row[1] + x / 2, (size_t)(width - x + 1) / 2);
        memcpy(v, row[2] + x / 2, (size_t)(width - x + 1) / 2);
        half_block(&m, y, u, v, rgb);
        memcpy(out + 3 * x, rgb, (size_t)(width - x) * 3);
    }
}

static inline INTEGERS times(INTEGERS v, int factor)
{
    return V(mullo_epi32)(v, V(set1_epi32)(factor));
}

static inline void full_quarter(const tub_matrix *m, const uint8_t *y, const uint8_t *u, const uint8_t *v,
                                uint8_t (*out)[PIXELS], int at)
{
    INTEGERS light =
        times(V(sub_epi32)(V(slli_epi32)(widened(y + at), 9), V(set1_epi32)(64 * m->luma_offset)), m->luma);
    INTEGERS blue = V(slli_epi32)(V(sub_epi32)(widened(u + at), V(set1_epi32)(128)), 9);
    INTEGERS red = V(slli_epi32)(V(sub_epi32)(widened(v + at), V(set1_epi32)(128)), 9);
    light = V(add_epi32)(light, V(set1_epi32)(1 << 21));
    INTEGERS green = V(add_epi32)(times(blue, m->u_green), times(red, m->v_green));
    store_channel(out[0] + at, V(add_epi32)(light, times(red, m->v_red)));
    store_channel(out[1] + at, V(add_epi32)(light, green));
    store_channel(out[2] + at, V(add_epi32)(light, times(blue, m->u_blue)));
}

static inline void full_block(const tub_matrix *m, const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *out)
{
    uint8_t planes[3][PIXELS];
    for (int at = 0; at < PIXELS; at += LANES)
        full_quarter(m, y, u, v, planes, at);
    store_packed(out, (channels){load(planes[0]), load(planes[1]), load(planes[2])});
}

void LEVEL(tub_rgb_full)(const tub_matrix *m, const uint8_t *const row[3], int width, uint8_t *out)
{
    int x = 0;
    for (; x + PIXELS <= width; x += PIXELS)
        full_block(m, row[0] + x, row[1] + x, row[2] + x, out + 3 * x);
    if (x < width) {
        uint8_t tail[3][PIXELS] = {{0}}, rgb[PIXELS * 3];
        for (int c = 0; c < 3; c++)
            memcpy(tail[c], row[c] + x, (size_t)(width - x));
        full_block(m, tail[0], tail[1], tail[2], rgb);
        memcpy(out + 3 * x, rgb, (size_t)(width - x) * 3);
    }
}

typedef struct values {
    FLOATS of[3];
} values;

static inline channels gather_chroma(const tub_pairs *p, const uint8_t *const row[3], const matrix *m, int k)
{
    return chroma(m, gather(row[1], p->chroma_at + k, p->chroma_pick + k),
                  gather(row[2], p->chroma_at + k, p->chroma_pick + k));
}

// Blends the two pixels in the 16-bit halves of `pair`.
static inline FLOATS across(INTEGERS pair, FLOATS left, FLOATS right, const tub_scaling *s)
{
    FLOATS a = LEVEL(tub_scale)(both(pair, V(set1_epi32)(0xffff)), s);
    FLOATS b = LEVEL(tub_scale)(V(srli_epi32)(pair, 16), s);
    return V(add_ps)(V(mul_ps)(left, a), V(mul_ps)(right, b));
}

static inline values blend_row(const tub_pairs *p, const tub_blend *b, const matrix *m, const uint8_t *row,
                               const channels *add, int k)
{
    INTEGERS light = luma(m, gather(row, p->luma_at + k, p->luma_pick + k));
    FLOATS left = V(loadu_ps)(p->weights + k), right = V(loadu_ps)(p->weights + p->padded + k);
    return (values){{across(byte_range(V(add_epi16)(light, add->red)), left, right, b->scaling),
                     across(byte_range(V(add_epi16)(light, add->green)), left, right, b->scaling),
                     across(byte_range(V(add_epi16)(light, add->blue)), left, right, b->scaling)}};
}

void LEVEL(tub_blend_half)(const tub_pairs *p, const tub_blend *b)
{
    const matrix m = words(b->matrix);
    const bool one_chroma = b->rows[0][1] == b->rows[1][1];
    const FLOATS upper = V(set1_ps)(b->weights[0]), lower = V(set1_ps)(b->weights[1]);
    for (int k = 0; k < p->kept; k += LANES) {
        const int count = p->kept - k < LANES ? p->kept - k : LANES;
        channels add = gather_chroma(p, b->rows[0], &m, k);
        values first = blend_row(p, b, &m, b->rows[0][0], &add, k);
        if (!one_chroma)
            add = gather_chroma(p, b->rows[1], &m, k);
        values second = blend_row(p, b, &m, b->rows[1][0], &add, k);
        for (int c = 0; c < 3; c++) {
            FLOATS sum = V(add_ps)(V(mul_ps)(upper, first.of[c]), V(mul_ps)(lower, second.of[c]));
            store_floats(b->out[c] + k, LEVEL(tub_finish)(sum, &b->finish[c]), count);
        }
    }
}
