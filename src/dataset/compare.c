#include <math.h>
#include <string.h>

#include "fail.h"
#include "feature_array.h"
#include "feature_folder.h"
#include "name_text.h"
#include "params.h"
#include "row_compare.h"

enum { LAG_USUAL = 32, ROWS_LOOKED = 512 };

typedef struct tub_compare {
    const tub_compare_params *params;
    tub_compare_totals *totals;
    tub_feature_folder a, b;
    tub_grid grid_a, grid_b;
    tub_stem_map stems_a, stems_b; // to numbers of files
    bool *seen_b;
    double weight[2 * TUB_LAG_MOST + 1]; // number of rows in each lag's sum
} tub_compare;

static const tub_told *told_of(tub_feature_folder *f, const char *file)
{
    const char *text = tub_name_text(&f->arena, file);
    return text ? tub_told_find(&f->told, text) : NULL;
}

// The video's name; NULL on failure.
static const char *stem_of(tub_feature_folder *f, const char *file)
{
    const tub_told *told = told_of(f, file);
    const char *base;
    size_t length = tub_stem_of(told && told->video[0] ? told->video : file, &base);
    return tub_arena_text(&f->arena, base, length);
}

static tub_status index_stems(tub_feature_folder *f, tub_stem_map *stems, tub_error *err)
{
    for (size_t i = 0; i < f->listing.count; i++) {
        const char *stem = stem_of(f, f->listing.files[i]);
        if (!stem || !tub_stem_map_set(stems, stem, i))
            return tub_fail_memory(err, f->place.folder);
    }
    return TUB_OK;
}

// The file of B for the same video: by its name, or by the name with "v_" added or removed, unless that belongs to
// another file of A.
static tub_status find_other(tub_compare *c, const char *file, size_t *out, tub_error *err)
{
    const char *stem = stem_of(&c->a, file);
    *out = stem ? tub_stem_map_find(&c->stems_b, stem) : (size_t)TUB_NO_STEM;
    const char *other = *out != (size_t)TUB_NO_STEM ? stem_of(&c->b, c->b.listing.files[*out]) : "";
    if (!stem || !other)
        return tub_fail_memory(err, file);
    if (strcmp(stem, other) && tub_stem_map_get(&c->stems_a, other) != (size_t)TUB_NO_STEM)
        *out = (size_t)TUB_NO_STEM;
    return TUB_OK;
}

// Rows that divide each video's duration evenly can be compared only with the same number of such rows, not with rows
// on a grid of frames.
static tub_status check_lengths(const tub_compare *c, tub_error *err)
{
    int64_t a = c->a.fixed_rows, b = c->b.fixed_rows;
    bool told = (a || c->a.sampling.clip_length) && (b || c->b.sampling.clip_length);
    if (a == b || !told)
        return TUB_OK;
    return tub_fail(
        err, TUB_ERROR_ARGUMENT,
        "%s was resampled to %lld rows a video, %s to another length or not: compare folders of one length, or what "
        "they were made from",
        a ? c->params->a : c->params->b, (long long)(a ? a : b), a ? c->params->b : c->params->a);
}

static void take_grids(tub_compare *c)
{
    bool a = tub_feature_folder_grid(&c->a, &c->grid_a), b = tub_feature_folder_grid(&c->b, &c->grid_b);
    tub_compare_totals *t = c->totals;
    t->grid_known = a && b;
    t->lag_in_rows = !a && !b;
    if (!a && !b)
        c->grid_a = (tub_grid){.stride = 1};
    if (!a && b)
        c->grid_a = c->grid_b;
    if (!b)
        c->grid_b = c->grid_a;
    t->stride_a = c->grid_a.stride;
    t->stride_b = c->grid_b.stride;
    t->offset_a = c->grid_a.offset;
    t->offset_b = c->grid_b.offset;
    t->lag_most = c->params->lag_most ? c->params->lag_most : LAG_USUAL;
}

static double fps_of(tub_feature_folder *f, const char *file)
{
    const tub_told *told = told_of(f, file);
    return told && told->fps > 0 ? told->fps : f->sampling.fps;
}

static tub_status read_track(const tub_feature_folder *f, const char *file, const tub_grid *grid, tub_row_track *out,
                             tub_error *err)
{
    tub_feature_array array;
    float *values;
    char *path = tub_format("%s/%s", f->place.folder, file);
    if (!path)
        return tub_fail_memory(err, file);
    tub_status status = tub_feature_array_read(path, f->place.layout.key, &array, &values, err);
    tub_free(path);
    TUB_TRY(status);
    *out = (tub_row_track){
        .values = values, .rows = array.rows, .dim = array.dim, .stride = grid->stride, .offset = grid->offset};
    return TUB_OK;
}

