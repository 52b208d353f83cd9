// Turns inputs into a list of videos: files, folders, lists, names.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entry_names.h"
#include "inputs.h"
#include "name_text.h"
#include "stems.h"
#include "toy_videos.h"

static char *root;
static tub_arena arena;
static tub_entries list;
static tub_error err;

static int set_up(void **state)
{
    (void)state;
    root = toy_folder();
    tub_arena_init(&arena);
    list = (tub_entries){0};
    return root ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tub_free(list.items);
    tub_arena_finish(&arena);
    toy_remove(root);
    return 0;
}

static tub_status collect(const char *a, const char *b, bool recursive)
{
    const char *inputs[] = {a, b};
    tub_free(list.items);
    tub_status status = tub_inputs_list(&arena, inputs, b ? 2 : 1, recursive, &list, &err);
    if (status == TUB_OK)
        status = tub_entries_name(&arena, &list, &(tub_layout){.name = "{stem}"}, NULL, &err);
    return status == TUB_OK ? tub_stems_unique(&list, ".npy", &err) : status;
}

static void assert_stems(const char *wanted)
{
    char stems[1024] = "";
    for (size_t i = 0; i < list.count; i++) {
        strcat(stems, list.items[i].stem);
        strcat(stems, i + 1 < list.count ? " " : "");
    }
    assert_string_equal(stems, wanted);
}

static void test_stem(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a/b.mp4", "b"}, {"b", "b"}, {"a.b.c.mkv", "a.b.c"}, {".mp4", ".mp4"}, {".x.mp4", ".x"}, {"d.x/y", "y"},
        {"x.", "x"}, {"a b.mp4", "a b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *base;
        size_t length = tub_stem_of(cases[i][0], &base);
        assert_int_equal(length, strlen(cases[i][1]));
        assert_memory_equal(base, cases[i][1], length);
    }
}

static void test_name_text(void **state)
{
    (void)state;
    assert_string_equal(tub_name_text(&arena, "v\xc3\xa9lo \xe8\xa5\xbf\"\n"), "v\xc3\xa9lo \xe8\xa5\xbf\"\n");
    assert_string_equal(tub_name_text(&arena, "caf\xe9"), "caf\xef\xbf\xbd" "e9");
    assert_string_equal(tub_name_text(&arena, "\xed\xa0\x80"), "\xef\xbf\xbd" "ed\xef\xbf\xbd" "a0\xef\xbf\xbd" "80");
    assert_string_equal(tub_name_text(&arena, "\xc3"), "\xef\xbf\xbd" "c3");
    // A name that looks like another's escaped form stays different from it.
    assert_string_not_equal(tub_name_text(&arena, "caf\xef\xbf\xbd" "e9"), tub_name_text(&arena, "caf\xe9"));
    assert_string_not_equal(tub_name_text(&arena, "\xf4\x90\x80\x80"), "\xf4\x90\x80\x80");
    assert_string_equal(tub_name_text(&arena, "\xf0\x9f\x8e\xac"), "\xf0\x9f\x8e\xac");
}

static void test_folder(void **state)
{
    (void)state;
    char *videos = tub_arena_strdup(&arena, toy_path(root, "videos"));
    toy_write(videos, "b.mp4", "x");
    toy_write(videos, "A.MKV", "x");
    toy_write(videos, "notes.txt", "x");
    toy_write(videos, "._b.mp4", "x");
    mkdir(toy_path(videos, "sub"), 0777);
    toy_write(toy_path(videos, "sub"), "c.webm", "x");
    symlink("..", toy_path(videos, "sub/loop"));
    assert_int_equal(collect(videos, NULL, false), TUB_OK);
    assert_stems("A b");
    assert_int_equal(collect(toy_path(root, "videos/"), NULL, true), TUB_OK);
    assert_stems("A b c");
    assert_string_equal(list.items[1].path, toy_path(videos, "b.mp4"));
    // A file given by name, whatever its extension; given twice, it counts once.
    assert_int_equal(collect(toy_path(videos, "notes.txt"), videos, false), TUB_OK);
    assert_stems("A b notes");
    assert_int_equal(collect(toy_path(videos, "../videos/b.mp4"), videos, false), TUB_OK);
    assert_stems("b A");
}

static void test_refused(void **state)
{
    (void)state;
    assert_int_equal(collect(toy_path(root, "nowhere.mp4"), NULL, false), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "nowhere.mp4"));
    assert_int_equal(collect(toy_path(root, "videos"), NULL, false), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "no video in this folder"));
    assert_int_equal(collect("/dev/null", NULL, false), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_inputs_list(&arena, NULL, 0, false, &list, &err), TUB_ERROR_ARGUMENT);
}

static void test_collision(void **state)
{
    (void)state;
    char *videos = tub_arena_strdup(&arena, toy_path(root, "videos"));
    toy_write(videos, "x.mp4", "1");
    toy_write(videos, "x.mkv", "2");
    assert_int_equal(collect(videos, NULL, false), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "x.mp4"));
    assert_non_null(strstr(err.text, "x.mkv"));
    assert_non_null(strstr(err.text, "rename"));
    unlink(toy_path(videos, "x.mkv"));
    toy_write(videos, "X.mkv", "2");
    assert_int_equal(collect(videos, NULL, false), TUB_OK);
    assert_stems("X x");
}

static void test_list(void **state)
{
    (void)state;
    toy_write(root, "videos/a.mp4", "1");
    toy_write(root, "videos/b c.mp4", "1");
    toy_write(root, "list.txt", "\xef\xbb\xbf# of two\r\n\r\nvideos/a.mp4\r\n  \nvideos/b c.mp4\nvideos/a.mp4\nvideos/gone.mp4");
    char input[1200];
    snprintf(input, sizeof input, "@%s", toy_path(root, "list.txt"));
    assert_int_equal(collect(input, NULL, false), TUB_OK);
    assert_stems("a b c gone");
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].path, toy_path(root, "videos/a.mp4"));
    assert_int_equal(list.items[2].bytes, -1);
    toy_write(root, "list.txt", "%s\n", toy_path(root, "videos/a.mp4"));
    assert_int_equal(collect(input, NULL, false), TUB_OK);
    assert_string_equal(list.items[0].path, toy_path(root, "videos/a.mp4"));
    toy_write(root, "list.txt", "# nothing\n");
    assert_int_equal(collect(input, NULL, false), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "list.txt"));
    assert_int_equal(collect("@/nowhere/list", NULL, false), TUB_ERROR_ARGUMENT);
    // A list from a shell has no meaningful folder: @<(find ...).
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(write(pipes[1], "near/d.mp4\n", 11), 11);
    close(pipes[1]);
    snprintf(input, sizeof input, "@/dev/fd/%d", pipes[0]);
    assert_int_equal(collect(input, NULL, false), TUB_OK);
    assert_string_equal(list.items[0].path, "near/d.mp4");
    close(pipes[0]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_stem),    TEST(test_name_text), TEST(test_folder),
                                       TEST(test_refused), TEST(test_collision), TEST(test_list)};
    return cmocka_run_group_tests_name("inputs", tests, NULL, NULL);
}
