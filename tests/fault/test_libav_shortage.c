// Videos in whose decoding memory runs out at one of libav's allocations, each in turn, or no thread can be started:
// the result is the usual one, or it is reported that memory is short. No frame is missing. If only one allocation
// fails, the video is never reported as damaged.
//
// The functions here replace the system's for libav, too. libav may end the process itself (it does with some codecs);
// that isn't what is tested, so each video is decoded in a child process.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <tubelet/video.h>
#include <unistd.h>

#include "ffmpeg_clips.h"

enum { WIDTH = 64, HEIGHT = 48, FRAMES = 10, CALLS_MOST = 5000, STEP = 5 };

static struct {
    atomic_bool armed;
    bool threads; // no thread can be started
    bool once;    // the next allocation succeeds again
    int at;       // the first allocation that fails
    atomic_int calls, refused;
} fault;

typedef struct result {
    tub_status status;
    bool partial;
    int64_t frames;
    uint64_t hash; // of timestamps and pixels
    char text[TUB_ERROR_TEXT];
} result;

static result *told; // written by a child

static bool fails(void)
{
    if (!atomic_load(&fault.armed))
        return false;
    const int call = atomic_fetch_add(&fault.calls, 1);
    if (call < fault.at || (fault.once && call > fault.at))
        return false;
    errno = ENOMEM;
    return true;
}

static void find(const char *name, void *function)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof symbol);
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    static int (*real)(void **out, size_t alignment, size_t bytes);
    if (!real)
        find("posix_memalign", &real);
    return fails() ? ENOMEM : real(out, alignment, bytes);
}

void *calloc(size_t count, size_t bytes)
{
    static void *(*real)(size_t count, size_t bytes);
    if (!real)
        find("calloc", &real);
    return fails() ? NULL : real(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    static void *(*real)(void *memory, size_t bytes);
    if (!real)
        find("realloc", &real);
    return fails() ? NULL : real(memory, bytes);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    static int (*real)(pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
    if (!real)
        find("pthread_create", &real);
    if (fault.threads && ++fault.refused)
        return EAGAIN;
    return real(thread, attributes, start, argument);
}

static void add(uint64_t *hash, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        *hash = (*hash ^ ((const uint8_t *)data)[i]) * 1099511628211u;
}

static tub_status read_frames(tub_video *video, result *out, tub_error *err)
{
    static uint8_t rgb[WIDTH * HEIGHT * 3];
    tub_frame frame;
    tub_status status;
    while ((status = tub_video_next(video, &frame, err)) == TUB_OK) {
        if ((status = tub_video_convert(video, rgb, err)) != TUB_OK)
            return status;
        add(&out->hash, &frame.pts, sizeof frame.pts);
        add(&out->hash, &frame.duration, sizeof frame.duration);
        add(&out->hash, rgb, sizeof rgb);
    }
    return status;
}

static void decode(const char *name, int threads, result *out)
{
    const tub_video_params params = {.size = sizeof params, .threads = threads};
    tub_video_info info = {0};
    tub_video *video = NULL;
    tub_error err = {0};
    *out = (result){0};
    out->status = tub_video_open(test_path(clips_folder, name), &params, &video, &err);
    if (out->status == TUB_OK) {
        out->status = read_frames(video, out, &err);
        tub_video_get_info(video, &info);
    }
    out->partial = info.partial;
    out->frames = info.frames;
    add(&out->hash, &info.fps, sizeof info.fps);
    snprintf(out->text, sizeof out->text, "%s", info.partial ? info.reason : err.text);
    tub_video_close(&video);
}

// False: it made fewer calls, or libav ended the process.
static bool decode_short(const char *name, int at, bool *ended)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fault.at = at;
        atomic_store(&fault.calls, 0);
        atomic_store(&fault.armed, true);
        decode(name, 1, told);
        atomic_store(&fault.armed, false);
        _exit(fault.calls <= at);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    *ended = WIFEXITED(status) && WEXITSTATUS(status) == 1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void sweep(const char *name, bool once)
{
    result usual;
    int short_of = 0;
    bool ended = false;
    decode(name, 1, &usual);
    fault.once = once;
    assert_int_equal(usual.status, TUB_END);
    assert_int_equal(usual.frames, FRAMES);
    for (int at = 0; !ended && at < CALLS_MOST; at += STEP) {
        if (!decode_short(name, at, &ended))
            continue;
        short_of += told->status == TUB_ERROR_MEMORY;
        if (told->status == TUB_ERROR_MEMORY)
            continue;
        const bool differs = told->frames != FRAMES || told->hash != usual.hash;
        const bool may_differ = once && name[0] == 'a'; // H.264's decoder makes up frames that it couldn't refer to
        if (told->status != TUB_END || told->partial || (differs && !may_differ))
            fail_msg("%s, allocation %d: status %d, %d frames: %s", name, at, (int)told->status, (int)told->frames,
                     told->text);
    }
    assert_true(ended);
    assert_in_range(short_of, 50, CALLS_MOST);
}

static void short_of_memory(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        sweep("a.mp4", once);
        sweep("m.mkv", once);
    }
}

static void short_of_threads(void **state)
{
    (void)state;
    result usual, without;
    decode("a.mp4", 3, &usual);
    assert_int_equal(usual.status, TUB_END);
    fault.threads = true;
    decode("a.mp4", 3, &without);
    fault.threads = false;
    assert_true(fault.refused > 0);
    if (without.status != TUB_END)
        fail_msg("%s", without.text);
    assert_false(without.partial);
    assert_true(usual.hash == without.hash);
}

static int set_up(void **state)
{
    if (clips_set_up(state))
        return -1;
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p a.mp4", "64x48", "0.4");
    must(FFMPEG PATTERN "-c:v mpeg4 m.mkv", "64x48", "0.4");
    return told == MAP_FAILED ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(short_of_memory), cmocka_unit_test(short_of_threads)};
    return cmocka_run_group_tests_name("libav_shortage", tests, set_up, clips_tear_down);
}
