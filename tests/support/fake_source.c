#include "fake_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"

fake_source_counts fake_counts;

typedef struct source {
    fake_video video;
    int64_t next;
    bool ended;
    bool *converted;
    uint8_t *planes; // of the frame that was requested last
    int gpu;
    bool (*wants)(const void *user, const tub_frame_place *place);
    const void *user;
    bool left_out; // the frame that was returned last
    int64_t left_out_count;
    char path[256];
} source;

void fake_counts_reset(void)
{
    atomic_store(&fake_counts.open, 0);
    atomic_store(&fake_counts.begun, 0);
    atomic_store(&fake_counts.most_open, 0);
    atomic_store(&fake_counts.decoded, 0);
    atomic_store(&fake_counts.converted, 0);
    atomic_store(&fake_counts.left_out, 0);
    atomic_store(&fake_counts.repeated, 0);
    for (int i = 0; i < FAKE_GPUS; i++)
        atomic_store(&fake_counts.decoders[i], 0);
}

static double option(const char *path, const char *key, double fallback)
{
    char pattern[32];
    snprintf(pattern, sizeof pattern, "%s=", key);
    for (const char *at = path; (at = strstr(at, pattern)) != NULL; at++)
        if (at > path && (at[-1] == ':' || at[-1] == ','))
            return strtod(at + strlen(pattern), NULL);
    return fallback;
}

fake_video fake_video_parse(const char *path)
{
    return (fake_video){
        .seed = (int64_t)option(path, "seed", 1),
        .frames = (int64_t)option(path, "frames", 0),
        .fail = (int64_t)option(path, "fail", -1),
        .blind = (int64_t)option(path, "blind", -1),
        .jump = (int64_t)option(path, "jump", -1),
        .height = (int)option(path, "height", 4),
        .width = (int)option(path, "width", 6),
        .delay = (int)option(path, "delay", 0),
        .begun = (int)option(path, "begun", 0),
        .why = (int)option(path, "why", 0),
        .threads = (int)option(path, "threads", 0),
        .fps = option(path, "fps", 30),
        .is_float = option(path, "float", 0) != 0,
        .refuse = option(path, "refuse", 0) != 0,
        .partial = option(path, "partial", 0) != 0,
        .jitter = option(path, "jitter", 0) != 0,
    };
}

size_t fake_video_bytes(const fake_video *video)
{
    return (size_t)video->height * (size_t)video->width * 3 * (video->is_float ? 4 : 1);
}

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

double fake_video_pts(const fake_video *video, int64_t frame)
{
    double uneven = video->jitter ? 0.7 * (double)(mix((uint64_t)(frame + 77 * video->seed)) % 1000) / 1000 : 0;
    double late = video->jump >= 0 && frame >= video->jump ? 100 * 3600.0 : 0;
    return 0.5 + late + ((double)frame + uneven) / video->fps;
}

void fake_video_pixels(const fake_video *video, int64_t frame, void *out)
{
    unsigned char *bytes = out;
    uint64_t state = mix((uint64_t)video->seed * 1000003u + (uint64_t)frame);
    for (size_t i = 0; i < fake_video_bytes(video); i++) {
        bytes[i] = (unsigned char)(state >> 56);
        state = mix(state);
    }
}

// The wait ends eventually, so that a failing test can report its counts.
static void wait_for_others(int begun)
{
    for (int i = 0; i < 20000 && atomic_load(&fake_counts.begun) < begun; i++)
        usleep(1000);
}

static tub_status fake_open(const char *path, const tub_video_params *params, void **out, tub_error *err)
{
    *out = NULL;
    fake_video video = fake_video_parse(path);
    atomic_fetch_add(&fake_counts.begun, 1);
    wait_for_others(video.begun);
    if (video.refuse)
        return tub_fail(err, TUB_ERROR_VIDEO, "%s: refused", path);
    if (video.threads > 0 && video.threads != params->threads)
        return tub_fail(err, TUB_ERROR_VIDEO, "%s: %d threads are asked for", path, params->threads);
    source *s = calloc(1, sizeof *s);
    s->video = video;
    s->gpu = params->gpu;
    s->wants = params->wants;
    s->user = params->user;
    atomic_fetch_add(&fake_counts.decoders[params->gpu % FAKE_GPUS], 1);
    s->planes = malloc(fake_video_bytes(&video));
    s->converted = calloc((size_t)video.frames + 1, sizeof *s->converted);
    snprintf(s->path, sizeof s->path, "%s", path);
    *out = s;
    int open = atomic_fetch_add(&fake_counts.open, 1) + 1, most = atomic_load(&fake_counts.most_open);
    while (open > most && !atomic_compare_exchange_weak(&fake_counts.most_open, &most, open))
        ;
    return TUB_OK;
}

