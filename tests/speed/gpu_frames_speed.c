// gpu_frames_speed [FRAMES]: how long the first GPU takes from a decoded frame in its memory (NV12, as NVDEC leaves it)
// to patches in float16, through the plug-in's own kernel; for comparison, the rate of a kernel that only copies. One
// line per case; the time is per frame, of FRAMES (64), with as many at once as a launch takes. Bytes: of the frame and
// its patches.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_plugin.h"
#include "gpu_frame_tables.h"
#include "pixel_ops.h"

enum { SIDE = 224, PATCH = 16, REPEATS = 5, PITCH = 256, COPIED = 512 << 20 };

typedef struct bench {
    const tub_gpu_ops *ops;
    void *library;
    tub_gpu *gpu;
    int frames;
    bool cores;     // that multiply bytes
    double copying; // bytes per second
} bench;

static tub_error err;

static void check(tub_status status)
{
    if (status == TUB_OK)
        return;
    fprintf(stderr, "gpu_frames_speed: %s\n", err.text);
    exit(status == TUB_ERROR_DEVICE ? 6 : 1);
}

static void *allocate(const bench *b, size_t bytes)
{
    void *out = NULL;
    check(b->ops->allocate(b->gpu, bytes, &out, &err));
    return out;
}

static void *upload(const bench *b, const void *host, size_t bytes)
{
    void *out = allocate(b, bytes);
    check(b->ops->upload(b->gpu, TUB_GPU_COMPUTE, out, host, bytes, &err));
    check(b->ops->record(b->gpu, 0, TUB_GPU_COMPUTE, &err));
    check(b->ops->settle(b->gpu, 0, &err));
    return out;
}

// Seconds for all tasks in a row, the shortest of several tries.
static double time_tasks(const bench *b, const tub_gpu_task *tasks, int count)
{
    double best = 0;
    for (int i = 0; i <= REPEATS; i++) {
        double milliseconds = 0;
        check(b->ops->record(b->gpu, 0, TUB_GPU_COMPUTE, &err));
        for (int k = 0; k < count; k++)
            check(b->ops->launch(b->gpu, &tasks[k], &err));
        check(b->ops->record(b->gpu, 1, TUB_GPU_COMPUTE, &err));
        check(b->ops->settle(b->gpu, 1, &err));
        check(b->ops->elapsed(b->gpu, 0, 1, &milliseconds, &err));
        if (i == 1 || (i > 1 && milliseconds < best * 1e3)) // the first one loads the kernel
            best = milliseconds / 1e3;
    }
    return best;
}

static void measure_copying(bench *b, size_t bytes)
{
    void *from = allocate(b, bytes), *to = allocate(b, bytes);
    const tub_gpu_task task = {.kind = TUB_GPU_COPY_ROWS,
                               .copy_rows = {.a = from,
                                             .out = to,
                                             .a_rows = (int)(bytes >> 12),
                                             .items = 1,
                                             .rows = (int)(bytes >> 12),
                                             .bytes = 1 << 12}};
    const double seconds = time_tasks(b, &task, 1);
    b->copying = seconds > 0 ? 2 * (double)bytes / seconds : 0;
    b->ops->release(b->gpu, from);
    b->ops->release(b->gpu, to);
}

