#include "toy_videos.h"

#include <dirent.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "atomic_file.h"
#include "encoder_impl.h"
#include "fail.h"

enum { SIDE = 4, PIXELS = SIDE * SIDE * 3 };

typedef struct toy {
    long frames, seed, next;
    bool partial, slow;
} toy;

static long word(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtol(at + strlen(key), NULL, 10) : 0;
}

static tub_status toy_open(const char *path, const tub_video_params *params, void **out, tub_error *err)
{
    (void)params;
    char *text = NULL;
    size_t bytes;
    *out = NULL;
    TUB_TRY(tub_read_file(path, 1 << 20, &text, &bytes, err));
    toy t = {.frames = word(text, "frames="), .seed = word(text, "seed="), .partial = strstr(text, "partial") != NULL,
             .slow = strstr(text, "slow") != NULL};
    bool bad = strstr(text, "bad") != NULL, away = strstr(text, "away") != NULL;
    tub_free(text);
    if (away)
        return tub_fail(err, TUB_ERROR_INPUT, "%s: can't be opened: Stale file handle", path);
    if (bad || t.frames < 1)
        return tub_fail(err, TUB_ERROR_VIDEO, "%s: nothing in it can be decoded", path);
    toy *copy = tub_calloc(1, sizeof *copy);
    if (!copy)
        return tub_fail_memory(err, path);
    *copy = t;
    *out = copy;
    return TUB_OK;
}

static void rest(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

static tub_status toy_next(void *source, tub_frame *out, tub_error *err)
{
    (void)err;
    toy *t = source;
    if (t->next >= t->frames)
        return TUB_END;
    if (t->slow)
        rest(0.02);
    *out = (tub_frame){.index = t->next, .pts = (double)t->next / 25, .duration = 0.04};
    t->next++;
    return TUB_OK;
}

static void toy_pixels(const void *source, int *height, int *width, bool *is_float, size_t *bytes)
{
    (void)source;
    *height = *width = SIDE;
    *is_float = false;
    *bytes = PIXELS;
}

static tub_status toy_convert(void *source, void *out, tub_error *err)
{
    (void)err;
    const toy *t = source;
    uint8_t *to = out;
    uint32_t state = (uint32_t)(t->seed * 7919 + t->next * 104729 + 1);
    for (int i = 0; i < PIXELS; i++) {
        state = state * 1664525u + 1013904223u;
        to[i] = (uint8_t)(state >> 24);
    }
    return TUB_OK;
}

static void toy_info(const void *source, tub_video_info *out)
{
    const toy *t = source;
    *out = (tub_video_info){.width = SIDE, .height = SIDE, .fps = 25, .duration = (double)t->frames / 25,
                            .frames = t->next, .complete = t->next == t->frames, .partial = t->partial};
    if (t->partial)
        snprintf(out->reason, sizeof out->reason, "it ends early");
}

static void toy_seconds(const void *source, double *open, double *decode, double *convert)
{
    (void)source;
    *open = 0.25;
    *decode = 0.5;
    *convert = 0.125;
}

static void toy_close(void **source)
{
    tub_free(*source);
    *source = NULL;
}

const tub_source_ops toy_source = {.open = toy_open, .next = toy_next, .pixels = toy_pixels, .convert = toy_convert,
                                   .info = toy_info, .seconds = toy_seconds, .close = toy_close};

typedef struct toy_model {
    tub_encoder base;
    double delay;
} toy_model;

static tub_status encode(tub_encoder *encoder, const void *const *frames, int items, float *rows, float *tokens,
                         tub_error *err)
{
    (void)tokens;
    (void)err;
    const toy_model *model = (const toy_model *)encoder;
    if (model->delay > 0)
        rest(model->delay);
    for (int i = 0; i < items; i++)
        for (int c = 0; c < TOY_DIM; c++) {
            float sum = 0;
            for (int f = 0; f < TOY_CLIP; f++)
                sum += (float)((const uint8_t *)frames[i * TOY_CLIP + f])[c] * (float)(f + 1);
            rows[i * TOY_DIM + c] = sum / 7;
        }
    return TUB_OK;
}

static void close_encoder(tub_encoder *encoder)
{
    tub_free(encoder);
}

tub_encoder *toy_encoder(double delay)
{
    static const tub_encoder_ops ops = {.run = encode, .close = close_encoder};
    toy_model *model = tub_calloc(1, sizeof *model);
    if (!model)
        return NULL;
    model->delay = delay;
    model->base.ops = &ops;
    model->base.info = (tub_encoder_info){.family = "toy", .backend = "reference", .device = "cpu",
        .feature = "sums of pixels", .isa = "scalar", .frames = TOY_CLIP, .clip_length = TOY_CLIP, .dim = TOY_DIM,
        .tokens = 1, .token_dim = TOY_DIM, .height = SIDE, .width = SIDE, .dtype = TUB_F32, .batch = 3, .eager = true,
        .pixel_bytes = PIXELS,
        .transform = {.resize = TUB_RESIZE_EXACT, .height = SIDE, .width = SIDE, .interpolation = TUB_BILINEAR,
                      .rescale = true, .scale = 1 / 255.0f, .normalize = true, .mean = {0.485f, 0.456f, 0.406f},
                      .std = {0.229f, 0.224f, 0.225f}},
        .model_hash = "0123456789abcdef0123456789abcdef", .flops = 1};
    return &model->base;
}

char *toy_folder(void)
{
    static char path[64];
    const char *base = getenv("TMPDIR");
    snprintf(path, sizeof path, "%.40s/toy-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path))
        return NULL;
    mkdir(toy_path(path, "videos"), 0777);
    return path;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

void toy_remove(const char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

char *toy_path(const char *folder, const char *name)
{
    static char paths[8][1024];
    static int turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void toy_write(const char *folder, const char *name, const char *format, ...)
{
    FILE *file = fopen(toy_path(folder, name), "w");
    if (!file)
        return;
    va_list args;
    va_start(args, format);
    vfprintf(file, format, args);
    va_end(args);
    fclose(file);
}

bool toy_exists(const char *folder, const char *name)
{
    return access(toy_path(folder, name), F_OK) == 0;
}

char *toy_read(const char *folder, const char *name)
{
    char *text = NULL;
    size_t bytes;
    if (tub_read_file(toy_path(folder, name), 1 << 26, &text, &bytes, NULL) != TUB_OK)
        return tub_strdup("");
    return text;
}

static int is_array(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 4 && strcmp(entry->d_name + length - 4, ".npy") == 0;
}

int toy_digest(const char *folder, char out[TUB_HASH_TEXT])
{
    struct dirent **found = NULL;
    tub_hash *hash = tub_hash_create();
    int count = scandir(folder, &found, is_array, alphasort);
    for (int i = 0; i < count; i++) {
        char *data = NULL;
        size_t bytes = 0;
        tub_hash_update(hash, found[i]->d_name, strlen(found[i]->d_name));
        if (tub_read_file(toy_path(folder, found[i]->d_name), 1 << 26, &data, &bytes, NULL) == TUB_OK)
            tub_hash_update(hash, data, bytes);
        tub_free(data);
        free(found[i]);
    }
    free(found);
    tub_hash_text(hash, out);
    tub_hash_destroy(&hash);
    return count;
}

int toy_count_temporary(const char *folder)
{
    DIR *d = opendir(folder);
    int count = 0;
    if (!d)
        return 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        count += strstr(e->d_name, ".tmp") != NULL;
    closedir(d);
    return count;
}