// The lag that fits best, given sums over one video or over all. Ties go to the smaller lag.
static int best_lag(const double *cosines, const double *rows, int most)
{
    int best = 0;
    if (rows[most] == 0) // nothing to be better than
        return 0;
    for (int lag = 1; lag <= most; lag++)
        for (int sign = -1; sign <= 1; sign += 2) {
            int at = most + sign * lag;
            if (rows[at] > 0 && cosines[at] > cosines[most + best] + 1e-9)
                best = sign * lag;
        }
    return best;
}

static bool clearly_better(double best, double at_0)
{
    return 1 - best < 0.5 * (1 - at_0);
}

static tub_status look_for_lag(tub_compare *c, const tub_row_track *a, const tub_row_track *b, tub_comparison *out,
                               tub_error *err)
{
    int most = c->totals->lag_most;
    double cosines[2 * TUB_LAG_MOST + 1], rows[2 * TUB_LAG_MOST + 1];
    const int64_t kept = 2 + (b->rows < ROWS_LOOKED ? b->rows : ROWS_LOOKED);
    float *scratch = tub_calloc((size_t)(kept * a->dim), sizeof *scratch);
    if (!scratch)
        return tub_fail_memory(err, "rows to compare");
    for (int k = 0; k <= 2 * most; k++) {
        int64_t looked;
        cosines[k] = tub_rows_alike(a, b, scratch, k - most, ROWS_LOOKED, &looked);
        rows[k] = (double)looked;
        c->totals->lag_cosine[k] += cosines[k] * rows[k];
        c->weight[k] += rows[k];
    }
    tub_free(scratch);
    int best = best_lag(cosines, rows, most);
    out->cosine_at_0 = cosines[most];
    if (!clearly_better(cosines[most + best], cosines[most]))
        best = 0;
    out->lag = best;
    out->lag_cosine = cosines[most + best];
    return TUB_OK;
}

static void take_sums(tub_compare *c, const tub_row_sums *s, tub_comparison *out)
{
    tub_compare_totals *t = c->totals;
    double rows = (double)s->rows;
    out->rows = s->rows;
    out->cosine = s->rows ? s->cosine / rows : NAN;
    out->least_cosine = s->rows ? s->least : NAN;
    out->max_abs = s->rows ? s->largest : NAN;
    out->relative = s->size > 0 ? sqrt(s->difference / s->size) : s->difference > 0 ? INFINITY : 0;
    out->equal = s->rows == out->rows_a && s->rows == out->rows_b && s->equal == s->rows;
    t->videos++;
    t->equal += out->equal;
    t->rows += s->rows;
    t->cosine += s->cosine;
    t->least_cosine = fmin(t->least_cosine, s->least);
    t->max_abs = fmax(t->max_abs, s->largest);
}

// If the frame rates differ, B's positions are given in A's frames.
static void match_rates(tub_compare *c, const char *file_a, const char *file_b, tub_row_track *b)
{
    double fps_a = fps_of(&c->a, file_a), fps_b = fps_of(&c->b, file_b);
    if (!c->totals->fps)
        c->totals->fps = fps_a;
    if (fps_a > 0 && fps_b > 0 && c->totals->grid_known) {
        b->stride *= fps_a / fps_b;
        b->offset *= fps_a / fps_b;
    }
}

static tub_status compare_tracks(tub_compare *c, const tub_row_track *a, const tub_row_track *b, tub_comparison *out,
                                 tub_error *err)
{
    tub_row_sums sums;
    out->rows_a = a->rows;
    out->rows_b = b->rows;
    if (a->dim != b->dim)
        return tub_fail(err, TUB_ERROR_INPUT, "C is %lld in A and %lld in B", (long long)a->dim, (long long)b->dim);
    if (!a->rows || !b->rows)
        return tub_fail(err, TUB_ERROR_INPUT, "no rows");
    tub_rows_compare(a, b, &sums);
    TUB_TRY(look_for_lag(c, a, b, out, err));
    take_sums(c, &sums, out);
    return TUB_OK;
}

