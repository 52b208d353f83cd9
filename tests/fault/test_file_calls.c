// Runs in which a file call fails, or is the last that the process makes: each call in turn, with each error, once and
// from then on. No video is ever recorded as done whose file isn't right, nothing stays behind, and the next run
// finishes the work.
//
// The linker puts the functions __wrap_... here in the place of the system's (tests/CMakeLists.txt).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <tubelet/features.h>
#include <unistd.h>

#include "feature_listing.h"
#include "inputs.h"
#include "toy_videos.h"

enum { VIDEOS = 4, CALLS_MOST = 2000, MANY = 600 };

typedef enum ending { FAIL_ONCE, FAIL_ON, SHORT_ONCE, KILL } ending;

// What happens at which call. Calls are counted while it is armed.
static struct {
    atomic_bool armed;
    ending ending;
    int error;
    int at;
    atomic_int calls, opens, created, writes, stats, syncs;
} fault;

// The error of opening a file of features for reading (or another file, by a part of its name); 0: none.
static int unopened;
static const char *unopened_name = ".npy";

static char root[64], videos[80], out[80], wanted[TUB_HASH_TEXT];
static tub_error err;

// Whether this call fails. `writes`: it can also be cut short.
static bool fails(bool writes)
{
    if (!atomic_load(&fault.armed))
        return false;
    int call = atomic_fetch_add(&fault.calls, 1);
    if (call < fault.at || (call > fault.at && fault.ending != FAIL_ON))
        return false;
    if (fault.ending == KILL)
        kill(getpid(), SIGKILL);
    errno = fault.error;
    return fault.ending != SHORT_ONCE || writes;
}

static size_t cut(size_t bytes)
{
    return bytes > 1 ? bytes / 2 : bytes;
}

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_rename(const char *from, const char *to);
ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t offset);
int __real_stat(const char *path, struct stat *info);
int __real_fstatat(int fd, const char *path, struct stat *info, int flags);

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? (mode_t)va_arg(args, int) : 0;
    va_end(args);
    fault.opens++;
    fault.created += (flags & O_EXCL) != 0;
    if (unopened && !(flags & O_CREAT) && strstr(path, unopened_name)) {
        errno = unopened;
        return -1;
    }
    // Only calls that write: files that can't be read are tested elsewhere.
    bool creates = flags & (O_CREAT | O_DIRECTORY);
    return creates && fails(false) ? -1 : __real_open(path, flags, mode);
}

// Whether other files are written while one is being synced.
static struct {
    atomic_bool armed;
    bool met;
} syncing;

// The first file is features.json.
static void sync_until_another_is_begun(void)
{
    enum { PATIENCE = 20000, SLICE = 1000 }; // in slices, in microseconds
    const int before = atomic_load(&fault.created);
    if (before < 2 || !atomic_exchange(&syncing.armed, false))
        return;
    for (int i = 0; i < PATIENCE && atomic_load(&fault.created) == before; i++)
        usleep(SLICE);
    syncing.met = atomic_load(&fault.created) > before;
}

// A close that fails has closed.
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    bool failed = fails(false);
    int error = errno, result = __real_close(fd);
    errno = error;
    return failed ? -1 : result;
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    fault.syncs++;
    sync_until_another_is_begun();
    (void)fd; // the machine goes on: nothing is lost that isn't on disk yet
    return fails(false) ? -1 : 0;
}

int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    return fails(false) ? -1 : __real_rename(from, to);
}

ssize_t __wrap_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    if (!fails(true))
        return __real_write(fd, data, bytes);
    return fault.ending == SHORT_ONCE ? __real_write(fd, data, cut(bytes)) : -1;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    fault.writes++;
    if (!fails(true))
        return __real_pwrite(fd, data, bytes, offset);
    return fault.ending == SHORT_ONCE ? __real_pwrite(fd, data, cut(bytes), offset) : -1;
}

// Whether a second call comes while the first one waits, as on a distant server.
static struct {
    atomic_bool armed;
    atomic_int calls;
    bool met;
} meeting;

