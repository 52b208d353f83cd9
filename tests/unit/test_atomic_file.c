// Files that appear whole or not at all, appended lines, the sweep, folders.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <tubelet/npy.h>
#include <unistd.h>

#include "atomic_file.h"
#include "memory.h"
#include "temp_folder.h"
#include "temp_name.h"

static int set_up(void **state)
{
    *state = test_folder_make();
    return 0;
}

static int tear_down(void **state)
{
    test_folder_remove(*state);
    return 0;
}

static void expect_content(const char *path, const char *text)
{
    char *data = test_read_file(path, NULL);
    assert_non_null(data);
    assert_string_equal(data, text);
    free(data);
}

static void test_appears_only_when_committed(void **state)
{
    const char *folder = *state, *path = test_path(folder, "a.npy");
    tub_atomic_file *f;
    assert_int_equal(tub_atomic_open(path, &f, NULL), TUB_OK);
    assert_int_equal(tub_atomic_write_at(f, 4, "data", 4, NULL), TUB_OK);
    assert_int_equal(tub_atomic_write(f, " end", 4, NULL), TUB_OK);
    assert_int_equal(tub_atomic_write_at(f, 0, "head", 4, NULL), TUB_OK);
    assert_int_equal(test_count_files(folder, ""), 1);
    assert_int_equal(test_count_files(folder, ".tmp"), 1);
    char checksum[TUB_HASH_TEXT], wanted[TUB_HASH_TEXT];
    assert_int_equal(tub_atomic_checksum(f, checksum, NULL), TUB_OK);
    tub_hash_bytes("headdata end", 12, wanted);
    assert_string_equal(checksum, wanted);
    assert_int_equal(tub_atomic_commit(&f, NULL), TUB_OK);
    assert_null(f);
    assert_int_equal(test_count_files(folder, ""), 1);
    expect_content(path, "headdata end");
}

static void test_abandoned_leaves_the_old_file(void **state)
{
    const char *folder = *state, *path = test_path(folder, "a");
    tub_atomic_file *f = NULL;
    tub_atomic_abandon(&f);
    assert_int_equal(tub_atomic_save(path, "old", 3, NULL), TUB_OK);
    assert_int_equal(tub_atomic_open(path, &f, NULL), TUB_OK);
    tub_atomic_write(f, "new", 3, NULL);
    tub_atomic_abandon(&f);
    expect_content(path, "old");
    assert_int_equal(test_count_files(folder, ""), 1);
    assert_int_equal(tub_atomic_save(path, "newer", 5, NULL), TUB_OK);
    expect_content(path, "newer");
}

static void test_two_at_once_for_one_path(void **state)
{
    const char *folder = *state, *path = test_path(folder, "a");
    tub_atomic_file *f, *g;
    assert_int_equal(tub_atomic_open(path, &f, NULL), TUB_OK);
    assert_int_equal(tub_atomic_open(path, &g, NULL), TUB_OK);
    tub_atomic_write(f, "f", 1, NULL);
    tub_atomic_write(g, "gg", 2, NULL);
    assert_int_equal(tub_atomic_commit(&f, NULL), TUB_OK);
    assert_int_equal(tub_atomic_commit(&g, NULL), TUB_OK);
    expect_content(path, "gg");
    assert_int_equal(test_count_files(folder, ""), 1);
}

static void refuse_save(const char *path)
{
    tub_error err = {0};
    assert_int_equal(tub_atomic_save(path, "x", 1, &err), TUB_ERROR_OUTPUT);
    assert_int_equal(err.status, TUB_ERROR_OUTPUT);
    assert_non_null(strstr(err.text, path));
}

static void test_unwritable_places(void **state)
{
    const char *folder = *state;
    refuse_save(test_path(folder, "missing/a"));
    test_write_file(test_path(folder, "file"), "x", 1);
    refuse_save(test_path(folder, "file/a"));
    refuse_save("/proc/tubelet-test");
    // A folder, or a device, in the file's place (a pipe is a device that needs no root): it is never replaced by a
    // rename, and no temporary file stays behind.
    assert_int_equal(mkdir(test_path(folder, "taken"), 0700), 0);
    refuse_save(test_path(folder, "taken"));
    assert_int_equal(mkfifo(test_path(folder, "pipe"), 0600), 0);
    refuse_save(test_path(folder, "pipe"));
    assert_int_equal(test_count_files(folder, ".tmp"), 0);
    if (geteuid() != 0) {
        assert_int_equal(mkdir(test_path(folder, "locked"), 0500), 0);
        refuse_save(test_path(folder, "locked/a"));
    }
}

