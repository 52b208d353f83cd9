// The transform that the user's options describe.
#include <math.h>
#include <tubelet/transform.h>

#include "fail.h"
#include "params.h"

enum { SIDE_MOST = 65536, DEFAULT_SIDE = 224 };

static tub_transform opentad(int model_height, int model_width)
{
    return (tub_transform){
        .resize = TUB_RESIZE_EXACT,
        .height = model_height > 0 ? model_height : DEFAULT_SIDE,
        .width = model_width > 0 ? model_width : DEFAULT_SIDE,
        .interpolation = TUB_BILINEAR,
        .antialias = false,
        .domain = TUB_DOMAIN_FLOAT,
        .rescale = true,
        .scale = 1.0f / 255.0f,
        .std = {1, 1, 1},
    };
}

// Frames stay untouched. If a size is given, the other settings are torchvision's defaults for images.
static tub_transform untouched(void)
{
    return (tub_transform){
        .resize = TUB_RESIZE_NONE,
        .interpolation = TUB_BILINEAR,
        .antialias = true,
        .domain = TUB_DOMAIN_U8,
        .std = {1, 1, 1},
    };
}

static tub_status check_side(const char *what, int height, int width, tub_error *err)
{
    if (height < 1 || width < 1 || height > SIDE_MOST || width > SIDE_MOST)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s %dx%d: height and width must be between 1 and %d", what, height,
                        width, SIDE_MOST);
    return TUB_OK;
}

static tub_status check(const tub_transform_options *o, tub_error *err)
{
    TUB_TRY(tub_check_choice("tub_transform_options.base", (int)o->base, TUB_TRANSFORM_NONE, err));
    if (o->has_size)
        TUB_TRY(check_side("size", o->height, o->width, err));
    if (o->has_crop)
        TUB_TRY(check_side("crop", o->crop_height, o->crop_width, err));
    if (o->has_interpolation && o->interpolation != TUB_NEAREST && o->interpolation != TUB_BILINEAR &&
        o->interpolation != TUB_BICUBIC)
        return tub_fail(
            err, TUB_ERROR_ARGUMENT,
            "tub_transform_options.interpolation is %d: nearest (0), bilinear (2) and bicubic (3) are known",
            (int)o->interpolation);
    for (int c = 0; c < 3; c++) {
        if (o->has_mean && !isfinite(o->mean[c]))
            return tub_fail(err, TUB_ERROR_ARGUMENT, "mean: value %d is not a finite number", c + 1);
        if (o->has_std && (!isfinite(o->std[c]) || o->std[c] == 0))
            return tub_fail(err, TUB_ERROR_ARGUMENT, "std: value %d must be a finite number other than 0", c + 1);
    }
    return TUB_OK;
}

static void set_interpolation(tub_transform *t, tub_interpolation interpolation, bool antialias)
{
    if (interpolation == TUB_NEAREST)
        t->antialias = false;
    else if (t->interpolation == TUB_NEAREST)
        t->antialias = antialias;
    t->interpolation = interpolation;
}

static void set_normalize(tub_transform *t, const tub_transform_options *o)
{
    for (int c = 0; c < 3; c++) {
        float mean = t->normalize ? t->mean[c] : 0, std = t->normalize ? t->std[c] : 1;
        t->mean[c] = o->has_mean ? o->mean[c] : mean;
        t->std[c] = o->has_std ? o->std[c] : std;
    }
    t->normalize = true;
    if (o->base == TUB_TRANSFORM_NONE) { // mean and std refer to 0 to 1, so frames must be in that range too
        t->rescale = true;
        t->scale = 1.0f / 255.0f;
    }
}

tub_status tub_transform_resolve(const tub_transform_options *options, const tub_transform *model, int model_height,
                                 int model_width, tub_transform *out, tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    static const tub_transform_options defaults;
    const tub_transform_options *o = options ? options : &defaults;
    TUB_TRY(check(o, err));
    tub_transform t;
    if (o->base == TUB_TRANSFORM_OPENTAD)
        t = opentad(model_height, model_width);
    else if (o->base == TUB_TRANSFORM_NONE)
        t = untouched();
    else if (model)
        t = *model;
    else
        return tub_fail(err, TUB_ERROR_ARGUMENT, "transform \"model\": there is no model here");
    if (o->has_size) {
        t.resize = TUB_RESIZE_EXACT;
        t.height = o->height;
        t.width = o->width;
        t.crop_height = t.crop_width = 0;
    }
    if (o->has_crop) {
        t.crop_height = o->crop_height;
        t.crop_width = o->crop_width;
    }
    if (o->has_interpolation)
        set_interpolation(&t, o->interpolation, o->base != TUB_TRANSFORM_OPENTAD);
    if (o->has_mean || o->has_std)
        set_normalize(&t, o);
    *out = t;
    return TUB_OK;
}
