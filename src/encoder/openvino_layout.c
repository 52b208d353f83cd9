#include "openvino_layout.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"

enum { CHANNELS = 3 };

static const struct {
    const char *name;
    int rank, channels, frames; // positions; frames 0: none
} layouts[] = {
    [TUB_NCTHW] = {"NCTHW", 5, 1, 2},
    [TUB_NTCHW] = {"NTCHW", 5, 2, 1},
    [TUB_NCHW] = {"NCHW", 4, 1, 0},
};

const char *tub_input_layout_name(tub_input_layout layout)
{
    return layouts[layout].name;
}

bool tub_dimension_takes(tub_ov_dimension dim, int64_t value)
{
    return value >= dim.min && (dim.max < 0 || value <= dim.max);
}

int64_t tub_dimension_fixed(tub_ov_dimension dim)
{
    return dim.min == dim.max ? dim.min : 0;
}

void tub_dimensions_text(const tub_ov_dimension *dims, int64_t rank, char *out, size_t bytes)
{
    size_t at = (size_t)snprintf(out, bytes, "[");
    for (int64_t i = 0; i < rank && at < bytes; i++) {
        const char *comma = i ? ", " : "";
        if (tub_dimension_fixed(dims[i]) || dims[i].max == 0)
            at += (size_t)snprintf(out + at, bytes - at, "%s%lld", comma, (long long)dims[i].max);
        else
            at += (size_t)snprintf(out + at, bytes - at, "%s?", comma);
    }
    if (at < bytes)
        snprintf(out + at, bytes - at, "]");
}

static tub_status parse(const char *name, tub_input_layout *out, tub_error *err)
{
    for (int i = TUB_NCTHW; i <= TUB_NCHW; i++)
        if (strcmp(name, layouts[i].name) == 0) {
            *out = (tub_input_layout)i;
            return TUB_OK;
        }
    return tub_fail(err, TUB_ERROR_ARGUMENT, "input layout \"%.40s\": NCTHW, NTCHW and NCHW are known", name);
}

// Counts the layouts of this rank whose channels can be 3. `fixed`: the channels must be a fixed 3. *out: the first.
static int candidates(const tub_ov_dimension *dims, int64_t rank, bool fixed, tub_input_layout *out)
{
    int count = 0;
    for (int i = TUB_NCHW; i >= TUB_NCTHW; i--) {
        if (layouts[i].rank != rank)
            continue;
        tub_ov_dimension c = dims[layouts[i].channels];
        if (!tub_dimension_takes(c, CHANNELS) || (fixed && tub_dimension_fixed(c) != CHANNELS))
            continue;
        *out = (tub_input_layout)i;
        count++;
    }
    return count;
}

static tub_status recognise(const tub_ov_dimension *dims, int64_t rank, const char *where, tub_input_layout *out,
                            tub_error *err)
{
    char text[128];
    tub_dimensions_text(dims, rank, text, sizeof text);
    int count = candidates(dims, rank, true, out);
    if (count == 0)
        count = candidates(dims, rank, false, out);
    if (count == 1)
        return TUB_OK;
    if (count > 1)
        return tub_fail(
            err, TUB_ERROR_MODEL,
            "%s: its input %s may be [N, C, T, H, W] or [N, T, C, H, W]: say which (--input-layout NCTHW or "
            "NTCHW)",
            where, text);
    return tub_fail(err, TUB_ERROR_MODEL,
                    "%s: its input %s isn't pixels: [N, C, T, H, W], [N, T, C, H, W] or [N, C, H, W] with C = 3 is "
                    "needed",
                    where, text);
}

tub_status tub_input_recognise(const tub_ov_dimension *dims, int64_t rank, const char *told, const char *where,
                               tub_input_shape *out, tub_error *err)
{
    tub_input_layout layout = TUB_NCHW;
    if (told && told[0])
        TUB_TRY(parse(told, &layout, err));
    else
        TUB_TRY(recognise(dims, rank, where, &layout, err));
    if (rank != layouts[layout].rank || !tub_dimension_takes(dims[layouts[layout].channels], CHANNELS)) {
        char text[128];
        tub_dimensions_text(dims, rank, text, sizeof text);
        return tub_fail(err, TUB_ERROR_MODEL, "%s: its input %s can't be %s with 3 channels", where, text, told);
    }
    static const tub_ov_dimension one = {1, 1};
    *out = (tub_input_shape){.layout = layout,
                             .items = dims[0],
                             .frames = layouts[layout].frames ? dims[layouts[layout].frames] : one,
                             .height = dims[rank - 2],
                             .width = dims[rank - 1]};
    return TUB_OK;
}

int tub_input_dims(const tub_input_shape *shape, int group, int frames, int height, int width, int64_t dims[5])
{
    int rank = layouts[shape->layout].rank;
    dims[0] = group;
    dims[layouts[shape->layout].channels] = CHANNELS;
    if (layouts[shape->layout].frames)
        dims[layouts[shape->layout].frames] = frames;
    dims[rank - 2] = height;
    dims[rank - 1] = width;
    return rank;
}

size_t tub_input_plane(tub_input_layout layout, int frames, size_t plane, int frame, int channel)
{
    if (layout == TUB_NCTHW)
        return ((size_t)channel * (size_t)frames + (size_t)frame) * plane;
    return ((size_t)frame * CHANNELS + (size_t)channel) * plane;
}
