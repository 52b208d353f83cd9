// Runs that are killed, run out of space or start together: the files are those of an uninterrupted run.
//
// Each run is a child process over toy videos; it is killed at random moments (the seed is printed).
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "feature_file.h"
#include "toy_videos.h"

enum { VIDEOS = 10, KILLS = 20 };

static char root[64], videos[80], wanted[TUB_HASH_TEXT];
static double usual;    // seconds of an uninterrupted run

typedef struct toy_run {
    const char *out;
    int rank, world, stride;
    long most_bytes;    // per file, 0 = no limit
} toy_run;

static tub_status run(const toy_run *r)
{
    const char *inputs[] = {videos};
    tub_dataset_params set = {.size = sizeof set, .inputs = inputs, .input_count = 1, .out = r->out,
                              .shard_rank = r->rank, .shard_world = r->world};
    tub_run_params params = {.size = sizeof params};
    params.extractor = (tub_extractor_params){.size = sizeof params.extractor, .decode_threads = 2,
                                              .sampling = {.stride = r->stride ? r->stride : 1}};
    tub_run_totals totals;
    tub_dataset *d = NULL;
    tub_encoder *encoder = toy_encoder(0.0005);
    tub_status status = tub_dataset_open(&set, &d, NULL);
    if (status == TUB_OK)
        status = tub_dataset_run_source(d, encoder, &params, &toy_source, &totals, NULL);
    if (status == TUB_OK && totals.pending + totals.failed + totals.partial)
        status = TUB_ERROR_INTERNAL;
    tub_dataset_close(&d);
    tub_encoder_close(&encoder);
    return status;
}

static pid_t start(const toy_run *r)
{
    pid_t child = fork();
    if (child == 0) {
        if (r->most_bytes) {
            const struct rlimit limit = {(rlim_t)r->most_bytes, (rlim_t)r->most_bytes};
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &limit);
        }
        _exit(-run(r));
    }
    assert_true(child > 0);
    return child;
}

// The run's status, negated; -1 if it was killed.
static int end(pid_t child)
{
    int how;
    while (waitpid(child, &how, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

static int run_to_end(const toy_run *r)
{
    return end(start(r));
}

static const char *fresh(int i)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/out%d", root, i);
    return path;
}

static void assert_as_wanted(const char *out)
{
    char found[TUB_HASH_TEXT];
    assert_int_equal(toy_digest(out, found), VIDEOS);
    assert_string_equal(found, wanted);
    assert_int_equal(toy_count_temporary(out), 0);
}

// Every file with its final name is whole.
static void assert_none_torn(const char *out)
{
    DIR *d = opendir(out);
    for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        size_t length = strlen(e->d_name);
        if (length < 5 || e->d_name[0] == '.' || strcmp(e->d_name + length - 4, ".npy"))
            continue;
        const tub_feature_place place = {.folder = out, .layout = {.container = TUB_CONTAINER_NPY, .dtype = TUB_F32}};
        char stem[64];
        snprintf(stem, sizeof stem, "%.*s", (int)length - 4, e->d_name);
        assert_true(tub_feature_file_whole(&place, stem));
    }
    if (d)
        closedir(d);
}

static int set_up(void **state)
{
    (void)state;
    const char *folder = toy_folder();
    if (!folder)
        return -1;
    snprintf(root, sizeof root, "%s", folder);
    snprintf(videos, sizeof videos, "%s/videos", root);
    for (int i = 0; i < VIDEOS; i++) {
        char name[32];
        snprintf(name, sizeof name, "v%02d.mp4", i);
        toy_write(videos, name, "frames=%d seed=%d", 4 + 20 * i, i);
    }
    toy_run r = {.out = fresh(0)};
    double began = tub_now();
    int status = run_to_end(&r);
    usual = tub_now() - began;
    return status == 0 && toy_digest(r.out, wanted) == VIDEOS ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    toy_remove(root);
    return 0;
}

static void kill_after(const toy_run *r, double seconds)
{
    pid_t child = start(r);
    struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
    kill(child, SIGKILL);
    end(child);
}

static void test_killed(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();
    print_message("seed %u, an uninterrupted run takes %.3f s\n", seed, usual);
    srand(seed);
    for (int i = 0; i < KILLS;) {
        toy_run r = {.out = fresh(1)};
        // One, two or three kills before it ends.
        for (int n = rand() % 3; n >= 0 && i < KILLS; n--, i++) {
            kill_after(&r, usual * rand() / RAND_MAX);
            assert_none_torn(r.out);
        }
        assert_int_equal(run_to_end(&r), 0);
        assert_as_wanted(r.out);
        toy_remove(r.out);
    }
}

static void test_no_room(void **state)
{
    (void)state;
    // The limit hits rows, the manifest, features.json.
    static const long limits[] = {100, 1500, 3000, 4000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        toy_run r = {.out = fresh(2), .most_bytes = limits[i]};
        assert_int_equal(run_to_end(&r), -TUB_ERROR_OUTPUT);
        assert_none_torn(r.out);
        assert_int_equal(toy_count_temporary(r.out), 0);
        r.most_bytes = 0;
        assert_int_equal(run_to_end(&r), 0);
        assert_as_wanted(r.out);
        toy_remove(r.out);
    }
}

static void test_together(void **state)
{
    (void)state;
    toy_run r = {.out = fresh(3), .world = 4};
    pid_t children[4];
    for (r.rank = 0; r.rank < 4; r.rank++)
        children[r.rank] = start(&r);
    for (int i = 0; i < 4; i++)
        assert_int_equal(end(children[i]), 0);
    assert_as_wanted(r.out);
    // Of two settings, either wins, but they are never mixed.
    for (int i = 0; i < 3; i++) {
        toy_run one = {.out = fresh(10 + i), .stride = 2};
        pid_t first = start(&one);
        one.stride = 3;
        pid_t second = start(&one);
        int a = end(first), b = end(second);
        assert_true((a == 0 && b == -TUB_ERROR_ARGUMENT) || (b == 0 && a == -TUB_ERROR_ARGUMENT));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed), cmocka_unit_test(test_no_room),
                                       cmocka_unit_test(test_together)};
    return cmocka_run_group_tests_name("dataset_kill", tests, set_up, tear_down);
}