static void wait_for_another(void)
{
    enum { PATIENCE = 20000, SLICE = 1000 }; // in slices, in microseconds
    if (!atomic_load(&meeting.armed) || atomic_fetch_add(&meeting.calls, 1) != 0)
        return;
    for (int i = 0; i < PATIENCE && atomic_load(&meeting.calls) < 2; i++)
        usleep(SLICE);
    meeting.met = atomic_load(&meeting.calls) > 1;
}

int __wrap_stat(const char *path, struct stat *info);
int __wrap_stat(const char *path, struct stat *info)
{
    fault.stats++;
    wait_for_another();
    return __real_stat(path, info);
}

int __wrap_fstatat(int fd, const char *path, struct stat *info, int flags);
int __wrap_fstatat(int fd, const char *path, struct stat *info, int flags)
{
    fault.stats++;
    return __real_fstatat(fd, path, info, flags);
}

// Whether listing the folder of features fails before its end, and whether folders don't tell the types of their
// entries.
static bool unlisted, untyped;

struct dirent *__real_readdir(DIR *folder);
struct dirent *__wrap_readdir(DIR *folder);
struct dirent *__wrap_readdir(DIR *folder)
{
    struct stat there, features;
    if (!unlisted || fstat(dirfd(folder), &there) || __real_stat(out, &features) || there.st_ino != features.st_ino) {
        struct dirent *found = __real_readdir(folder);
        if (found && untyped)
            found->d_type = DT_UNKNOWN;
        return found;
    }
    errno = EIO;
    return NULL;
}

static tub_status open_set(const char *folder, tub_dataset **d)
{
    const char *inputs[] = {videos};
    tub_dataset_params set = {.size = sizeof set, .inputs = inputs, .input_count = 1, .out = folder};
    return tub_dataset_open(&set, d, &err);
}

static tub_status run(const char *folder, tub_run_totals *totals)
{
    tub_run_params params = {.size = sizeof params};
    params.extractor =
        (tub_extractor_params){.size = sizeof params.extractor, .decode_threads = 1, .sampling = {.stride = 2}};
    tub_dataset *d = NULL;
    tub_encoder *encoder = toy_encoder(0);
    *totals = (tub_run_totals){0};
    tub_status status = open_set(folder, &d);
    if (status == TUB_OK)
        status = tub_dataset_run_source(d, encoder, &params, &toy_source, totals, &err);
    tub_dataset_close(&d);
    tub_encoder_close(&encoder);
    return status;
}

static void make_videos(int count)
{
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "v%03d.mp4", i);
        // One of them fails, so that there is a line about it.
        if (i == 1)
            toy_write(videos, name, "bad");
        else
            toy_write(videos, name, "frames=%d seed=%d", 3 + i % 7, i);
    }
}

static int set_up(void **state)
{
    (void)state;
    const char *folder = toy_folder();
    tub_run_totals totals;
    if (!folder)
        return -1;
    snprintf(root, sizeof root, "%s", folder);
    snprintf(videos, sizeof videos, "%s/videos", root);
    snprintf(out, sizeof out, "%s/out", root);
    make_videos(VIDEOS);
    if (run(out, &totals) != TUB_OK || totals.ok != VIDEOS - 1 || totals.failed != 1)
        return -1;
    toy_digest(out, wanted);
    toy_remove(out);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    toy_remove(root);
    return 0;
}

// How many videos are done according to the folder; each of them has its file.
static size_t count_done(void)
{
    tub_dataset *d = NULL;
    size_t done = 0;
    assert_int_equal(open_set(out, &d), TUB_OK);
    for (size_t i = 0; i < tub_dataset_count(d); i++) {
        tub_item item;
        char name[64];
        tub_dataset_item(d, i, &item);
        snprintf(name, sizeof name, "%s.npy", item.stem);
        done += item.state == TUB_ITEM_DONE;
        assert_true(item.state != TUB_ITEM_DONE || toy_exists(out, name));
    }
    tub_dataset_close(&d);
    return done;
}

