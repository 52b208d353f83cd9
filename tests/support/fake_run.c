#include "fake_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "window_mean.h"

static void add_rows(fake_outcome *o, const tub_result *r)
{
    assert_false(o->done);
    assert_int_equal(r->first_row, o->count);
    assert_in_range(r->count, 1, 64);
    size_t have = (size_t)o->count * (size_t)r->dim, more = (size_t)r->count * (size_t)r->dim;
    o->rows = realloc(o->rows, (have + more) * sizeof *o->rows);
    memcpy(o->rows + have, r->rows, more * sizeof *o->rows);
    o->count += r->count;
    o->dim = r->dim;
}

static void take_in(const tub_result *r)
{
    fake_outcome *o = r->tag;
    if (r->kind == TUB_RESULT_ROWS) {
        add_rows(o, r);
        return;
    }
    assert_false(o->done);
    o->done = true;
    o->result = *r;
}

tub_status fake_run_all(fake_encoder *encoder, const tub_extractor_params *params, const char *const *paths, int count,
                        fake_outcome *outcomes, tub_progress *progress, tub_error *err)
{
    tub_extractor *x = NULL;
    int submitted = 0;
    if (count > 0)
        memset(outcomes, 0, (size_t)count * sizeof *outcomes);
    tub_status status = tub_extractor_open_source(&encoder->base, params, &fake_source, &x, err);
    while (status == TUB_OK) {
        while (submitted < count) {
            tub_job job = {.path = paths[submitted], .tag = &outcomes[submitted]};
            status = tub_extractor_submit(x, &job, err);
            if (status != TUB_OK)
                break;
            submitted++;
        }
        if (status != TUB_OK && status != TUB_AGAIN)
            break;
        if (submitted == count)
            tub_extractor_finish(x);
        tub_result r;
        status = tub_extractor_receive(x, &r, err);
        if (status == TUB_OK) {
            take_in(&r);
            tub_result_release(x, &r);
        }
    }
    if (progress && x)
        tub_extractor_progress(x, progress);
    tub_extractor_close(&x);
    return status;
}

void fake_outcomes_free(fake_outcome *outcomes, int count)
{
    for (int i = 0; i < count; i++)
        free(outcomes[i].rows);
}

// The source frame of each output frame, as resampler.h defines it.
static int64_t *resample(const fake_video *v, double fps, int64_t *frames)
{
    double first = fake_video_pts(v, 0);
    double end = fake_video_pts(v, v->frames - 1) + 1 / v->fps;
    int64_t n = fps > 0 ? 0 : v->frames;
    while (fps > 0 && first + ((double)n + 0.5) / fps < end)
        n++;
    n = n > 0 ? n : 1;
    int64_t *map = calloc((size_t)n, sizeof *map);
    for (int64_t k = 0, i = 0; k < n; k++) {
        while (fps > 0 && i + 1 < v->frames && fake_video_pts(v, i + 1) < first + ((double)k + 0.5) / fps)
            i++;
        map[k] = fps > 0 ? i : k;
    }
    *frames = n;
    return map;
}

static void mean_row(const fake_encoder *e, const void *const *frames, size_t count, float *row)
{
    const tub_encoder_info *info = &e->base.info;
    size_t dim = (size_t)info->dim;
    float *embeddings = calloc(count * dim, sizeof *embeddings);
    const float **each = calloc(count, sizeof *each);
    double *sum = calloc(dim, sizeof *sum);
    for (size_t i = 0; i < count; i++) {
        fake_encoder_row(frames + i, 1, info->pixel_bytes, info->dim, embeddings + i * dim);
        each[i] = embeddings + i * dim;
    }
    tub_window_mean(each, (int)count, info->dim, sum, row);
    free(sum);
    free(each);
    free(embeddings);
}

static void expected_row(const fake_encoder *e, const fake_video *v, const int64_t *sources, size_t count, float *row)
{
    const tub_encoder_info *info = &e->base.info;
    unsigned char *pixels = calloc(count, info->pixel_bytes);
    const void **pointers = calloc(count, sizeof *pointers);
    for (size_t i = 0; i < count; i++) {
        pointers[i] = pixels + i * info->pixel_bytes;
        fake_video_pixels(v, sources[i], pixels + i * info->pixel_bytes);
    }
    if (info->per_frame)
        mean_row(e, pointers, count, row);
    else
        fake_encoder_row(pointers, (int)count, info->pixel_bytes, info->dim, row);
    free(pointers);
    free(pixels);
}

float *fake_expected(const fake_encoder *encoder, const tub_sampling *s, const char *path, int64_t *frames,
                     int64_t *rows)
{
    fake_video v = fake_video_parse(path);
    int64_t *map = resample(&v, s->fps, frames);
    *rows = tub_sampling_rows(s, *frames);
    int dim = encoder->base.info.dim;
    size_t length = (size_t)s->clip_length;
    float *out = calloc((size_t)(*rows * dim), sizeof *out);
    int64_t *clip = calloc(length, sizeof *clip);
    for (int64_t r = 0; r < *rows; r++) {
        tub_sampling_clip(s, *frames, r, clip);
        for (size_t i = 0; i < length; i++)
            clip[i] = map[clip[i]];
        expected_row(encoder, &v, clip, length, out + r * dim);
    }
    free(clip);
    free(map);
    return out;
}

void fake_check_outcome(const fake_encoder *e, const tub_sampling *s, const char *path, const fake_outcome *o)
{
    int64_t frames = 0, rows = 0;
    if (o->result.status != TUB_OK)
        fail_msg("%s: %s", path, o->result.text);
    float *expected = fake_expected(e, s, path, &frames, &rows);
    assert_true(o->done);
    assert_int_equal(o->result.frames, frames);
    assert_int_equal(o->result.total_rows, rows);
    assert_int_equal(o->count, rows);
    assert_int_equal(o->result.is_short, frames < (int64_t)(s->clip_length - 1) * s->interval + 1);
    if (memcmp(o->rows, expected, (size_t)(rows * e->base.info.dim) * sizeof *expected) != 0)
        fail_msg("%s: other rows than computed directly", path);
    free(expected);
}

void fake_check(const fake_encoder_params *encoder, const tub_extractor_params *params, const char *const *paths,
                int count)
{
    fake_encoder *e = fake_encoder_create(encoder);
    fake_outcome *outcomes = calloc((size_t)count, sizeof *outcomes);
    tub_error err = {0};
    tub_sampling asked = params->sampling, s;
    asked.size = sizeof asked;
    if (!encoder->per_frame)
        asked.clip_length = e->base.info.frames;
    assert_int_equal(tub_sampling_resolve(&asked, 0, &s, &err), TUB_OK);
    tub_status status = fake_run_all(e, params, paths, count, outcomes, NULL, &err);
    if (status != TUB_END)
        fail_msg("the extractor ended with %s: %s", tub_status_name(status), err.text);
    for (int i = 0; i < count; i++)
        fake_check_outcome(e, &s, paths[i], &outcomes[i]);
    fake_outcomes_free(outcomes, count);
    free(outcomes);
    tub_encoder *base = &e->base;
    tub_encoder_close(&base);
}
