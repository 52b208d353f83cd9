// Part of kernels_template.h, for levels whose file also defines:
//   v_from_integers(x, offset)      int32 in the lanes' bits, minus offset, as floats
//   v_peak(a, x)                    the greater magnitude, NaN is the greatest; v_peak_of(a): over the lanes
//   v_store_bytes(p, x, shift)      rounded, clamped to -127 .. 127, plus shift; v_store_bytes_part(p, n, x, shift)

static float peak(const void *x, int count)
{
    const narrow *from = x;
    lanes a = v_set(0), b = a;
    int i = 0;
    for (; i + 2 * LANES <= count; i += 2 * LANES) {
        a = v_peak(a, n_load(from + i));
        b = v_peak(b, n_load(from + i + LANES));
    }
    for (; i < count; i += LANES)
        a = v_peak(a, n_load_part(from + i, count - i < LANES ? count - i : LANES));
    return v_peak_of(v_peak(a, b));
}

static void int8_edge(const tub_int8_row *row, int at, char *out)
{
    const int left = row->count - at, here = row->padded - at;
    const lanes x = n_load_part((const narrow *)row->x + at, left < 0 ? 0 : left < LANES ? left : LANES);
    v_store_bytes_part(out, here < LANES ? here : LANES, x * v_set(row->factor), row->shift);
}

static void int8_row(const tub_int8_row *row)
{
    const narrow *x = row->x;
    const lanes factor = v_set(row->factor);
    char *out = row->out;
    for (int at = 0; at < row->padded; at += row->span, out += row->out_span)
        for (int i = 0; i < row->span && at + i < row->padded; i += LANES) {
            if (at + i + LANES <= row->count)
                v_store_bytes(out + i, n_load(x + at + i) * factor, row->shift);
            else
                int8_edge(row, at + i, out + i);
        }
}
