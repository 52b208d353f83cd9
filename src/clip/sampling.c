#include <tubelet/sampling.h>

#include <math.h>
#include <string.h>

#include "fail.h"
#include "params.h"

static const char *const align_names[] = {"valid", "center", "backpad"};

static int64_t span(const tub_sampling *s)
{
    return (int64_t)(s->clip_length - 1) * s->interval + 1;
}

static tub_status check_range(const char *option, int value, int most, tub_error *err)
{
    if (value < 1 || value > most)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s %d: must be between 1 and %d", option, value, most);
    return TUB_OK;
}

tub_status tub_sampling_resolve(const tub_sampling *asked, int model_clip_length, tub_sampling *out, tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    tub_sampling s = asked ? *asked : (tub_sampling){0};
    TUB_TRY(tub_check_size("tub_sampling", s.size, sizeof s, err));
    s.size = sizeof s;
    if (s.clip_length == 0)
        s.clip_length = model_clip_length > 0 ? model_clip_length : 16;
    if (s.stride == 0)
        s.stride = 4;
    if (s.interval == 0)
        s.interval = 1;
    TUB_TRY(check_range("clip length", s.clip_length, 4096, err));
    TUB_TRY(check_range("stride", s.stride, 65536, err));
    TUB_TRY(check_range("interval", s.interval, 1024, err));
    TUB_TRY(tub_check_choice("tub_sampling.align", (int)s.align, TUB_ALIGN_BACKPAD, err));
    if (!(s.fps >= 0 && s.fps <= 1000))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "fps %g: must be at most 1000, or 0 for the video's own", s.fps);
    *out = s;
    return TUB_OK;
}

int64_t tub_sampling_rows(const tub_sampling *s, int64_t frames)
{
    if (frames <= 0)
        return 0;
    if (s->align == TUB_ALIGN_CENTER) {
        int64_t beyond = frames - s->stride / 2;
        return beyond <= 0 ? 1 : (beyond - 1) / s->stride + 1;
    }
    int64_t room = frames - span(s);
    if (room < 0)
        return 1;
    return room / s->stride + 1 + (s->align == TUB_ALIGN_BACKPAD && room % s->stride != 0);
}

void tub_sampling_clip(const tub_sampling *s, int64_t frames, int64_t row, int64_t *out)
{
    int64_t start = row * s->stride;
    if (s->align == TUB_ALIGN_CENTER)
        start += s->stride / 2 - (int64_t)(s->clip_length / 2) * s->interval;
    else if (s->align == TUB_ALIGN_BACKPAD && frames >= span(s) && start > frames - span(s))
        start = frames - span(s);
    for (int j = 0; j < s->clip_length; j++) {
        const int64_t further = (int64_t)j * s->interval;
        int64_t k = start > frames - 1 - further ? frames - 1 : start + further;
        out[j] = k < 0 ? 0 : k;
    }
}

void tub_sampling_grid(const tub_sampling *s, tub_grid *out)
{
    out->stride = s->stride;
    out->offset = s->align == TUB_ALIGN_CENTER ? s->stride / 2 : (double)span(s) / 2;
    out->num_frames = 2 * out->offset;
}

const char *tub_align_name(tub_align align)
{
    return (int)align >= TUB_ALIGN_VALID && (int)align <= TUB_ALIGN_BACKPAD ? align_names[align] : "unknown";
}

tub_status tub_align_parse(const char *name, tub_align *out, tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    for (int i = 0; name && i <= TUB_ALIGN_BACKPAD; i++)
        if (strcmp(name, align_names[i]) == 0) {
            *out = (tub_align)i;
            return TUB_OK;
        }
    return tub_fail(err, TUB_ERROR_ARGUMENT, "unknown alignment \"%s\"; known are: valid, center, backpad",
                    name ? name : "");
}
