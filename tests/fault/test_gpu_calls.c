// Runs on GPUs in which one call fails, each in turn: the features are the usual ones, or the run says what went wrong,
// what it has written is right, and the next run does the rest. On the fake GPU (tests/support/fake_gpu_plugin.c).
//
// Tries a few calls of each setting; with an argument N, every N-th one (1: all, which takes hours).
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/checkpoint.h>
#include <unistd.h>

#include "fake_gpu.h"
#include "toy_videos.h"

enum { VIDEOS = 3, SHORT = 1, FOR_GOOD = 2, SAMPLES = 3 };

typedef struct setting {
    const char *name, *gpus; // in the form of FAKE_GPU
    tub_dtype dtype;
    unsigned without;
    tub_resizer resizer;
} setting;

typedef struct outcome {
    tub_status opened, status;
    tub_run_totals totals;
    int calls;
    char digest[VIDEOS][TUB_HASH_TEXT]; // "": no file
} outcome;

static int step_told;
static char root[64], videos[80], features[80], model[80];
static tub_error err;
static int (*end_of_gpus)(fake_gpu_counts counts[8]);

static void make_video(int number)
{
    char command[1024];
    snprintf(command, sizeof command,
             "ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=64x48:rate=25 -frames:v %d -c:v mpeg4 '%s/v%d.mp4'",
             18 + 7 * number, videos, number);
    assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
    (void)state;
    void *plugin = dlopen(getenv("TUBELET_CUDA_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
    void *symbol = plugin ? dlsym(plugin, "fake_gpu_plugin_end") : NULL;
    const char *folder = toy_folder();
    if (!symbol || !folder)
        return -1;
    memcpy(&end_of_gpus, &symbol, sizeof symbol);
    snprintf(root, sizeof root, "%s", folder);
    snprintf(videos, sizeof videos, "%s/videos", root);
    snprintf(features, sizeof features, "%s/features", root);
    snprintf(model, sizeof model, "%s/model", root);
    for (int i = 0; i < VIDEOS; i++)
        make_video(i);
    return tub_checkpoint_init("videomae:tiny", model, 1, &err) ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    toy_remove(root);
    return 0;
}

static void read_digests(outcome *o)
{
    for (int i = 0; i < VIDEOS; i++) {
        char path[128];
        FILE *file;
        snprintf(path, sizeof path, "%s/v%d.npy", features, i);
        o->digest[i][0] = 0;
        if (!(file = fopen(path, "rb")))
            continue;
        char bytes[1 << 16];
        tub_hash_bytes(bytes, fread(bytes, 1, sizeof bytes, file), o->digest[i]);
        fclose(file);
    }
}

static void run_dataset(const setting *s, tub_encoder *encoder, outcome *o)
{
    const char *inputs[] = {videos};
    const tub_dataset_params set = {.size = sizeof set, .inputs = inputs, .input_count = 1, .out = features};
    tub_run_params params = {.size = sizeof params};
    tub_dataset *d = NULL;
    params.extractor = (tub_extractor_params){
        .size = sizeof params.extractor, .sampling = {.stride = 4}, .decode_threads = 2, .resizer = s->resizer};
    assert_int_equal(tub_dataset_open(&set, &d, &err), TUB_OK);
    o->status = tub_dataset_run(d, encoder, &params, &o->totals, &err);
    tub_dataset_close(&d);
}

// A run in the folder as it is. Nothing may stay on the GPUs.
static outcome run(const setting *s, int call, int how)
{
    char gpus[256];
    const tub_encoder_params params = {.size = sizeof params,
                                       .model = model,
                                       .device = "cuda",
                                       .dtype = s->dtype,
                                       .batch = 4,
                                       .gpu_without = s->without};
    fake_gpu_counts counts[8];
    tub_encoder *encoder = NULL;
    outcome o = {0};
    err = (tub_error){0};
    snprintf(gpus, sizeof gpus, "%s refuse_call=%d refuse_short=%d refuse_for_good=%d", s->gpus, call,
             (how & SHORT) != 0, (how & FOR_GOOD) != 0);
    setenv("FAKE_GPU", gpus, 1);
    o.opened = tub_encoder_open(&params, &encoder, &err);
    if (o.opened == TUB_OK)
        run_dataset(s, encoder, &o);
    tub_encoder_close(&encoder);
    o.calls = end_of_gpus(counts);
    for (int i = 0; i < 8; i++)
        assert_int_equal(
            counts[i].blocks + counts[i].host_blocks + counts[i].plans + counts[i].graphs + counts[i].pinned, 0);
    read_digests(&o);
    assert_int_equal(toy_count_temporary(features), 0);
    return o;
}

static void check(const setting *s, const outcome *usual, const outcome *o, int call, int how)
{
    const tub_status status = o->opened ? o->opened : o->status;
    int there = 0;
    for (int i = 0; i < VIDEOS; i++) {
        there += o->digest[i][0] != 0;
        if (o->digest[i][0] && strcmp(o->digest[i], usual->digest[i]) != 0)
            fail_msg("%s, call %d (%d): other rows of video %d", s->name, call, how, i);
    }
    if (status == TUB_OK && (there != VIDEOS || o->totals.ok + o->totals.skipped != VIDEOS))
        fail_msg("%s, call %d (%d): %d of %d videos, %s", s->name, call, how, there, VIDEOS, err.text);
    if (status != TUB_OK &&
        ((status != TUB_ERROR_DEVICE && status != TUB_ERROR_MEMORY) || err.status != status || !err.text[0]))
        fail_msg("%s, call %d (%d): status %d, %d, %s", s->name, call, how, status, err.status, err.text);
    if (o->totals.failed)
        fail_msg("%s, call %d (%d): %zu videos failed", s->name, call, how, o->totals.failed);
    const bool others = strstr(s->gpus, "devices=2") && s->resizer != TUB_RESIZER_GPU;
    if (others && o->opened == TUB_OK && o->status != TUB_OK)
        fail_msg("%s, call %d (%d): the other GPU didn't go on: %s", s->name, call, how, err.text);
}

// Every `step`-th call in turn, each time from another one on.
static void sweep(const setting *s, int number)
{
    toy_remove(features);
    const outcome usual = run(s, 0, 0);
    if (usual.opened || usual.status)
        fail_msg("%s: %s", s->name, err.text);
    assert_int_equal(usual.totals.ok, VIDEOS);
    const int step = step_told ? step_told : usual.calls / SAMPLES;
    for (int how = 0; how <= FOR_GOOD; how++)
        for (int call = 1 + (11 * how + 37 * number) % step; call <= usual.calls; call += step) {
            toy_remove(features);
            const outcome o = run(s, call, how);
            check(s, &usual, &o, call, how);
            if (o.opened == TUB_OK && o.status == TUB_OK)
                continue;
            const outcome rest = run(s, 0, 0);
            check(s, &usual, &rest, call, how);
            assert_int_equal(rest.opened, TUB_OK);
            assert_int_equal(rest.status, TUB_OK);
        }
}

static void each_call_fails(void **state)
{
    (void)state;
    static const unsigned plain = TUB_GPU_WITHOUT_TUNING;
    static const setting settings[] = {
        {"f16", "devices=1", TUB_F16, plain, TUB_RESIZER_CPU},
        {"f16, frames, late", "devices=1 late=1", TUB_F16, plain, TUB_RESIZER_GPU},
        {"f32, frames, no graphs", "devices=1", TUB_F32, plain | TUB_GPU_WITHOUT_GRAPHS, TUB_RESIZER_GPU},
        {"f16, tuned", "devices=1", TUB_F16, 0, TUB_RESIZER_CPU},
        {"fp8", "devices=1", TUB_FP8, plain, TUB_RESIZER_CPU},
        {"f16, two GPUs", "devices=2", TUB_F16, plain, TUB_RESIZER_CPU},
        {"f16, two GPUs, frames, late, no overlap", "devices=2 late=1", TUB_F16, plain | TUB_GPU_WITHOUT_OVERLAP,
         TUB_RESIZER_GPU},
    };
    for (int i = 0; i < (int)(sizeof settings / sizeof *settings); i++)
        sweep(&settings[i], i);
}

typedef struct listener {
    atomic_int inside, calls, overlaps;
} listener;

// Takes long enough that another call would come meanwhile.
static void listen(void *user, int level, const char *text)
{
    (void)level, (void)text;
    listener *l = user;
    if (atomic_fetch_add(&l->inside, 1))
        atomic_fetch_add(&l->overlaps, 1);
    usleep(20000);
    atomic_fetch_add(&l->calls, 1);
    atomic_fetch_sub(&l->inside, 1);
}

// Each GPU, opened while others are, reports that its memory is short.
static void gpus_log_in_turn(void **state)
{
    (void)state;
    enum { GPUS = 4 };
    listener heard = {0};
    fake_gpu_counts counts[8];
    tub_encoder *encoder = NULL;
    const tub_encoder_params params = {
        .model = model, .device = "cuda", .batch = 64, .log = {.write = listen, .user = &heard}};
    setenv("FAKE_GPU", "devices=4 memory=50000000", 1);
    assert_int_equal(tub_encoder_open(&params, &encoder, &err), TUB_OK);
    tub_encoder_close(&encoder);
    end_of_gpus(counts);
    assert_int_equal(heard.calls, GPUS);
    assert_int_equal(heard.overlaps, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_call_fails), cmocka_unit_test(gpus_log_in_turn)};
    step_told = argc > 1 ? atoi(argv[1]) : 0;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