// Every whole line of the manifest names a file that is there.
static void check_lines(void)
{
    char *text = toy_read(out, "manifest.jsonl"), *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *object = json_loads(line, 0, NULL);
        const char *output = json_string_value(json_object_get(object, "output"));
        if (output && !toy_exists(out, output))
            fail_msg("%s has a line and no file", output);
        json_decref(object);
    }
    tub_free(text);
}

// The next run finishes, and the files are those of a run without faults.
static void check_finished(const char *what)
{
    char after[TUB_HASH_TEXT];
    tub_run_totals totals;
    check_lines();
    if (run(out, &totals) != TUB_OK)
        fail_msg("%s, call %d: the next run: %s", what, fault.at, err.text);
    assert_int_equal(totals.failed, 1);
    assert_int_equal(totals.pending, 0);
    toy_digest(out, after);
    if (strcmp(after, wanted))
        fail_msg("%s, call %d: other files", what, fault.at);
    assert_int_equal(toy_count_temporary(out), 0);
}

// A run with the fault at call `at`; false: it made fewer calls.
static bool run_faulty(ending how, int error, int at, tub_status *status, tub_run_totals *totals)
{
    fault.ending = how;
    fault.error = error;
    fault.at = at;
    fault.calls = 0;
    atomic_store(&fault.armed, true);
    *status = run(out, totals);
    atomic_store(&fault.armed, false);
    return fault.calls > at;
}

static void sweep_calls(const char *what, ending how, int error, bool harmless)
{
    int at = 0, failed = 0;
    tub_status status;
    tub_run_totals totals;
    for (; at < CALLS_MOST; at++) {
        toy_remove(out);
        bool reached = run_faulty(how, error, at, &status, &totals);
        if (harmless && status != TUB_OK)
            fail_msg("%s, call %d: %s", what, at, err.text);
        if (status != TUB_OK && status != TUB_ERROR_OUTPUT)
            fail_msg("%s, call %d: status %d: %s", what, at, (int)status, err.text);
        failed += status != TUB_OK;
        if (reached && status != TUB_OK)
            assert_int_equal(toy_count_temporary(out), 0);
        // What it counted as done is really done.
        if (toy_exists(root, "out") && toy_exists(out, "features.json"))
            assert_true(count_done() >= totals.ok);
        check_finished(what);
        if (!reached)
            break;
    }
    assert_in_range(at, 20, CALLS_MOST - 1);
    assert_true(harmless ? failed == 0 : failed > 5);
}

static void test_errors(void **state)
{
    (void)state;
    sweep_calls("EIO once", FAIL_ONCE, EIO, false);
    sweep_calls("ENOSPC once", FAIL_ONCE, ENOSPC, false);
    sweep_calls("ENOSPC from then on", FAIL_ON, ENOSPC, false);
    sweep_calls("EDQUOT from then on", FAIL_ON, EDQUOT, false);
}

static void test_interrupted(void **state)
{
    (void)state;
    sweep_calls("a short write", SHORT_ONCE, 0, true);
}

static void test_killed(void **state)
{
    (void)state;
    int at = 0, status = 0;
    for (; at < CALLS_MOST; at++) {
        toy_remove(out);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            tub_status ended;
            tub_run_totals totals;
            run_faulty(KILL, 0, at, &ended, &totals);
            _exit(ended != TUB_OK);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        fault.at = at;
        check_finished("killed");
        if (!WIFSIGNALED(status))
            break;
    }
    assert_in_range(at, 20, CALLS_MOST - 1);
    assert_int_equal(status, 0);
}

// Features that can't be listed aren't missing: otherwise all would be made again, silently.
static void test_folders_that_cant_be_listed(void **state)
{
    (void)state;
    tub_run_totals totals;
    tub_verify_totals found;
    const tub_verify_params params = {.size = sizeof params, .folder = out, .read_only = true};
    toy_remove(out);
    assert_int_equal(run(out, &totals), TUB_OK);
    unlisted = true;
    tub_status again = run(out, &totals);
    assert_non_null(strstr(err.text, strerror(EIO)));
    tub_status verified = tub_features_verify(&params, &found, &err);
    assert_non_null(strstr(err.text, strerror(EIO)));
    unlisted = false;
    assert_int_equal(again, TUB_ERROR_OUTPUT);
    assert_int_equal(verified, TUB_ERROR_OUTPUT);
    check_finished("unlisted");
}

