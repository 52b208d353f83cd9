#include "pixel_plan.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "fail.h"
#include "params.h"

enum { SIDE_MOST = 65536 };

// int(edge * long / short), computed in integers: at these sizes, the reference's division in double can't cross an
// integer.
static void resized_size(const tub_transform *t, int64_t in_height, int64_t in_width, int64_t *height, int64_t *width)
{
    *height = in_height;
    *width = in_width;
    if (t->resize == TUB_RESIZE_EXACT) {
        *height = t->height;
        *width = t->width;
    } else if (t->resize == TUB_RESIZE_SHORTEST) {
        bool upright = in_width <= in_height;
        *height = upright ? t->height * in_height / in_width : t->height;
        *width = upright ? t->height : t->height * in_width / in_height;
    }
}

static tub_status check_side(int64_t height, int64_t width, const char *what, tub_error *err)
{
    if (height < 1 || width < 1 || height > SIDE_MOST || width > SIDE_MOST)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s of %lldx%lld pixels: each side must be between 1 and %d", what,
                        (long long)height, (long long)width, SIDE_MOST);
    return TUB_OK;
}

// Where a crop of `crop` begins in `size`. Cropping and padding round toward zero, but Pillow's processors pad more
// before than after.
static int begin(int size, int crop, bool pillow)
{
    return size >= crop ? (size - crop) / 2 : -((crop - size + pillow) / 2);
}

static tub_status check_transform(const tub_transform *t, tub_error *err)
{
    TUB_TRY(tub_check_choice("tub_transform.resize", (int)t->resize, TUB_RESIZE_SHORTEST, err));
    TUB_TRY(tub_check_choice("tub_transform.domain", (int)t->domain, TUB_DOMAIN_FLOAT, err));
    if (t->interpolation != TUB_NEAREST && t->interpolation != TUB_BILINEAR && t->interpolation != TUB_BICUBIC)
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "tub_transform.interpolation is %d: nearest (0), bilinear (2) and bicubic (3) are known",
                        (int)t->interpolation);
    for (int c = 0; t->normalize && c < 3; c++)
        if (!isfinite(t->mean[c]) || !isfinite(t->std[c]) || t->std[c] == 0)
            return tub_fail(err, TUB_ERROR_ARGUMENT,
                            "tub_transform: mean %g, std %g of channel %d: they must be finite, and std not 0",
                            (double)t->mean[c], (double)t->std[c], c);
    return TUB_OK;
}

tub_status tub_pixel_plan_make(const tub_transform *t, int in_height, int in_width, tub_pixel_plan *out, tub_error *err)
{
    int64_t height, width;
    TUB_TRY(check_transform(t, err));
    TUB_TRY(check_side(in_height, in_width, "a frame", err));
    resized_size(t, in_height, in_width, &height, &width);
    TUB_TRY(check_side(height, width, "a resized frame", err));
    tub_pixel_plan p = {.in_height = in_height, .in_width = in_width};
    p.out_height = p.resized_height = (int)height;
    p.out_width = p.resized_width = (int)width;
    if (t->crop_height || t->crop_width) {
        TUB_TRY(check_side(t->crop_height, t->crop_width, "a crop", err));
        p.top = begin(p.resized_height, t->crop_height, t->pillow);
        p.left = begin(p.resized_width, t->crop_width, t->pillow);
        p.out_height = t->crop_height;
        p.out_width = t->crop_width;
    }
    p.bytes = (size_t)p.out_height * (size_t)p.out_width * 3 * (t->domain == TUB_DOMAIN_FLOAT ? sizeof(float) : 1);
    *out = p;
    return TUB_OK;
}

bool tub_transform_fixed_size(const tub_transform *t, int *height, int *width)
{
    bool crops = t->crop_height > 0;
    *height = crops ? t->crop_height : t->height;
    *width = crops ? t->crop_width : t->width;
    return crops || t->resize == TUB_RESIZE_EXACT;
}

// 1/scale as the reference has it, in double from the file's number. With float32 alone, 255 would become 254.99998.
static float inverse_scale(float scale)
{
    double inverse = 1.0 / scale, half = nearbyint(2 * inverse) / 2;
    return half > 0 && (float)(1.0 / half) == scale ? (float)half : (float)inverse;
}

void tub_transform_table(const tub_transform *t, int channel, float table[256])
{
    bool fused = t->normalize && (!t->rescale || t->offset == 0);
    float k = t->rescale && fused ? inverse_scale(t->scale) : 1;
    float mean = t->mean[channel] * k, std = t->std[channel] * k;
    for (int x = 0; x < 256; x++) {
        float v = (float)x;
        if (fused) {
            table[x] = (v - mean) / std;
            continue;
        }
        if (t->rescale) {
            v *= t->scale;
            v += t->offset;
        }
        table[x] = tub_transform_finish(t, channel, v);
    }
}

float tub_transform_finish(const tub_transform *t, int channel, float value)
{
    return t->normalize ? (value - t->mean[channel]) / t->std[channel] : value;
}

void tub_transform_describe(const tub_transform *t, char *out, size_t bytes)
{
    char size[48] = "", crop[48] = "", scale[80] = "", normal[160] = "";
    const char *filter = tub_interpolation_name(t->interpolation), *soft = t->antialias ? " antialias" : "";
    if (t->interpolation == TUB_NEAREST && t->centred)
        soft = " of middles";
    if (t->resize == TUB_RESIZE_EXACT)
        snprintf(size, sizeof size, " to %dx%d", t->height, t->width);
    else if (t->resize == TUB_RESIZE_SHORTEST)
        snprintf(size, sizeof size, " to shortest edge %d", t->height);
    if (t->crop_height)
        snprintf(crop, sizeof crop, ", crop %dx%d", t->crop_height, t->crop_width);
    if (t->rescale)
        snprintf(scale, sizeof scale, ", scale %.9g offset %.9g", (double)t->scale, (double)t->offset);
    if (t->normalize)
        snprintf(normal, sizeof normal, ", mean %.9g,%.9g,%.9g std %.9g,%.9g,%.9g", (double)t->mean[0],
                 (double)t->mean[1], (double)t->mean[2], (double)t->std[0], (double)t->std[1], (double)t->std[2]);
    const char *domain = t->domain == TUB_DOMAIN_FLOAT ? " in float32"
                         : t->pillow                   ? " in 8 bits by Pillow"
                                                       : " in 8 bits";
    if (t->resize == TUB_RESIZE_NONE)
        snprintf(out, bytes, "no resize%s%s%s%s", domain, crop, scale, normal);
    else
        snprintf(out, bytes, "%s%s%s%s%s%s%s", filter, soft, size, domain, crop, scale, normal);
}
