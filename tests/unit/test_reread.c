// The second reader: stretches are decoded from the preceding key frame, no more and no less.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>

#include "reread.h"
#include "temp_folder.h"

static char *folder;

static const char *encode(const char *name, const char *options)
{
    char command[1024];
    snprintf(command, sizeof command,
             "ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=64x48:rate=25:duration=4 %s '%s/%s'", options,
             folder, name);
    assert_int_equal(system(command), 0);
    return test_path(folder, name);
}

static int64_t stretch(tub_reread *r, int from, int to)
{
    int64_t frames = 0;
    tub_error err;
    if (tub_reread_stretch(r, from / 25.0, to / 25.0, &frames, &err) != TUB_OK)
        fail_msg("%s", err.text);
    return frames;
}

static void check(const char *path)
{
    tub_reread *r = NULL;
    assert_int_equal(tub_reread_open(path, 0, &r, NULL), TUB_OK);
    assert_int_equal(stretch(r, 20, 31), 31 - 12 + 1); // a key frame every 12
    assert_int_equal(stretch(r, 24, 35), 12);
    assert_int_equal(stretch(r, 0, 5), 6);             // backward again
    assert_int_equal(stretch(r, 90, 99), 99 - 84 + 1); // to the end
    assert_int_equal(stretch(r, 47, 48), 48 - 36 + 1);
    tub_reread_close(&r);
    assert_null(r);
}

static void test_from_the_key_frame(void **state)
{
    (void)state;
    check(encode("plain.mp4", "-c:v libx264 -bf 0 -g 12 -sc_threshold 0 -threads 1"));
    check(encode("reordered.mkv", "-c:v libx264 -bf 2 -g 12 -sc_threshold 0 -threads 1"));
    check(encode("simple.avi", "-c:v mpeg4 -g 12 -sc_threshold 0 -threads 1"));
}

static void test_what_is_no_video(void **state)
{
    (void)state;
    tub_reread *r = NULL;
    tub_error err;
    assert_int_equal(tub_reread_open("/nonexistent.mp4", 0, &r, &err), TUB_ERROR_INPUT);
    assert_null(r);
    tub_reread_close(&r);
    tub_reread_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_the_key_frame),
        cmocka_unit_test(test_what_is_no_video),
    };
    folder = test_folder_make();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_folder_remove(folder);
    return failed;
}
