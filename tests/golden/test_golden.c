// The checkpoints of tests/data/golden through the public API, compared with what PyTorch computed in float64.
//
// Every case runs with each backend and type of this build; those that the machine doesn't support are skipped. Four
// numbers are printed for each array: largest absolute error, the same relative to the largest value, relative L2,
// and how many values are not finite. The bounds come from the case's meta.json (tools/make_goldens.py).
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <tubelet/tubelet.h>

#define FOLDER TEST_DATA "/data/golden"

enum { MOST_CASES = 64 };

typedef struct way {
    const char *backend;
    tub_dtype dtype;
} way;

static const way ways[] = {
    {"reference", TUB_F32},
    // On the fake GPU, which CTest sets; run by hand, on a real one if there is one.
    {"cuda", TUB_F32},
    {"cuda", TUB_TF32},
    {"cuda", TUB_F16},
    {"cuda", TUB_BF16},
#ifdef TUB_WITH_ONEDNN
    {"native", TUB_F32},
    {"native", TUB_BF16},
    {"onednn", TUB_F32},
    {"onednn", TUB_BF16},
#endif
};
enum { WAYS = sizeof ways / sizeof ways[0] };

typedef struct job {
    char folder[512];
    const char *name;
    const way *way;
} job;

typedef struct numbers {
    double max_abs, rel_max, rel_l2, least_cosine;
    int64_t not_finite;
} numbers;

static tub_array read_array(const char *folder, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    tub_array array;
    tub_error err = {0};
    if (tub_npy_read(path, &array, &err) != TUB_OK)
        fail_msg("%s", err.text);
    return array;
}

static int64_t count_of(const tub_array *a)
{
    int64_t n = 1;
    for (int i = 0; i < a->rank; i++)
        n *= a->dims[i];
    return n;
}

static double bound(const json_t *meta, const char *type, const char *key)
{
    const json_t *value = json_object_get(json_object_get(json_object_get(meta, "tolerance"), type), key);
    if (!json_is_real(value))
        fail_msg("meta.json: no tolerance %s.%s", type, key);
    return json_real_value(value);
}

static double cosine(const float *a, const float *b, int64_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < n; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

static numbers compare(const float *have, const tub_array *want)
{
    const float *w = want->data;
    int64_t count = count_of(want), row = want->dims[want->rank - 1];
    numbers n = {.least_cosine = 1};
    double largest = 0, difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(have[i])) {
            n.not_finite++;
            continue;
        }
        double d = (double)have[i] - w[i];
        n.max_abs = fmax(n.max_abs, fabs(d));
        largest = fmax(largest, fabs(w[i]));
        difference += d * d;
        norm += (double)w[i] * w[i];
    }
    for (int64_t i = 0; i + row <= count; i += row)
        n.least_cosine = fmin(n.least_cosine, cosine(have + i, w + i, row));
    n.rel_max = n.max_abs / largest;
    n.rel_l2 = sqrt(difference / norm);
    return n;
}

static numbers report(const job *j, const char *what, const float *have, const tub_array *want)
{
    numbers n = compare(have, want);
    print_message("%-27s %-9s %-4s %-8s max-abs %.2e  rel-max %.2e  rel-L2 %.2e  non-finite %lld\n", j->name,
                  j->way->backend, tub_dtype_name(j->way->dtype), what, n.max_abs, n.rel_max, n.rel_l2,
                  (long long)n.not_finite);
    return n;
}

// `key`: "feature" or "lhs".
static void expect(const job *j, const json_t *meta, const char *what, const char *key, const float *have,
                   const tub_array *want)
{
    numbers n = report(j, what, have, want);
    assert_int_equal(n.not_finite, 0);
    bool full = j->way->dtype == TUB_F32;
    char name[64];
    snprintf(name, sizeof name, "%s_%s", key, full ? "max_abs" : "rel_l2");
    double limit = bound(meta, full ? "fp32" : "bf16", name);
    double value = full ? n.max_abs : n.rel_l2;
    if (!(value <= limit))
        fail_msg("%s of %s: %s %.3e > %.3e", what, j->name, name, value, limit);
    if (full || strcmp(key, "feature") != 0)
        return;
    limit = bound(meta, "bf16", "feature_cos");
    if (!(n.least_cosine >= limit))
        fail_msg("%s of %s: cosine %.6f < %.6f", what, j->name, n.least_cosine, limit);
}

static void expect_pixels(const job *j, const json_t *meta, const float *have, const tub_array *want)
{
    numbers n = report(j, "pixels", have, want);
    double limit = json_real_value(json_object_get(meta, "pixel_max_abs"));
    assert_int_equal(n.not_finite, 0);
    if (!(n.max_abs <= limit))
        fail_msg("pixels of %s: max-abs %.3e > %.3e", j->name, n.max_abs, limit);
}

