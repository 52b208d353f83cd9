#include "gpu_algorithms.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "atomic_file.h"
#include "cache_path.h"
#include "fail.h"
#include "half.h"

enum {
    CANONICAL_ROWS = 8192,
    SAMPLE_ROWS = 128, // compared at the top and at the bottom
    RUNS = 5,          // timed
    EVENT_FROM = 2,
    EVENT_TO = 3,
    FILE_MOST = 1 << 20,
};

typedef struct shape {
    int m, n, k, flags;
} shape;

typedef struct choice {
    shape shape;
    tub_gpu_algorithm algorithm;
    bool checked; // by this process
} choice;

struct tub_gpu_choices {
    bool tune, changed;
    char *path; // NULL: nowhere to keep them
    choice *list;
    size_t count, capacity;
};

static shape shape_of(const tub_gpu_gemm *g)
{
    const int flags = (int)g->type | (int)g->out_type << 2 | g->tf32 << 4 | g->gelu_tanh << 5 | g->has_bias << 6 |
                      g->has_residual << 7;
    return (shape){g->m, g->n, g->k, flags};
}

static choice *find(tub_gpu_choices *c, const shape *s)
{
    for (size_t i = 0; i < c->count; i++)
        if (memcmp(&c->list[i].shape, s, sizeof *s) == 0)
            return &c->list[i];
    return NULL;
}

static tub_status keep(tub_gpu_choices *c, const shape *s, const tub_gpu_algorithm *a, bool checked, tub_error *err)
{
    choice *place = find(c, s);
    if (!place) {
        if (!tub_grow((void **)&c->list, &c->capacity, c->count + 1, sizeof *c->list))
            return tub_fail_memory(err, "the list of algorithms");
        place = &c->list[c->count++];
    }
    *place = (choice){*s, *a, checked};
    return TUB_OK;
}

// ---- the file ----

static char *file_of(const char *key)
{
    char name[128];
    return snprintf(name, sizeof name, "gpu-%s.txt", key) < (int)sizeof name ? tub_cache_path(name) : NULL;
}

static bool read_line(const char *line, shape *s, tub_gpu_algorithm *a)
{
    int at = 0;
    if (sscanf(line, "%d %d %d %d :%n", &s->m, &s->n, &s->k, &s->flags, &at) != 4 || at == 0)
        return false;
    for (int i = 0; i < 8; i++) {
        int length = 0;
        if (sscanf(line + at, " %16" SCNx64 "%n", &a->data[i], &length) != 1)
            return false;
        at += length;
    }
    return true;
}

// Lines that can't be read are left out.
static tub_status read_choices(tub_gpu_choices *c, tub_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    if (tub_read_file(c->path, FILE_MOST, &text, &bytes, NULL) != TUB_OK)
        return TUB_OK;
    tub_status status = TUB_OK;
    for (char *line = text; line && *line && status == TUB_OK;) {
        char *next = strchr(line, '\n');
        shape s;
        tub_gpu_algorithm a;
        if (next)
            *next++ = 0;
        if (read_line(line, &s, &a))
            status = keep(c, &s, &a, false, err);
        line = next;
    }
    tub_free(text);
    return status;
}

tub_status tub_gpu_choices_open(const char *key, bool tune, tub_gpu_choices **out, tub_error *err)
{
    tub_gpu_choices *c = *out = tub_calloc(1, sizeof *c);
    if (!c)
        return tub_fail_memory(err, "the list of algorithms");
    c->tune = tune;
    c->path = tune ? file_of(key) : NULL;
    return c->path ? read_choices(c, err) : TUB_OK;
}

void tub_gpu_choices_close(tub_gpu_choices **choices)
{
    if (!choices || !*choices)
        return;
    tub_free((*choices)->path);
    tub_free((*choices)->list);
    tub_free(*choices);
    *choices = NULL;
}

static size_t write_line(char *to, const choice *c)
{
    const shape *s = &c->shape;
    size_t at = (size_t)sprintf(to, "%d %d %d %d :", s->m, s->n, s->k, s->flags);
    for (int i = 0; i < 8; i++)
        at += (size_t)sprintf(to + at, " %016" PRIx64, c->algorithm.data[i]);
    to[at++] = '\n';
    return at;
}

tub_status tub_gpu_choices_save(tub_gpu_choices *c, tub_error *err)
{
    enum { LINE_MOST = 4 * 12 + 8 * 17 + 4 };
    if (!c->path || !c->changed)
        return TUB_OK;
    char *text = tub_alloc_aligned(c->count, LINE_MOST), *folder = tub_strdup(c->path);
    if (!text || !folder) {
        tub_free(text);
        tub_free(folder);
        return tub_fail_memory(err, "the list of algorithms");
    }
    size_t bytes = 0;
    for (size_t i = 0; i < c->count; i++)
        bytes += write_line(text + bytes, &c->list[i]);
    *strrchr(folder, '/') = 0;
    if (tub_make_folder(folder, NULL) == TUB_OK && tub_atomic_save(c->path, text, bytes, NULL) == TUB_OK)
        c->changed = false;
    tub_free(text);
    tub_free(folder);
    return TUB_OK;
}

