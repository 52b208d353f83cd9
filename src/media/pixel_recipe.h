// A transform prepared for one frame size as a recipe: its tables are in one block.
#ifndef TUB_PIXEL_RECIPE_H
#define TUB_PIXEL_RECIPE_H

#include "frame_recipe.h"
#include "pixel_kernels.h"
#include "pixel_plan.h"

typedef struct tub_recipe_parts {
    const tub_pixel_plan *plan;
    bool is_float, down_first;
    const tub_axis *across, *down;
    int pad_left, pad_top;
    const tub_scaling *scaling;
    const tub_finish *finish; // [3]
} tub_recipe_parts;

// Makes everything but `zero`. Errors: TUB_ERROR_MEMORY. A failed make needs no finish.
tub_status tub_recipe_make(const tub_recipe_parts *parts, tub_frame_recipe *out, tub_error *err);
void tub_recipe_finish(tub_frame_recipe *recipe);

#endif