// A write that fails in the middle (the file size limit stands in for a full disk).
static void test_failed_write_is_never_committed(void **state)
{
    const char *folder = *state, *path = test_path(folder, "a");
    struct rlimit before, limit;
    char data[4096] = {0};
    tub_error err = {0};
    tub_atomic_file *f;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    limit = before;
    limit.rlim_cur = 6000;
    assert_int_equal(tub_atomic_open(path, &f, NULL), TUB_OK);
    assert_int_equal(tub_atomic_write(f, data, sizeof data, &err), TUB_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    tub_status wrote = tub_atomic_write(f, data, sizeof data, &err);
    tub_status committed = tub_atomic_commit(&f, NULL);
    tub_status saved = tub_atomic_save(path, data, sizeof data, NULL);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(wrote, TUB_ERROR_OUTPUT);
    assert_non_null(strstr(err.text, "too large"));
    assert_int_equal(committed, TUB_ERROR_OUTPUT);
    assert_int_equal(saved, TUB_OK);
    assert_int_equal(test_count_files(folder, ""), 1);
}

static void test_long_names(void **state)
{
    const char *folder = *state;
    char name[256];
    memset(name, 'n', 255);
    name[255] = 0;
    assert_int_equal(tub_atomic_save(test_path(folder, name), "x", 1, NULL), TUB_OK);
    assert_int_equal(test_count_files(folder, ""), 1);
    expect_content(test_path(folder, name), "x");
}

static tub_status append(const char *path, const char *line, tub_error *error)
{
    return tub_append_lines(path, &line, 1, error);
}

static void test_append_heals_a_torn_line(void **state)
{
    const char *path = test_path(*state, "manifest.jsonl");
    assert_int_equal(append(path, "one", NULL), TUB_OK);
    assert_int_equal(append(path, "two", NULL), TUB_OK);
    expect_content(path, "one\ntwo\n");
    test_write_file(path, "one\ntw", 6);
    assert_int_equal(append(path, "three", NULL), TUB_OK);
    expect_content(path, "one\ntw\nthree\n");
    test_write_file(path, "", 0);
    assert_int_equal(append(path, "", NULL), TUB_OK);
    assert_int_equal(append(path, "x", NULL), TUB_OK);
    expect_content(path, "\nx\n");
    tub_error err = {0};
    assert_int_equal(append(path, "two\nlines", &err), TUB_ERROR_INTERNAL);
    assert_int_equal(append(*state, "x", &err), TUB_ERROR_OUTPUT);
    assert_int_equal(append("/dev/full", "x", &err), TUB_ERROR_OUTPUT);
    assert_non_null(strstr(err.text, "/dev/full"));
}

// The process ID of a process that has just ended.
static long dead_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return (long)child;
}

// Our host's part of temporary names: "vm", or in a container "vm+4026532001".
static void read_place(char out[128])
{
    char *name = tub_temp_name("x", 0), tail[64];
    snprintf(tail, sizeof tail, ".%ld.0.tmp", (long)getpid());
    snprintf(out, 128, "%.*s", (int)(strstr(name, tail) - name - 3), name + 3);
    tub_free(name);
}