// ---- measuring ----

// One product on random values, and what the algorithm that is right made of it.
typedef struct trial {
    tub_backend *b;
    const tub_gpu_gemm *gemm;
    size_t sample_bytes, residual_bytes;
    int sample;        // rows
    char *right, *got; // [2][sample_bytes], top and bottom
    void *block;       // random rows, [sample] of x or of the residual
} trial;

static size_t element_bytes(tub_gpu_type type)
{
    return type == TUB_GPU_F32 ? sizeof(float) : type == TUB_GPU_E4M3 ? 1 : sizeof(uint16_t);
}

static float random_value(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (float)((double)(*state >> 40) / (1 << 23) - 1.0);
}

static void fill(void *out, tub_gpu_type type, size_t count)
{
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < count; i++) {
        const float x = random_value(&state);
        if (type == TUB_GPU_F32)
            ((float *)out)[i] = x;
        else if (type == TUB_GPU_E4M3)
            // Of any size: products of numbers near to each other can be added up in any order.
            ((uint8_t *)out)[i] = (uint8_t)((x < 0 ? 0x80 : 0) | (int)(fabsf(x) * 126.0f));
        else
            ((uint16_t *)out)[i] = type == TUB_GPU_F16 ? tub_to_f16(x) : tub_to_bf16(x);
    }
}

static tub_status settle(const trial *t, tub_error *err)
{
    TUB_TRY(t->b->ops->record(t->b->gpu, EVENT_TO, TUB_GPU_COMPUTE, err));
    return t->b->ops->settle(t->b->gpu, EVENT_TO, err);
}

static tub_status bring_scales(const trial *t, tub_error *err)
{
    const tub_gpu_gemm *g = t->gemm;
    TUB_TRY(settle(t, err)); // the block is read
    for (int i = 0; i < t->sample; i++)
        ((float *)t->block)[i] = 1.0f;
    for (int i = 0; i < g->m; i += t->sample) {
        const int rows = g->m - i < t->sample ? g->m - i : t->sample;
        TUB_TRY(t->b->ops->upload(t->b->gpu, TUB_GPU_COMPUTE, (float *)g->x_scales + i, t->block,
                                  (size_t)rows * sizeof(float), err));
    }
    return settle(t, err);
}

static tub_status bring_factors(const trial *t, tub_error *err)
{
    const tub_gpu_gemm *g = t->gemm;
    const size_t row = (size_t)g->k * element_bytes(g->type);
    fill(t->block, g->type, (size_t)t->sample * (size_t)g->k);
    for (int i = 0; i < g->m; i += t->sample) {
        const int rows = g->m - i < t->sample ? g->m - i : t->sample;
        TUB_TRY(t->b->ops->upload(t->b->gpu, TUB_GPU_COMPUTE, (char *)g->x + (size_t)i * row, t->block,
                                  (size_t)rows * row, err));
    }
    return g->type == TUB_GPU_E4M3 ? bring_scales(t, err) : settle(t, err);
}

// The residual may be what the product overwrites: it is brought anew.
static tub_status bring_residual(const trial *t, tub_error *err)
{
    const tub_gpu_gemm *g = t->gemm;
    if (!g->has_residual)
        return TUB_OK;
    fill(t->block, TUB_GPU_F32, (size_t)t->sample * (size_t)g->n);
    char *top = (char *)g->residual, *bottom = top + (size_t)(g->m - t->sample) * (size_t)g->n * sizeof(float);
    TUB_TRY(t->b->ops->upload(t->b->gpu, TUB_GPU_COMPUTE, top, t->block, t->residual_bytes, err));
    TUB_TRY(t->b->ops->upload(t->b->gpu, TUB_GPU_COMPUTE, bottom, t->block, t->residual_bytes, err));
    return settle(t, err);
}

// TUB_END: this algorithm doesn't compute this product.
static tub_status compute(const trial *t, const tub_gpu_algorithm *a, char *out, tub_error *err)
{
    const tub_gpu_gemm *g = t->gemm;
    const size_t row = (size_t)g->n * element_bytes(g->out_type);
    TUB_TRY(bring_residual(t, err));
    TUB_TRY(t->b->ops->multiply(t->b->gpu, g, a, err));
    TUB_TRY(t->b->ops->download(t->b->gpu, TUB_GPU_COMPUTE, out, g->out, t->sample_bytes, err));
    TUB_TRY(t->b->ops->download(t->b->gpu, TUB_GPU_COMPUTE, out + t->sample_bytes,
                                (const char *)g->out + (size_t)(g->m - t->sample) * row, t->sample_bytes, err));
    return settle(t, err);
}

static tub_status is_right(const trial *t, const tub_gpu_algorithm *a, bool *right, tub_error *err)
{
    *right = false;
    const tub_status status = compute(t, a, t->got, err);
    if (status == TUB_OK)
        *right = memcmp(t->got, t->right, 2 * t->sample_bytes) == 0;
    return status == TUB_END ? TUB_OK : status;
}