// NULL if the machine can't do it.
static tub_encoder *open_encoder(const job *j, int frames)
{
    tub_encoder_params params = {.size = sizeof params, .model = j->folder, .backend = j->way->backend,
                                 .dtype = j->way->dtype, .clip_length = frames, .threads = 2,
                                 .gpu_without = TUB_GPU_WITHOUT_TUNING};
    tub_encoder *encoder = NULL;
    tub_error err = {0};
    tub_status s = tub_encoder_open(&params, &encoder, &err);
    const bool elsewhere = strcmp(j->way->backend, "cuda") == 0 && !getenv("TUBELET_CUDA_PLUGIN");
    if (s == TUB_ERROR_DEVICE && (j->way->dtype != TUB_F32 || elsewhere)) {
        print_message("%s: skipped: %s\n", j->name, err.text);
        return NULL;
    }
    if (s != TUB_OK)
        fail_msg("%s: %s", j->name, err.text);
    return encoder;
}

static void check_info(const tub_encoder_info *info, const job *j, const tub_array *input, const tub_array *pixels,
                       const tub_array *tokens, const tub_array *feature)
{
    assert_string_equal(info->backend, j->way->backend);
    assert_int_equal(info->dtype, j->way->dtype);
    assert_int_equal(info->frames, info->per_frame ? 1 : input->dims[1]);
    assert_int_equal(info->height, pixels->dims[3]);
    assert_int_equal(info->width, pixels->dims[4]);
    assert_int_equal(info->dim, feature->dims[1]);
    assert_int_equal(info->tokens, tokens->dims[tokens->rank - 2]);
    assert_int_equal(info->token_dim, tokens->dims[tokens->rank - 1]);
    assert_int_equal(tokens->rank, info->per_frame ? 4 : 3);
}

static void run_encoder(const job *j, const json_t *meta, tub_encoder *encoder, const tub_array *input)
{
    tub_array pixels = read_array(j->folder, "pixel_values"), tokens = read_array(j->folder, "last_hidden_state");
    tub_array feature = read_array(j->folder, "feature");
    check_info(tub_encoder_get_info(encoder), j, input, &pixels, &tokens, &feature);
    float *out[3] = {malloc(sizeof(float) * (size_t)count_of(&feature)), malloc(sizeof(float) * (size_t)count_of(&tokens)),
                     malloc(sizeof(float) * (size_t)count_of(&pixels))};
    assert_true(out[0] && out[1] && out[2]);
    tub_error err = {0};
    const int64_t *d = input->dims;
    if (tub_encoder_embed(encoder, input->data, d[0], (int)d[1], (int)d[2], (int)d[3], out[0], out[1], out[2], &err) !=
        TUB_OK)
        fail_msg("%s: %s", j->name, err.text);
    expect_pixels(j, meta, out[2], &pixels);
    expect(j, meta, "tokens", "lhs", out[1], &tokens);
    expect(j, meta, "feature", "feature", out[0], &feature);
    for (int i = 0; i < 3; i++)
        free(out[i]);
    tub_array_finish(&pixels);
    tub_array_finish(&tokens);
    tub_array_finish(&feature);
}

static void test_case(void **state)
{
    const job *j = *state;
    char path[600];
    snprintf(path, sizeof path, "%s/meta.json", j->folder);
    json_error_t json_err;
    json_t *meta = json_load_file(path, 0, &json_err);
    assert_non_null(meta);
    tub_array input = read_array(j->folder, "input");
    assert_int_equal(input.rank, 5);
    tub_encoder *encoder = open_encoder(j, (int)input.dims[1]);
    bool skipped = !encoder;
    if (encoder)
        run_encoder(j, meta, encoder, &input);
    tub_encoder_close(&encoder);
    tub_array_finish(&input);
    json_decref(meta);
    if (skipped)
        skip();
}

static int is_case(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

// With every backend in every type, or as given: `test_golden cuda f16`.
int main(int argc, char **argv)
{
    static job jobs[MOST_CASES * WAYS];
    static struct CMUnitTest tests[MOST_CASES * WAYS];
    struct dirent **entries = NULL;
    int cases = scandir(FOLDER, &entries, is_case, alphasort);
    if (cases <= 0 || cases > MOST_CASES) {
        print_error("%s: %d cases\n", FOLDER, cases);
        return 1;
    }
    size_t count = 0;
    for (int i = 0; i < cases * WAYS; i++) {
        const way *w = &ways[i % WAYS];
        if (argc > 2 && (strcmp(argv[1], w->backend) != 0 || strcmp(argv[2], tub_dtype_name(w->dtype)) != 0))
            continue;
        job *j = &jobs[count];
        j->name = entries[i / WAYS]->d_name;
        j->way = w;
        snprintf(j->folder, sizeof j->folder, FOLDER "/%s", j->name);
        tests[count++] = (struct CMUnitTest){.name = j->name, .test_func = test_case, .initial_state = j};
    }
    int failed = _cmocka_run_group_tests("golden", tests, count, NULL, NULL);
    for (int i = 0; i < cases; i++)
        free(entries[i]);
    free(entries);
    return failed;
}
