// Calls in which one allocation fails, each in turn: the call fails, or its result is the usual one. For jansson, all
// allocations fail from that one on: if the next succeeded, it would go on with letters that it lost.
//
// The linker puts the functions __wrap_... here in the place of the system's (tests/CMakeLists.txt).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/checkpoint.h>
#include <tubelet/features.h>

#include "fail.h"
#include "toy_videos.h"

enum { VIDEOS = 3, CALLS_MOST = 5000 };

static struct {
    atomic_bool armed;
    int at;
    atomic_int calls;
    bool jansson; // its allocations fail
} fault;

static char root[64], videos[80], features[80], other[80], model[80];
static tub_error err;

static bool fails(void)
{
    return atomic_load(&fault.armed) && atomic_fetch_add(&fault.calls, 1) == fault.at;
}

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t bytes);
int __real_posix_memalign(void **out, size_t alignment, size_t bytes);
char *__real_strdup(const char *text);
int __real_vasprintf(char **out, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes)
{
    return fails() ? NULL : __real_realloc(memory, bytes);
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes);
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes)
{
    return fails() ? ENOMEM : __real_posix_memalign(out, alignment, bytes);
}

char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

int __wrap_vasprintf(char **out, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **out, const char *format, va_list args)
{
    return fails() ? -1 : __real_vasprintf(out, format, args);
}

static void *allocate_json(size_t bytes)
{
    fault.jansson |= fails();
    if (!fault.jansson || !atomic_load(&fault.armed))
        return malloc(bytes);
    errno = ENOMEM;
    return NULL;
}

// The result of a successful call, as text.
typedef tub_status (*subject)(char *result, size_t bytes);

static tub_status call(subject run, int at, char *result, size_t bytes)
{
    fault.at = at;
    fault.jansson = false;
    atomic_store(&fault.calls, 0);
    atomic_store(&fault.armed, true);
    tub_status status = run(result, bytes);
    atomic_store(&fault.armed, false);
    return status;
}

static void sweep(subject run)
{
    char usual[4096] = "", result[4096];
    assert_int_equal(call(run, -1, usual, sizeof usual), TUB_OK);
    int count = atomic_load(&fault.calls);
    assert_in_range(count, 1, CALLS_MOST);
    for (int at = 0; at < count; at++) {
        result[0] = '\0';
        err = (tub_error){0};
        tub_status status = call(run, at, result, sizeof result);
        if (status == TUB_OK ? strcmp(result, usual) : status > 0 || err.status != status || !err.text[0])
            fail_msg("allocation %d of %d: status %d, %s\n%s\nnot\n%s", at, count, status, err.text, result, usual);
        if (strstr(err.text, "another model or other settings"))
            fail_msg("allocation %d of %d: %s", at, count, err.text);
    }
}

static void add_file(char *result, size_t bytes, const char *folder, const char *name)
{
    bool armed = atomic_exchange(&fault.armed, false);
    char *text = toy_read(folder, name), hash[TUB_HASH_TEXT];
    size_t used = strlen(result);
    tub_hash_bytes(text, strlen(text), hash);
    snprintf(result + used, bytes - used, "%s: %s\n", name, hash);
    tub_free(text);
    atomic_store(&fault.armed, armed);
}

static void add_text(void *user, const tub_finding *f)
{
    char *result = user;
    snprintf(result + strlen(result), 200, "%s: %.100s\n", tub_finding_name(f->kind), f->text);
}

static bool deep; // verifies the videos as well

static tub_status verify(char *result, size_t bytes)
{
    tub_verify_params params = {.size = sizeof params,
                                .folder = features,
                                .read_only = true,
                                .deep = deep,
                                .on_finding = add_text,
                                .user = result};
    tub_verify_totals totals;
    TUB_TRY(tub_features_verify(&params, &totals, &err));
    size_t used = strlen(result);
    snprintf(result + used, bytes - used, "%zu of %zu, %zu missing", totals.good, totals.files, totals.missing);
    return TUB_OK;
}

// Disarmed, because it isn't what is tested.
static void remove_other(void)
{
    bool armed = atomic_exchange(&fault.armed, false);
    toy_remove(other);
    atomic_store(&fault.armed, armed);
}