// About every other frame is one that no other frame refers to.
static bool leaves_out(const source *s, int64_t frame)
{
    const fake_video *v = &s->video;
    if (!s->wants || frame == 0 || frame + 1 >= v->frames || mix((uint64_t)frame) % 2)
        return false;
    const int64_t next = frame + 1 + (int64_t)(mix((uint64_t)frame) / 2 % 2);
    const tub_frame_place place = {.index = frame,
                                   .first = fake_video_pts(v, 0),
                                   .pts = fake_video_pts(v, frame),
                                   .next_most = fake_video_pts(v, next)};
    return !s->wants(s->user, &place);
}

static tub_status fake_next(void *opaque, tub_frame *out, tub_error *err)
{
    source *s = opaque;
    if (s->video.delay)
        usleep((useconds_t)s->video.delay);
    if (s->next == s->video.fail)
        return tub_fail(err, TUB_ERROR_VIDEO, "broken at frame %lld", (long long)s->next);
    if (s->next == s->video.frames) {
        s->ended = true;
        return TUB_END;
    }
    *out = (tub_frame){.index = s->next,
                       .pts = fake_video_pts(&s->video, s->next),
                       .duration = 1 / s->video.fps,
                       .left_out = leaves_out(s, s->next)};
    s->left_out = out->left_out;
    s->left_out_count += out->left_out;
    atomic_fetch_add(&fake_counts.left_out, out->left_out);
    s->next++;
    atomic_fetch_add(&fake_counts.decoded, 1);
    return TUB_OK;
}

static void fake_pixels(const void *opaque, int *height, int *width, bool *is_float, size_t *bytes)
{
    const source *s = opaque;
    *height = s->video.height;
    *width = s->video.width;
    *is_float = s->video.is_float;
    *bytes = fake_video_bytes(&s->video);
}

static tub_status fake_convert(void *opaque, void *out, tub_error *err)
{
    source *s = opaque;
    int64_t frame = s->next - 1;
    if (s->left_out)
        return tub_fail(err, TUB_ERROR_INTERNAL, "%s: frame %lld was left out", s->path, (long long)frame);
    if (frame == s->video.blind)
        return tub_fail(err, TUB_ERROR_VIDEO, "%s: can't convert frame %lld", s->path, (long long)frame);
    fake_video_pixels(&s->video, frame, out);
    atomic_fetch_add(&fake_counts.converted, 1);
    if (s->converted[frame])
        atomic_fetch_add(&fake_counts.repeated, 1);
    s->converted[frame] = true;
    return TUB_OK;
}

// The planes are the pixels themselves.
static tub_status fake_planes(void *opaque, bool with_host, const tub_frame_recipe **recipe, tub_frame_planes *planes,
                              tub_error *err)
{
    static const tub_frame_recipe none;
    source *s = opaque;
    const bool on_device = s->gpu && !s->video.why;
    (void)err;
    if (!on_device && !with_host)
        return TUB_END;
    fake_video_pixels(&s->video, s->next - 1, s->planes);
    *recipe = &none;
    *planes = (tub_frame_planes){.on_device = on_device, .planes = {s->planes}};
    return TUB_OK;
}

static void fake_info(const void *opaque, tub_video_info *out)
{
    const source *s = opaque;
    memset(out, 0, sizeof *out);
    out->width = s->video.width;
    out->height = s->video.height;
    out->fps = s->video.fps;
    out->frames = s->next;
    out->frames_left_out = s->left_out_count;
    out->complete = s->ended;
    out->partial = s->video.partial;
    if (s->gpu && s->video.why)
        snprintf(out->why_not_gpu, sizeof out->why_not_gpu, "reason %d", s->video.why);
    if (s->video.partial)
        snprintf(out->reason, sizeof out->reason, "some damage");
}

static void fake_seconds(const void *opaque, double *open, double *decode, double *convert)
{
    const source *s = opaque;
    *open = 0.25;
    *decode = 0.001 * (double)s->next;
    *convert = 0.0005 * (double)s->next;
}

static void fake_close(void **opaque)
{
    source *s = *opaque;
    atomic_fetch_sub(&fake_counts.open, 1);
    free(s->planes);
    free(s->converted);
    free(s);
    *opaque = NULL;
}

const tub_source_ops fake_source = {
    .open = fake_open,
    .next = fake_next,
    .pixels = fake_pixels,
    .convert = fake_convert,
    .planes = fake_planes,
    .info = fake_info,
    .seconds = fake_seconds,
    .close = fake_close,
};
