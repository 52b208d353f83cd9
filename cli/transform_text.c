#include "transform_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(char *out, size_t bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Appends another step, after a comma.
static void add(char *out, size_t bytes, const char *format, ...)
{
    size_t used = strlen(out);
    if (used && used + 3 < bytes) {
        strcpy(out + used, ", ");
        used += 2;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(out + used, bytes - used, format, args);
    va_end(args);
}

static void add_resize(const tub_transform *t, char *out, size_t bytes)
{
    char how[96];
    snprintf(how, sizeof how, "%s, %s, %s", tub_interpolation_name(t->interpolation),
             t->antialias ? "antialiased" : "not antialiased",
             t->domain == TUB_DOMAIN_FLOAT ? "in float"
             : t->pillow                   ? "on 8-bit values as Pillow"
                                           : "on 8-bit values");
    if (t->resize == TUB_RESIZE_SHORTEST)
        add(out, bytes, "shorter side to %d (%s)", t->height, how);
    else if (t->resize == TUB_RESIZE_EXACT)
        add(out, bytes, "resized to %dx%d (%s)", t->height, t->width, how);
    else
        add(out, bytes, "size kept");
}

static void add_values(const tub_transform *t, char *out, size_t bytes)
{
    if (t->rescale && fabs(1 / (double)t->scale - rint(1 / (double)t->scale)) < 1e-3)
        add(out, bytes, "divided by %g", rint(1 / (double)t->scale));
    else if (t->rescale)
        add(out, bytes, "times %g", (double)t->scale);
    if (t->rescale && t->offset != 0)
        add(out, bytes, "plus %g", (double)t->offset);
    if (!t->normalize)
        return;
    add(out, bytes, "minus mean (%g %g %g)", (double)t->mean[0], (double)t->mean[1], (double)t->mean[2]);
    add(out, bytes, "divided by std (%g %g %g)", (double)t->std[0], (double)t->std[1], (double)t->std[2]);
}

void cli_transform_text(const tub_transform *t, char *out, size_t bytes)
{
    out[0] = 0;
    add_resize(t, out, bytes);
    if (t->crop_height)
        add(out, bytes, "center crop %dx%d", t->crop_height, t->crop_width);
    add_values(t, out, bytes);
}

json_t *cli_transform_json(const tub_transform *t)
{
    static const char *const resize[] = {"none", "exact", "shortest"};
    return json_pack("{s:s, s:i, s:i, s:s, s:b, s:s, s:b, s:i, s:i, s:b, s:f, s:f, s:b, s:[f, f, f], s:[f, f, f]}",
                     "resize", resize[t->resize], "height", t->height, "width", t->width, "interpolation",
                     tub_interpolation_name(t->interpolation), "antialias", t->antialias, "domain",
                     t->domain == TUB_DOMAIN_FLOAT ? "float" : "u8", "pillow", t->pillow, "crop_height", t->crop_height,
                     "crop_width", t->crop_width, "rescale", t->rescale, "scale", (double)t->scale, "offset",
                     (double)t->offset, "normalize", t->normalize, "mean", (double)t->mean[0], (double)t->mean[1],
                     (double)t->mean[2], "std", (double)t->std[0], (double)t->std[1], (double)t->std[2]);
}