static void measure(const bench *b, const char *name, const tub_transform *t, int width, int height)
{
    tub_pixels *pixels = NULL;
    const tub_frame_recipe *recipe = NULL;
    check(tub_pixels_open(t, height, width, &pixels, &err));
    check(tub_pixels_recipe(pixels, &recipe, &err));
    tub_gpu_frame_tables made_tables;
    check(tub_gpu_frame_tables_make(recipe, b->cores, &made_tables, &err));
    const size_t pitch = ((size_t)width + PITCH - 1) / PITCH * PITCH, luma = pitch * (size_t)height,
                 frame = luma * 3 / 2;
    const size_t made = (size_t)3 * SIDE * SIDE * 2;
    const float levels[3 * 256] = {0};
    unsigned char *noise = malloc(frame * (size_t)b->frames);
    for (size_t i = 0; i < frame * (size_t)b->frames; i++)
        noise[i] = (unsigned char)(i * 2654435761u >> 13);
    unsigned char *planes = upload(b, noise, frame * (size_t)b->frames);
    void *tables = upload(b, made_tables.data, made_tables.bytes), *table = upload(b, levels, sizeof levels);
    char *out = allocate(b, made * (size_t)b->frames);
    const int launches = (b->frames + TUB_GPU_SURFACES - 1) / TUB_GPU_SURFACES;
    tub_gpu_task *tasks = calloc((size_t)launches, sizeof *tasks);
    for (int i = 0; i < launches; i++) {
        const int first = i * TUB_GPU_SURFACES, left = b->frames - first;
        tub_gpu_pixels *p = &tasks[i].pixels;
        tasks[i].kind = TUB_GPU_PIXELS;
        *p = (tub_gpu_pixels){.recipe = *recipe,
                              .form = {TUB_GPU_F16, PATCH, PATCH, table},
                              .by_words = true,
                              .count = left < TUB_GPU_SURFACES ? left : TUB_GPU_SURFACES};
        p->frame = (tub_frame_planes){.kind = TUB_PLANES_HALF,
                                      .paired = true,
                                      .on_device = true,
                                      .chroma_shift = 1,
                                      .bits = 8,
                                      .width = width,
                                      .height = height,
                                      .pitches = {(int64_t)pitch, (int64_t)pitch},
                                      .matrix = {128, 9539, 13075, -6660, -3209, 16525}};
        for (int k = 0; k < p->count; k++) {
            const unsigned char *at = planes + frame * (size_t)(first + k);
            p->surfaces[k] = (tub_gpu_surface){{at, at + luma}, out + made * (size_t)(first + k)};
        }
        p->recipe.tables = tables;
        tub_gpu_frame_tables_use(&made_tables, p);
    }
    const double seconds = time_tasks(b, tasks, launches) / b->frames;
    const double rate = seconds > 0 ? (double)((size_t)width * (size_t)height * 3 / 2 + made) / seconds : 0;
    printf("%s, %dx%d: %.2f us a frame; %.0f GB/s, %.0f %% of a copying kernel's\n", name, width, height, seconds * 1e6,
           rate / 1e9, b->copying > 0 ? 100 * rate / b->copying : 0);
    void *const blocks[] = {planes, tables, table, out};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        b->ops->release(b->gpu, blocks[i]);
    free(tasks);
    free(noise);
    tub_gpu_frame_tables_finish(&made_tables);
    tub_pixels_close(&pixels);
}

int main(int argc, char **argv)
{
    static const tub_transform soft = {.resize = TUB_RESIZE_SHORTEST,
                                       .height = SIDE,
                                       .interpolation = TUB_BILINEAR,
                                       .antialias = true,
                                       .crop_height = SIDE,
                                       .crop_width = SIDE,
                                       .std = {1, 1, 1}},
                               plain = {.resize = TUB_RESIZE_EXACT,
                                        .height = SIDE,
                                        .width = SIDE,
                                        .interpolation = TUB_BILINEAR,
                                        .domain = TUB_DOMAIN_FLOAT,
                                        .rescale = true,
                                        .scale = 1.0f / 255.0f,
                                        .std = {1, 1, 1}};
    tub_transform soft_floats = plain;
    bench b = {.frames = argc > 1 ? atoi(argv[1]) : 64};
    tub_gpu_facts facts;
    if (b.frames < 1)
        b.frames = 1;
    check(tub_cuda_plugin_load(&b.ops, &b.library, &err));
    check(b.ops->describe(0, &facts, &err));
    check(b.ops->open(0, true, &b.gpu, &err));
    b.cores = facts.code >= 80;
    measure_copying(&b, b.frames < 8 ? COPIED / 64 : COPIED);
    printf("%s: a copying kernel moves %.0f GB/s\n", facts.name, b.copying / 1e9);
    measure(&b, "antialiased, 8 bits", &soft, 854, 480);
    measure(&b, "plain, float", &plain, 854, 480);
    measure(&b, "plain, float", &plain, 1920, 1080);
    measure(&b, "antialiased, 8 bits", &soft, 1920, 1080);
    soft_floats.antialias = true;
    measure(&b, "antialiased, float", &soft_floats, 1920, 1080);
    b.ops->close(&b.gpu);
    tub_cuda_plugin_unload(b.library);
    return 0;
}