static tub_status resample(char *result, size_t bytes)
{
    tub_resample_params params = {.size = sizeof params, .in = features, .out = other, .stride = 4};
    tub_resample_totals totals;
    char hash[TUB_HASH_TEXT];
    remove_other();
    TUB_TRY(tub_features_resample(&params, &totals, &err));
    atomic_store(&fault.armed, false);
    snprintf(result, bytes, "%zu written, %zu failed, %d files", totals.written, totals.failed,
             toy_digest(other, hash));
    return TUB_OK;
}

static tub_status convert(char *result, size_t bytes)
{
    remove_other();
    TUB_TRY(tub_checkpoint_convert(model, other, &err));
    add_file(result, bytes, other, "config.json");
    add_file(result, bytes, other, "preprocessor_config.json");
    return TUB_OK;
}

static tub_status encode(char *result, size_t bytes)
{
    tub_encoder_params params = {
        .size = sizeof params, .model = model, .backend = "native", .device = "cpu", .dtype = TUB_F32, .threads = 1};
    tub_encoder *encoder;
    TUB_TRY(tub_encoder_open(&params, &encoder, &err));
    bool armed = atomic_exchange(&fault.armed, false);
    const tub_encoder_info *info = tub_encoder_get_info(encoder);
    char *pixels = tub_calloc(info->pixel_bytes, 1), hash[TUB_HASH_TEXT];
    float *row = tub_calloc((size_t)info->dim, sizeof *row);
    const void **frames = tub_calloc((size_t)info->frames, sizeof *frames);
    for (size_t i = 0; i < info->pixel_bytes; i += info->pixels_are_float ? info->pixel_bytes : 1)
        pixels[i] = (char)(i * 7 % 101);
    for (int i = 0; i < info->frames; i++)
        frames[i] = pixels;
    atomic_store(&fault.armed, armed);
    tub_status status = tub_encoder_run(encoder, frames, 1, row, NULL, &err);
    atomic_store(&fault.armed, false);
    tub_hash_bytes(row, (size_t)info->dim * sizeof *row, hash);
    snprintf(result, bytes, "%s", hash);
    tub_free(frames);
    tub_free(row);
    tub_free(pixels);
    tub_encoder_close(&encoder);
    return status;
}

static tub_status make_features(void)
{
    const char *inputs[] = {videos};
    tub_dataset_params set = {.size = sizeof set, .inputs = inputs, .input_count = 1, .out = features};
    tub_run_params params = {.size = sizeof params};
    params.extractor = (tub_extractor_params){.size = sizeof params.extractor, .sampling = {.stride = 2}};
    tub_dataset *d = NULL;
    tub_encoder *encoder = toy_encoder(0);
    tub_status status = tub_dataset_open(&set, &d, &err);
    if (status == TUB_OK)
        status = tub_dataset_run_source(d, encoder, &params, &toy_source, NULL, &err);
    tub_dataset_close(&d);
    tub_encoder_close(&encoder);
    return status;
}

static int set_up(void **state)
{
    (void)state;
    const char *folder = toy_folder();
    if (!folder)
        return -1;
    json_set_alloc_funcs(allocate_json, free);
    snprintf(root, sizeof root, "%s", folder);
    snprintf(videos, sizeof videos, "%s/videos", root);
    snprintf(features, sizeof features, "%s/features", root);
    snprintf(other, sizeof other, "%s/other", root);
    snprintf(model, sizeof model, "%s/model", root);
    for (int i = 0; i < VIDEOS; i++) {
        char name[32];
        snprintf(name, sizeof name, "v%d.mp4", i);
        toy_write(videos, name, "frames=%d seed=%d", 12 + i, i);
    }
    if (make_features() || tub_checkpoint_init("dinov2:tiny", model, 1, &err))
        return -1;
    toy_write(features, "missing_files.txt", "lost\n"); // an id that verifying must keep
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    toy_remove(root);
    return 0;
}

static void test_verify(void **state)
{
    (void)state;
    sweep(verify);
}

static void test_verify_videos(void **state)
{
    (void)state;
    deep = true;
    sweep(verify);
    deep = false;
}

static void test_resample(void **state)
{
    (void)state;
    sweep(resample);
}

static void test_convert(void **state)
{
    (void)state;
    sweep(convert);
}

static void test_encode(void **state)
{
    (void)state;
    sweep(encode);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify),  cmocka_unit_test(test_verify_videos), cmocka_unit_test(test_resample),
        cmocka_unit_test(test_convert), cmocka_unit_test(test_encode),
    };
    return cmocka_run_group_tests_name("allocations", tests, set_up, tear_down);
}