static tub_status time_of(const trial *t, const tub_gpu_algorithm *a, double *milliseconds, tub_error *err)
{
    const tub_backend *b = t->b;
    TUB_TRY(b->ops->record(b->gpu, EVENT_FROM, TUB_GPU_COMPUTE, err));
    for (int i = 0; i < RUNS; i++)
        TUB_TRY(b->ops->multiply(b->gpu, t->gemm, a, err));
    TUB_TRY(settle(t, err));
    return b->ops->elapsed(b->gpu, EVENT_FROM, EVENT_TO, milliseconds, err);
}

static tub_status measure(const trial *t, tub_gpu_algorithm *best, tub_error *err)
{
    tub_gpu_algorithm candidates[TUB_GPU_ALGORITHMS];
    int count = 0;
    double least, time;
    TUB_TRY(time_of(t, best, &least, err));
    TUB_TRY(t->b->ops->algorithms(t->b->gpu, t->gemm, candidates, &count, err));
    for (int i = 0; i < count; i++) {
        bool right;
        TUB_TRY(is_right(t, &candidates[i], &right, err));
        if (!right)
            continue;
        TUB_TRY(time_of(t, &candidates[i], &time, err));
        if (time < least) {
            least = time;
            *best = candidates[i];
        }
    }
    return TUB_OK;
}

static tub_status choose(const trial *t, tub_gpu_algorithm *a, tub_error *err)
{
    tub_gpu_choices *c = t->b->choices;
    const shape s = shape_of(t->gemm);
    const choice *known = find(c, &s);
    TUB_TRY(bring_factors(t, err));
    const tub_status status = compute(t, a, t->right, err);
    if (status != TUB_OK)
        return status;
    if (known) {
        bool right;
        TUB_TRY(is_right(t, &known->algorithm, &right, err));
        if (right) {
            *a = known->algorithm;
            return keep(c, &s, a, true, err);
        }
    }
    TUB_TRY(measure(t, a, err));
    c->changed = true;
    return keep(c, &s, a, true, err);
}

static tub_status try_out(tub_backend *b, const tub_gpu_gemm *g, tub_gpu_algorithm *a, tub_error *err)
{
    trial t = {.b = b, .gemm = g, .sample = g->m < SAMPLE_ROWS ? g->m : SAMPLE_ROWS};
    const size_t wide = (size_t)(g->k > g->n ? g->k : g->n);
    t.sample_bytes = (size_t)t.sample * (size_t)g->n * element_bytes(g->out_type);
    t.residual_bytes = (size_t)t.sample * (size_t)g->n * sizeof(float);
    t.right = tub_alloc_aligned(2, t.sample_bytes);
    t.got = tub_alloc_aligned(2, t.sample_bytes);
    t.block = tub_alloc_aligned((size_t)t.sample * wide, sizeof(float));
    const tub_status status = t.right && t.got && t.block ? choose(&t, a, err) : tub_fail_memory(err, "a measurement");
    tub_free(t.right);
    tub_free(t.got);
    tub_free(t.block);
    return status;
}

// The library's advice for a product of `m` rows.
static tub_status advice(tub_backend *b, const tub_gpu_gemm *gemm, int m, tub_gpu_algorithm *out, tub_error *err)
{
    tub_gpu_algorithm algorithms[TUB_GPU_ALGORITHMS];
    tub_gpu_gemm g = *gemm;
    int count = 0;
    g.m = m;
    TUB_TRY(b->ops->algorithms(b->gpu, &g, algorithms, &count, err));
    if (count == 0)
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "cuBLASLt computes no product of %d columns by %d here: take --dtype f32", g.n, g.k);
    *out = algorithms[0];
    return TUB_OK;
}

tub_status tub_gpu_can_multiply(tub_backend *b, const tub_gpu_gemm *gemm, bool *out, tub_error *err)
{
    tub_gpu_algorithm algorithms[TUB_GPU_ALGORITHMS];
    tub_gpu_gemm g = *gemm;
    int count = 0;
    g.m = CANONICAL_ROWS;
    TUB_TRY(b->ops->algorithms(b->gpu, &g, algorithms, &count, err));
    *out = count > 0;
    return TUB_OK;
}

tub_status tub_gpu_choose_algorithm(tub_backend *b, const tub_gpu_gemm *gemm, tub_gpu_algorithm *out, tub_error *err)
{
    tub_gpu_choices *c = b->choices;
    const shape s = shape_of(gemm);
    const choice *known = find(c, &s);
    if (known && known->checked) {
        *out = known->algorithm;
        return TUB_OK;
    }
    TUB_TRY(advice(b, gemm, CANONICAL_ROWS, out, err));
    tub_status status = c->tune ? try_out(b, gemm, out, err) : b->ops->serves(b->gpu, gemm, out, err);
    if (status == TUB_END) // the canonical algorithm doesn't compute this shape
        status = advice(b, gemm, gemm->m, out, err);
    else if (c->tune)
        return status;
    return status == TUB_OK ? keep(c, &s, out, true, err) : status;
}
