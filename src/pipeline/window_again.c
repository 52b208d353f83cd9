#include "window_again.h"

#include "fail.h"
#include "memory.h"
#include "reread.h"

struct tub_window_again {
    unsigned without;
    const tub_sampling *sampling;
    const tub_source_ops *ops;
    void *source;
    tub_reread *reread;
    int64_t span;   // frames from a window's first to its last
    int64_t frames; // seen so far
    double *shown;  // a ring: when the last `span` frames are shown
    void *pixels;   // room for one frame, to convert into
};

enum { AGAIN = TUB_WITHOUT_DECODE_ONCE | TUB_WITHOUT_CONVERT_ONCE | TUB_WITHOUT_ENCODE_ONCE };

bool tub_again_is_asked(unsigned without)
{
    return (without & AGAIN) != 0;
}

tub_status tub_again_check(unsigned without, const tub_sampling *s, tub_error *err)
{
    if (tub_again_is_asked(without) && (s->fps > 0 || s->align != TUB_ALIGN_VALID))
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "work can be repeated for every window with --align valid at the video's own rate only");
    return TUB_OK;
}

static tub_status prepare(tub_window_again *a, const char *path, int stream, tub_error *err)
{
    int height = 0, width = 0;
    bool is_float = false;
    size_t bytes = 0;
    a->ops->pixels(a->source, &height, &width, &is_float, &bytes);
    a->shown = tub_calloc((size_t)a->span, sizeof *a->shown);
    a->pixels = tub_alloc_aligned(bytes, 1);
    if (!a->shown || !a->pixels)
        return tub_fail_memory(err, "windows by themselves");
    return a->without & TUB_WITHOUT_DECODE_ONCE ? tub_reread_open(path, stream, &a->reread, err) : TUB_OK;
}

tub_status tub_again_open(unsigned without, const tub_sampling *sampling, const tub_source_ops *ops, void *source,
                          const char *path, int stream, tub_window_again **out, tub_error *err)
{
    *out = NULL;
    tub_window_again *a = tub_calloc(1, sizeof *a);
    if (!a)
        return tub_fail_memory(err, "windows by themselves");
    a->without = without;
    a->sampling = sampling;
    a->ops = ops;
    a->source = source;
    a->span = (int64_t)(sampling->clip_length - 1) * sampling->interval + 1;
    tub_status status = prepare(a, path, stream, err);
    if (status != TUB_OK)
        tub_again_close(&a);
    *out = a;
    return status;
}

void tub_again_close(tub_window_again **again)
{
    if (!again || !*again)
        return;
    tub_window_again *a = *again;
    tub_reread_close(&a->reread);
    tub_free(a->pixels);
    tub_free(a->shown);
    tub_free(a);
    *again = NULL;
}

// Whether a window before the one that starts at `start` has frame `k` too.
static bool is_shared(const tub_window_again *a, int64_t start, int64_t k)
{
    const tub_sampling *s = a->sampling;
    for (int64_t earlier = start - s->stride; earlier >= 0 && k - earlier < a->span; earlier -= s->stride)
        if ((k - earlier) % s->interval == 0)
            return true;
    return false;
}

static int count_shared(const tub_window_again *a, int64_t start)
{
    int count = 0;
    for (int i = 0; i < a->sampling->clip_length; i++)
        count += is_shared(a, start, start + (int64_t)i * a->sampling->interval);
    return count;
}

// Decodes what comes before the window's own new frames. Without an overlap, reading just goes on.
static tub_status decode(tub_window_again *a, int64_t start, tub_error *err)
{
    int64_t last = start - a->sampling->stride + a->span - 1, decoded = 0;
    if (last < start)
        return TUB_OK;
    return tub_reread_stretch(a->reread, a->shown[start % a->span], a->shown[last % a->span], &decoded, err);
}

static tub_status convert(tub_window_again *a, int frames, tub_error *err)
{
    for (int i = 0; i < frames; i++)
        TUB_TRY(a->ops->convert(a->source, a->pixels, err));
    return TUB_OK;
}

tub_status tub_again_frame(tub_window_again *a, int *encodes, tub_error *err)
{
    tub_video_info info = {0};
    a->ops->info(a->source, &info);
    a->shown[a->frames % a->span] = info.last_pts;
    const int64_t start = ++a->frames - a->span;
    *encodes = 0;
    if (start < a->sampling->stride || start % a->sampling->stride != 0)
        return TUB_OK;
    const int shared = count_shared(a, start);
    if (a->without & TUB_WITHOUT_DECODE_ONCE)
        TUB_TRY(decode(a, start, err));
    if (a->without & TUB_WITHOUT_CONVERT_ONCE)
        TUB_TRY(convert(a, shared, err));
    if (a->without & TUB_WITHOUT_ENCODE_ONCE)
        *encodes = shared;
    return TUB_OK;
}