static tub_status verify_unopened(int error, tub_verify_totals *totals)
{
    const tub_verify_params params = {.size = sizeof params, .folder = out};
    unopened = error;
    tub_status status = tub_features_verify(&params, totals, &err);
    unopened = 0;
    return status;
}

// Files that the machine can't read aren't reported as broken; if it can read none at all, nothing is reported about
// any.
static void test_features_that_cant_be_read(void **state)
{
    (void)state;
    tub_run_totals totals;
    tub_verify_totals verified;
    assert_int_equal(run(out, &totals), TUB_OK);
    assert_int_equal(verify_unopened(EIO, &verified), TUB_OK);
    assert_int_equal(verified.findings[TUB_FINDING_UNREADABLE], VIDEOS - 1);
    assert_int_equal(verified.findings[TUB_FINDING_BROKEN], 0);
    assert_int_equal(verified.missing, VIDEOS);
    assert_int_equal(verify_unopened(EMFILE, &verified), TUB_ERROR_MEMORY);
    assert_non_null(strstr(err.text, "v000.npy: can't be opened: "));
    toy_write(out, "v000.npy", "torn");
    assert_int_equal(verify_unopened(0, &verified), TUB_OK);
    assert_int_equal(verified.findings[TUB_FINDING_UNREADABLE], 0);
    assert_int_equal(verified.findings[TUB_FINDING_BROKEN], 1);
    unlink(toy_path(out, "missing_files.txt"));
}

// Settings that can't be read aren't taken for somebody else's.
static void test_settings_that_cant_be_read(void **state)
{
    (void)state;
    tub_run_totals totals;
    assert_int_equal(run(out, &totals), TUB_OK);
    unopened = EIO;
    unopened_name = "features.json";
    tub_status status = run(out, &totals);
    unopened = 0;
    unopened_name = ".npy";
    assert_int_equal(status, TUB_ERROR_OUTPUT);
    assert_non_null(strstr(err.text, "features.json: can't open it: "));
    toy_write(out, "features.json", "{");
    assert_int_equal(run(out, &totals), TUB_ERROR_ARGUMENT);
}

// Looking at a folder of finished videos: calls grow no faster than the number of videos, and no file is opened.
static void test_calls_of_a_resume(void **state)
{
    (void)state;
    tub_dataset *d = NULL;
    tub_run_totals totals;
    make_videos(MANY);
    assert_int_equal(run(out, &totals), TUB_OK);
    assert_int_equal(totals.ok, MANY - 1);
    fault.opens = fault.stats = 0;
    assert_int_equal(open_set(out, &d), TUB_OK);
    for (size_t i = 0; i < tub_dataset_count(d); i++) {
        tub_item item;
        tub_dataset_item(d, i, &item);
        assert_true(item.state != TUB_ITEM_TODO);
        assert_true(item.bytes > 0); // so that nobody has to ask again
    }
    tub_dataset_close(&d);
    assert_in_range(fault.opens, 1, 12);
    assert_in_range(fault.stats, MANY, 2 * MANY + 12);
}

// In a deep folder of features, a video costs no more calls than in a shallow one.
static void test_calls_of_a_deep_folder(void **state)
{
    (void)state;
    char shallow[96], deep[128];
    tub_run_totals totals;
    snprintf(shallow, sizeof shallow, "%s/out", root);
    snprintf(deep, sizeof deep, "%s/deep/a/b/c/d/e/f/g/h/out", root);
    make_videos(MANY);
    fault.stats = 0;
    assert_int_equal(run(shallow, &totals), TUB_OK);
    const int usual = atomic_exchange(&fault.stats, 0);
    assert_int_equal(run(deep, &totals), TUB_OK);
    assert_int_equal(totals.ok, MANY - 1);
    assert_in_range(fault.stats, MANY, usual + MANY / 2);
}

