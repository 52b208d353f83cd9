#include "checks.h"

#include "fail.h"

tub_status tub_check_one_patch(const tub_config *c, const tub_build *build, tub_error *err)
{
    if (build->height < c->patch || build->width < c->patch)
        return tub_fail(err, TUB_ERROR_MODEL, "frames of %dx%d pixels are smaller than one patch of %d: use --size",
                        build->height, build->width, c->patch);
    return TUB_OK;
}

tub_status tub_check_image_size(const tub_config *c, const tub_build *build, tub_error *err)
{
    if (!build->any_size && (build->height != c->image_height || build->width != c->image_width))
        return tub_fail(err, TUB_ERROR_MODEL,
                        "frames of %dx%d pixels, as its preprocessor has them: this checkpoint takes %dx%d (image_size "
                        "in config.json): use --size %dx%d, or --size %dx%d to have its positions resized",
                        build->height, build->width, c->image_height, c->image_width, c->image_height, c->image_width,
                        build->height, build->width);
    return tub_check_one_patch(c, build, err);
}