static void test_sweep(void **state)
{
    const char *folder = *state;
    char host[128], name[256];
    long dead = dead_process();
    read_place(host);
    static const char *const kept_forms[] = {".a.npy.%s.%ld.tmp", "a.npy.%s.%ld.0.tmp", ".a.npy.%s.%ld.0.npy",
                                             ".a.npy.x%s.%ld.0.tmp", ".a.npy.%s.%ld.0x.tmp"};
    for (size_t i = 0; i < 5; i++) {
        // Not ours, by their form or their host.
        char form[64];
        snprintf(form, sizeof form, "%s", kept_forms[i]);
        char *at = strstr(form, "%s"), *number = strstr(form, "%ld");
        snprintf(name, sizeof name, "%.*s%s%.*s%ld%s", (int)(at - form), form, host, (int)(number - at - 2), at + 2,
                 dead, number + 3);
        test_write_file(test_path(folder, name), "x", 1);
    }
    snprintf(name, sizeof name, ".b.npy.%s.%ld.3.tmp", host, (long)getpid());
    test_write_file(test_path(folder, name), "x", 1);
    snprintf(name, sizeof name, ".b.npy.%s.%ld.3.tmp", host, (long)getppid());
    test_write_file(test_path(folder, name), "x", 1);
    int kept = test_count_files(folder, "");
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, ".video.1.npy.%s.%ld.%d.tmp", host, dead, i);
        test_write_file(test_path(folder, name), "x", 1);
    }
    tub_atomic_sweep(folder);
    assert_int_equal(test_count_files(folder, ""), kept);
    assert_int_equal(kept, 7);
    tub_atomic_sweep(test_path(folder, "missing"));
}