static tub_status compare_files(tub_compare *c, const char *file_a, const char *file_b, tub_error *err)
{
    tub_row_track a = {0}, b = {0};
    tub_comparison out = {.file_a = file_a, .file_b = file_b};
    tub_error why;
    tub_status status = read_track(&c->a, file_a, &c->grid_a, &a, &why);
    if (status == TUB_OK)
        status = read_track(&c->b, file_b, &c->grid_b, &b, &why);
    if (status == TUB_OK) {
        match_rates(c, file_a, file_b, &b);
        status = compare_tracks(c, &a, &b, &out, &why);
    }
    tub_free((float *)a.values);
    tub_free((float *)b.values);
    if (status == TUB_ERROR_INPUT) { // concerns only these two files
        out.problem = why.text;
        c->totals->failed++;
    } else if (status != TUB_OK) {
        return tub_fail(err, status, "%s", why.text);
    }
    if (c->params->on_video)
        c->params->on_video(c->params->user, &out);
    return TUB_OK;
}

static void tell_lonely(const tub_compare *c, const char *a, const char *b)
{
    const tub_comparison out = {.file_a = a, .file_b = b, .problem = a ? "only in A" : "only in B"};
    if (c->params->on_video)
        c->params->on_video(c->params->user, &out);
}

static tub_status compare_all(tub_compare *c, tub_error *err)
{
    for (size_t i = 0; i < c->a.listing.count; i++) {
        const char *file = c->a.listing.files[i];
        size_t at;
        if (c->params->stop && *c->params->stop)
            return tub_fail(err, TUB_ERROR_CANCELLED, "stopped: %zu of %zu files were compared", i, c->a.listing.count);
        TUB_TRY(find_other(c, file, &at, err));
        if (at == (size_t)TUB_NO_STEM) {
            c->totals->only_a++;
            tell_lonely(c, file, NULL);
            continue;
        }
        c->seen_b[at] = true;
        TUB_TRY(compare_files(c, file, c->b.listing.files[at], err));
    }
    for (size_t i = 0; i < c->b.listing.count; i++)
        if (!c->seen_b[i]) {
            c->totals->only_b++;
            tell_lonely(c, NULL, c->b.listing.files[i]);
        }
    return TUB_OK;
}

static void conclude(tub_compare *c)
{
    tub_compare_totals *t = c->totals;
    int most = t->lag_most;
    for (int k = 0; k <= 2 * most; k++)
        t->lag_cosine[k] = c->weight[k] > 0 ? t->lag_cosine[k] / c->weight[k] : NAN;
    int best = best_lag(t->lag_cosine, c->weight, most);
    t->shifted = best && clearly_better(t->lag_cosine[most + best], t->lag_cosine[most]);
    t->lag = t->shifted ? best : 0;
    t->cosine = t->rows ? t->cosine / (double)t->rows : NAN;
}

static tub_status run(tub_compare *c, tub_error *err)
{
    const tub_compare_params *p = c->params;
    if (p->lag_most < 0 || p->lag_most > TUB_LAG_MOST)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "a lag of %d frames: at most %d", p->lag_most, TUB_LAG_MOST);
    TUB_TRY(tub_feature_folder_open(p->a, false, &c->a, err));
    TUB_TRY(tub_feature_folder_open(p->b, false, &c->b, err));
    TUB_TRY(check_lengths(c, err));
    TUB_TRY(index_stems(&c->a, &c->stems_a, err));
    TUB_TRY(index_stems(&c->b, &c->stems_b, err));
    c->seen_b = tub_calloc(c->b.listing.count, sizeof *c->seen_b);
    if (!c->seen_b)
        return tub_fail_memory(err, p->b);
    take_grids(c);
    c->totals->least_cosine = 1;
    TUB_TRY(compare_all(c, err));
    conclude(c);
    if (!c->totals->videos && !c->totals->failed)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s and %s: no video has features in both (%zu and %zu files)", p->a,
                        p->b, c->a.listing.count, c->b.listing.count);
    return TUB_OK;
}

tub_status tub_features_compare(const tub_compare_params *params, tub_compare_totals *totals, tub_error *err)
{
    if (!params)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "compare: two folders of features are needed");
    TUB_TRY(tub_check_size("tub_compare_params", params->size, sizeof *params, err));
    TUB_TRY(tub_check_given("tub_compare_params.a", params->a, err));
    TUB_TRY(tub_check_given("tub_compare_params.b", params->b, err));
    tub_compare_totals unwanted;
    tub_compare c = {.params = params, .totals = totals ? totals : &unwanted};
    *c.totals = (tub_compare_totals){0};
    tub_status status = run(&c, err);
    tub_free(c.seen_b);
    tub_stem_map_finish(&c.stems_a);
    tub_stem_map_finish(&c.stems_b);
    tub_feature_folder_finish(&c.a);
    tub_feature_folder_finish(&c.b);
    return status;
}