// Most videos from a list of dead links fail, each of them at once.
static void test_failures_share_a_sync(void **state)
{
    (void)state;
    tub_run_totals totals;
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "w%03d.mp4", i);
        toy_write(videos, name, "bad");
    }
    fault.syncs = 0;
    assert_int_equal(run(out, &totals), TUB_OK);
    assert_int_equal(totals.failed, MANY + 1);
    assert_in_range(fault.syncs, 1, 3 * VIDEOS + 12);
}

// A slow disk is waited for once for many small files, not for each, and many rows are written at a time.
static void test_resampled_files_share_calls(void **state)
{
    (void)state;
    char to[96];
    tub_run_totals totals;
    tub_resample_totals resampled;
    snprintf(to, sizeof to, "%s/resampled", root);
    const tub_resample_params params = {.size = sizeof params, .in = out, .out = to, .stride = 4};
    make_videos(MANY);
    toy_write(videos, "v000.mp4", "frames=5000 seed=1");
    assert_int_equal(run(out, &totals), TUB_OK);
    fault.created = fault.writes = 0;
    syncing.met = false;
    atomic_store(&syncing.armed, true);
    tub_status status = tub_features_resample(&params, &resampled, &err);
    atomic_store(&syncing.armed, false);
    assert_int_equal(status, TUB_OK);
    assert_int_equal(resampled.written, MANY - 1);
    assert_in_range(resampled.rows_out, 1000 + MANY, 5000);
    assert_in_range(fault.writes, MANY, 3 * MANY + 12); // header, rows, header
    assert_true(syncing.met);
}

// `alone`: the number of earlier calls, about the input itself.
static void expect_asked_together(const char *input, int alone)
{
    tub_arena arena;
    tub_entries found;
    tub_arena_init(&arena);
    meeting.calls = -alone;
    meeting.met = false;
    atomic_store(&meeting.armed, true);
    tub_status status = tub_inputs_list(&arena, &input, 1, true, &found, &err);
    atomic_store(&meeting.armed, false);
    assert_int_equal(status, TUB_OK);
    assert_int_equal(found.count, MANY);
    for (int i = 0; i < MANY; i++)
        assert_true(found.items[i].bytes > 0);
    assert_true(meeting.met);
    tub_free(found.items);
    tub_arena_finish(&arena);
}

// The file system is asked about several paths at a time: a list's lines, and names whose type a folder doesn't tell,
// as well as those whose type it does.
static void test_paths_are_asked_about_together(void **state)
{
    (void)state;
    char list[96];
    make_videos(MANY);
    FILE *file = fopen(toy_path(root, "list.txt"), "w");
    assert_non_null(file);
    for (int i = 0; i < MANY; i++)
        fprintf(file, "videos/v%03d.mp4\n", i);
    assert_int_equal(fclose(file), 0);
    snprintf(list, sizeof list, "@%s/list.txt", root);
    expect_asked_together(list, 0);
    untyped = true;
    expect_asked_together(videos, 1);
    untyped = false;
}

// If a folder doesn't tell the types of its entries, there is no call for each of the features either.
static void test_features_are_not_asked_about(void **state)
{
    (void)state;
    tub_run_totals totals;
    tub_feature_listing listing;
    make_videos(MANY);
    assert_int_equal(run(out, &totals), TUB_OK);
    fault.stats = 0;
    untyped = true;
    tub_status status = tub_feature_listing_read(out, &listing, &err);
    untyped = false;
    assert_int_equal(status, TUB_OK);
    assert_int_equal(listing.count, MANY - 1);
    assert_in_range(fault.stats, 0, 12);
    tub_feature_listing_finish(&listing);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_errors),
                                       TEST(test_interrupted),
                                       TEST(test_killed),
                                       TEST(test_folders_that_cant_be_listed),
                                       TEST(test_features_that_cant_be_read),
                                       TEST(test_settings_that_cant_be_read),
                                       TEST(test_calls_of_a_resume),
                                       TEST(test_calls_of_a_deep_folder),
                                       TEST(test_failures_share_a_sync),
                                       TEST(test_resampled_files_share_calls),
                                       TEST(test_paths_are_asked_about_together),
                                       TEST(test_features_are_not_asked_about)};
    return cmocka_run_group_tests_name("file_calls", tests, NULL, NULL);
}