// Containers may share the host's name and have their own process IDs: files of processes there aren't swept from here.
static void test_sweep_beside_containers(void **state)
{
    const char *folder = *state;
    char name[256], host[65] = "";
    assert_int_equal(gethostname(host, sizeof host), 0);
    snprintf(name, sizeof name, ".a.npy.%s+1.%ld.0.tmp", host, dead_process());
    const char *path = test_path(folder, name);
    test_write_file(path, "x", 1);
    tub_atomic_sweep(folder);
    assert_int_equal(test_count_files(folder, ""), 1);
    const struct timespec long_ago[2] = {{.tv_sec = time(NULL) - 90000}, {.tv_sec = time(NULL) - 90000}};
    assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
    tub_atomic_sweep(folder);
    assert_int_equal(test_count_files(folder, ""), 0);
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) // not allowed everywhere
            _exit(0);
        pid_t inner = fork();
        int status = 0;
        if (inner == 0)
            _exit(!strchr(tub_temp_name("x", 0), '+'));
        _exit(inner > 0 && waitpid(inner, &status, 0) == inner && status == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

// Pods and requeued jobs come up on another host each time. Files that may be another program's stay.
static void test_sweep_of_other_hosts(void **state)
{
    const char *folder = *state;
    const time_t week = 7 * 86400, now = time(NULL);
    static const struct {
        const char *name;
        time_t age;
        bool goes;
    } files[] = {
        {".a.npy.pod-7.12.0.tmp", week + 60, true},  {".b.npy.node12.example.org+4026532001.12.3.tmp", week + 60, true},
        {".c.npy.pod-7.12.0.tmp", week - 60, false}, {".pod-7.12.0.tmp", week + 60, false},
        {".d.npy.pod-7.tmp", 9 * week, false},       {"e.npy.pod-7.12.0.tmp", 9 * week, false}};
    enum { FILES = sizeof files / sizeof *files };
    for (size_t i = 0; i < FILES; i++) {
        const char *path = test_path(folder, files[i].name);
        const struct timespec then[2] = {{.tv_sec = now - files[i].age}, {.tv_sec = now - files[i].age}};
        test_write_file(path, "x", 1);
        assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
    }
    tub_atomic_sweep(folder);
    for (size_t i = 0; i < FILES; i++)
        if ((access(test_path(folder, files[i].name), F_OK) != 0) != files[i].goes)
            fail_msg("%s", files[i].name);
}

// A writer in pieces sweeps the folder that its array goes into.
static void test_sweep_before_an_array(void **state)
{
    const char *folder = *state;
    char name[256], host[128];
    const int64_t dims[] = {0, 2};
    tub_npy_writer *w;
    read_place(host);
    snprintf(name, sizeof name, ".a.npy.%s.%ld.0.tmp", host, dead_process());
    test_write_file(test_path(folder, name), "x", 1);
    assert_int_equal(tub_npy_begin(test_path(folder, "b.npy"), TUB_U8, 2, dims, &w, NULL), TUB_OK);
    tub_npy_abandon(&w);
    assert_int_equal(test_count_files(folder, ""), 0);
}

// Another process sweeps what a killed writer leaves.
static void test_sweep_after_a_killed_writer(void **state)
{
    const char *folder = *state;
    pid_t child = fork();
    if (child == 0) {
        tub_atomic_file *f;
        if (tub_atomic_open(test_path(folder, "a.b.npy"), &f, NULL) == TUB_OK)
            tub_atomic_write(f, "x", 1, NULL);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(test_count_files(folder, ".tmp"), 1);
    tub_atomic_sweep(folder);
    assert_int_equal(test_count_files(folder, ""), 0);
}

static void test_folders(void **state)
{
    const char *folder = *state;
    struct stat st;
    tub_error err = {0};
    assert_int_equal(tub_make_folder(test_path(folder, "a/b//c/"), NULL), TUB_OK);
    assert_int_equal(stat(test_path(folder, "a/b/c"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(tub_make_folder(test_path(folder, "a/b"), NULL), TUB_OK);
    assert_int_equal(tub_make_folder("/", NULL), TUB_OK);
    test_write_file(test_path(folder, "file"), "x", 1);
    assert_int_equal(tub_make_folder(test_path(folder, "file"), &err), TUB_ERROR_OUTPUT);
    assert_non_null(strstr(err.text, "is a file"));
    assert_int_equal(tub_make_folder(test_path(folder, "file/deeper"), &err), TUB_ERROR_OUTPUT);
    assert_int_equal(tub_make_folder("", &err), TUB_ERROR_OUTPUT);
    assert_int_equal(tub_make_folder("/proc/tubelet-test", &err), TUB_ERROR_OUTPUT);
}

static void test_reading_whole_files(void **state)
{
    const char *folder = *state, *path = test_path(folder, "a");
    char *text;
    size_t bytes;
    tub_error err = {0};
    test_write_file(path, "a\0b", 3);
    assert_int_equal(tub_read_file(path, 3, &text, &bytes, NULL), TUB_OK);
    assert_int_equal(bytes, 3);
    assert_memory_equal(text, "a\0b", 4);
    tub_free(text);
    assert_int_equal(tub_read_file(path, 2, &text, &bytes, &err), TUB_ERROR_INPUT);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(tub_read_file(folder, 100, &text, &bytes, &err), TUB_ERROR_INPUT);
    assert_int_equal(tub_read_file(test_path(folder, "missing"), 100, &text, &bytes, &err), TUB_ERROR_INPUT);
    assert_null(text);
    test_write_file(path, "", 0);
    assert_int_equal(tub_read_file(path, 0, &text, &bytes, NULL), TUB_OK);
    assert_string_equal(text, "");
    tub_free(text);
    // A file whose size isn't known in advance.
    assert_int_equal(tub_read_file("/proc/self/status", 1 << 20, &text, &bytes, NULL), TUB_OK);
    assert_true(bytes > 100 && strlen(text) == bytes);
    tub_free(text);
}

// What a process without file descriptors 0, 1 and 2 prints gets into no file. Returns the number of the failed check.
static int write_without_standard_files(const char *path, const char *lines)
{
    tub_atomic_file *f;
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        close(fd);
    if (tub_atomic_open(path, &f, NULL) != TUB_OK)
        return 1;
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (write(fd, "printed", 7) >= 0)
            return 2;
    if (tub_atomic_write(f, "data", 4, NULL) != TUB_OK || tub_atomic_commit(&f, NULL) != TUB_OK)
        return 3;
    return tub_open_to_write(lines, O_WRONLY | O_CREAT | O_APPEND) > STDERR_FILENO ? 0 : 4;
}

static void test_never_a_standard_file(void **state)
{
    const char *folder = *state, *path = test_path(folder, "a.npy");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(write_without_standard_files(path, test_path(folder, "lines.jsonl")));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    expect_content(path, "data");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_appears_only_when_committed),
        CASE(test_abandoned_leaves_the_old_file),
        CASE(test_two_at_once_for_one_path),
        CASE(test_unwritable_places),
        CASE(test_failed_write_is_never_committed),
        CASE(test_long_names),
        CASE(test_append_heals_a_torn_line),
        CASE(test_sweep),
        CASE(test_sweep_beside_containers),
        CASE(test_sweep_of_other_hosts),
        CASE(test_sweep_before_an_array),
        CASE(test_sweep_after_a_killed_writer),
        CASE(test_never_a_standard_file),
        CASE(test_folders),
        CASE(test_reading_whole_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
