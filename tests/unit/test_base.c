// The small pieces of base: error text, memory, checksums, names, the instruction-set level.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <tubelet/tubelet.h>
#include <unistd.h>

#include "clock.h"
#include "cpu.h"
#include "fail.h"
#include "hash.h"
#include "memory.h"

static void test_error_text(void **state)
{
    (void)state;
    tub_error err = {0};
    assert_int_equal(tub_fail(NULL, TUB_ERROR_VIDEO, "x"), TUB_ERROR_VIDEO);
    assert_int_equal(tub_fail(&err, TUB_ERROR_VIDEO, "%s: %d", "a\nb\tc\x7f", 3), TUB_ERROR_VIDEO);
    assert_int_equal(err.status, TUB_ERROR_VIDEO);
    assert_string_equal(err.text, "a b c : 3");
    assert_int_equal(tub_fail_within(&err, TUB_ERROR_INPUT, "in %s", "file"), TUB_ERROR_VIDEO);
    assert_string_equal(err.text, "in file: a b c : 3");
    assert_int_equal(tub_fail(&err, TUB_ERROR_MODEL, "again: %s", err.text), TUB_ERROR_MODEL);
    assert_string_equal(err.text, "again: in file: a b c : 3");
    assert_int_equal(tub_fail_within(NULL, TUB_ERROR_INPUT, "x"), TUB_ERROR_INPUT);
    assert_int_equal(tub_fail_memory(&err, "a thing"), TUB_ERROR_MEMORY);
    assert_non_null(strstr(err.text, "a thing"));
}

static void test_error_text_is_utf8(void **state)
{
    (void)state;
    tub_error err;
    tub_fail(&err, TUB_ERROR_INPUT, "%s", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    assert_string_equal(err.text, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    // Bytes of a path that aren't UTF-8, an overlong form, a surrogate, a control character of the second block.
    tub_fail(&err, TUB_ERROR_INPUT, "%s", "a\xff\xc3(\xc0\xaf\xed\xa0\x80\xc2\x85z");
    assert_string_equal(err.text, "a?"
                                  "?("
                                  "?????  z");
    // The middle is left out, including characters that would be cut at its ends.
    char text[TUB_ERROR_TEXT + 100];
    for (int before = 0; before < 3; before++) {
        memset(text, 'x', sizeof text);
        for (size_t i = (size_t)before; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 3);
        text[sizeof text - 1] = 0;
        tub_fail(&err, TUB_ERROR_INPUT, "%s", text);
        size_t length = strlen(err.text);
        assert_true(length < TUB_ERROR_TEXT && length >= TUB_ERROR_TEXT - 5);
        const char *gap = strstr(err.text, " ... ");
        assert_non_null(gap);
        assert_memory_equal(gap - 3, "\xe2\x82\xac", 3);
        assert_memory_equal(gap + 5, "\xe2\x82\xac", 3);
        assert_null(strchr(err.text, '?'));
    }
}

// Paths can be this long (PATH_MAX is 4096), and the reason comes after them.
static void test_error_text_of_long_paths(void **state)
{
    (void)state;
    static char path[4096], twice[10000];
    tub_error err;
    memset(path, 'p', sizeof path - 1);
    memset(twice, '\x80', sizeof twice - 1);
    assert_int_equal(tub_video_open(path, NULL, &(tub_video *){NULL}, &err), TUB_ERROR_INPUT);
    assert_int_equal(strlen(err.text), TUB_ERROR_TEXT - 1);
    assert_memory_equal(err.text, "pppp", 4);
    assert_non_null(strstr(err.text, "p: can't be opened: File name too long"));
    tub_fail(&err, TUB_ERROR_INPUT, "%s and %s: why", path, path);
    assert_non_null(strstr(err.text, "p: why"));
    tub_fail_within(&err, TUB_ERROR_INPUT, "%s", path);
    assert_non_null(strstr(err.text, "p: why"));
    tub_fail(&err, TUB_ERROR_INPUT, "%s", twice);
    assert_int_equal(strlen(err.text), TUB_ERROR_TEXT - 1);
}

typedef struct heard {
    int level;
    char text[64];
} heard;

static void hear(void *user, int level, const char *text)
{
    heard *h = user;
    h->level = level;
    snprintf(h->text, sizeof h->text, "%s", text);
}

static void test_log(void **state)
{
    (void)state;
    heard h = {.level = -1};
    tub_log log = {hear, &h}, silent = {0};
    tub_warn(&log, "number %d\n", 5);
    assert_int_equal(h.level, 0);
    assert_string_equal(h.text, "number 5 ");
    tub_inform(&log, "x");
    assert_int_equal(h.level, 1);
    tub_warn(&silent, "x");
    tub_warn(NULL, "x");
}

static void test_sizes(void **state)
{
    (void)state;
    size_t out;
    assert_true(tub_size_mul(3, 4, &out) && out == 12);
    assert_false(tub_size_mul(SIZE_MAX / 2, 3, &out));
    assert_true(tub_size_add(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
    assert_false(tub_size_add(SIZE_MAX, 1, &out));
    assert_null(tub_calloc(SIZE_MAX / 2, 4));
    assert_null(tub_alloc_aligned(SIZE_MAX / 2, 4));
    assert_null(tub_alloc_aligned(SIZE_MAX, 1));
    void *p = tub_calloc(0, 8), *q = tub_alloc_aligned(0, 0);
    assert_non_null(p);
    assert_non_null(q);
    tub_free(p);
    tub_free(q);
    tub_free(NULL);
    for (size_t n = 1; n < 300; n += 37) {
        char *memory = tub_alloc_aligned(n, 3);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 64, 0);
        memset(memory, 1, 3 * n);
        tub_free(memory);
    }
}

static void test_growing(void **state)
{
    (void)state;
    void *array = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(tub_grow(&array, &capacity, (size_t)i + 1, sizeof(int)));
        assert_true(capacity > (size_t)i);
        ((int *)array)[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(((int *)array)[i], i);
    size_t before = capacity;
    assert_false(tub_grow(&array, &capacity, SIZE_MAX / 2, 8));
    assert_int_equal(capacity, before);
    assert_int_equal(((int *)array)[999], 999);
    tub_free(array);
}

static void test_text_and_arena(void **state)
{
    (void)state;
    char *text = tub_format("%d-%s", 7, "x");
    assert_string_equal(text, "7-x");
    tub_free(text);
    assert_null(tub_strdup(NULL));
    tub_arena arena;
    tub_arena_init(&arena);
    for (int i = 0; i < 100; i++) {
        unsigned char *block = tub_arena_alloc(&arena, (size_t)i, 3);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (int j = 0; j < 3 * i; j++)
            assert_int_equal(block[j], 0);
    }
    assert_int_equal(arena.bytes, 3 * 99 * 100 / 2);
    assert_string_equal(tub_arena_strdup(&arena, "name"), "name");
    assert_string_equal(tub_arena_format(&arena, "layer.%d", 3), "layer.3");
    assert_null(tub_arena_strdup(&arena, NULL));
    assert_null(tub_arena_alloc(&arena, SIZE_MAX, 2));
    tub_arena_finish(&arena);
    tub_arena_finish(&arena);
}

static void test_checksums(void **state)
{
    (void)state;
    char out[TUB_HASH_TEXT], again[TUB_HASH_TEXT];
    // The well-known hash of no bytes: pins the algorithm, its seed and the order of the digits.
    tub_hash_bytes("", 0, out);
    assert_string_equal(out, "99aa06d3014798d86001c324468d497f");
    tub_hash_bytes(NULL, 0, out);
    assert_string_equal(out, "99aa06d3014798d86001c324468d497f");
    unsigned char data[5000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 31 >> 3);
    tub_hash_bytes(data, sizeof data, out);
    tub_hash *hash = tub_hash_create();
    assert_non_null(hash);
    for (size_t at = 0, step; at < sizeof data; at += step) {
        step = 1 + at % 97 < sizeof data - at ? 1 + at % 97 : sizeof data - at;
        tub_hash_update(hash, data + at, step);
    }
    tub_hash_text(hash, again);
    assert_string_equal(out, again);
    tub_hash_text(hash, again);
    assert_string_equal(out, again);
    tub_hash_update(hash, "x", 1);
    tub_hash_text(hash, again);
    assert_string_not_equal(out, again);
    tub_hash_destroy(&hash);
    tub_hash_destroy(&hash);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const precisions[] = {"auto", "f32", "bf16", "f16"};
    tub_error err = {0};
    tub_dtype dtype;
    tub_pool pool;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(tub_dtype_parse(precisions[i], &dtype, NULL), TUB_OK);
        assert_int_equal(dtype, i);
        assert_string_equal(tub_dtype_name(dtype), precisions[i]);
    }
    assert_int_equal(tub_dtype_parse("float32", &dtype, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "auto, f32, bf16, f16"));
    assert_int_equal(tub_dtype_parse("u8", &dtype, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_dtype_parse("fp8", &dtype, &err), TUB_OK);
    assert_int_equal(dtype, TUB_FP8);
    for (int i = 0; i <= TUB_POOL_PATCH_MEAN; i++) {
        assert_int_equal(tub_pool_parse(tub_pool_name((tub_pool)i), &pool, NULL), TUB_OK);
        assert_int_equal(pool, i);
    }
    assert_int_equal(tub_pool_parse(NULL, &pool, &err), TUB_ERROR_ARGUMENT);
    for (int s = TUB_ERROR_INTERNAL; s <= TUB_END; s++)
        assert_string_not_equal(tub_status_name((tub_status)s), "unknown");
    assert_string_equal(tub_status_name((tub_status)99), "unknown");
    int major, minor, patch;
    assert_int_equal(sscanf(tub_version(), "%d.%d.%d", &major, &minor, &patch), 3);
}

// The level under a limit, read in a separate process because it is read only once.
static int level_under(const char *limit)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setenv("TUBELET_ISA", limit, 1);
        _exit((int)tub_cpu_isa());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_instruction_set(void **state)
{
    (void)state;
#if defined(__aarch64__)
    static const char *const names[] = {"scalar", "neon"};
#else
    static const char *const names[] = {"scalar", "avx2", "avx512", "avx512_bf16", "amx"};
#endif
    const int count = (int)(sizeof names / sizeof *names), top = level_under("");
    assert_true(top >= TUB_ISA_SCALAR && top < count);
    for (int i = 0; i < count; i++) {
        assert_string_equal(tub_isa_name((tub_isa)i), names[i]);
        assert_int_equal(level_under(names[i]), i < top ? i : top);
    }
    assert_int_equal(level_under("nonsense"), top);
}

static void test_clock(void **state)
{
    (void)state;
    double a = tub_now(), b = tub_now();
    assert_true(b >= a && b - a < 10);
}

// The rule of tubelet.h for every struct's size, which is read before anything else.
static void test_size_of_params(void **state)
{
    (void)state;
    tub_error err[9] = {0};
    void *none = NULL;
    tub_sampling sampling;
    static const char *const names[] = {"tub_encoder_params", "tub_video_params",   "tub_dataset_params",
                                        "tub_verify_params",  "tub_compare_params", "tub_resample_params",
                                        "tub_machine_params", "tub_trace_params",   "tub_sampling"};
    tub_encoder_open(&(tub_encoder_params){.size = 8}, (tub_encoder **)&none, &err[0]);
    tub_video_open("/none", &(tub_video_params){.size = 8}, (tub_video **)&none, &err[1]);
    tub_dataset_open(&(tub_dataset_params){.size = 8, .out = "/none"}, (tub_dataset **)&none, &err[2]);
    tub_features_verify(&(tub_verify_params){.size = 8, .folder = "/none"}, NULL, &err[3]);
    tub_features_compare(&(tub_compare_params){.size = 8, .a = "/none", .b = "/none"}, NULL, &err[4]);
    tub_features_resample(&(tub_resample_params){.size = 8, .in = "/none", .out = "/none"}, NULL, &err[5]);
    tub_machine_open(&(tub_machine_params){.size = 8}, (tub_machine **)&none, &err[6]);
    tub_trace_open(&(tub_trace_params){.size = 8}, (tub_trace **)&none, &err[7]);
    tub_sampling_resolve(&(tub_sampling){.size = 8}, 0, &sampling, &err[8]);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char says[80];
        snprintf(says, sizeof says, "%s.size is 8:", names[i]);
        assert_int_equal(err[i].status, TUB_ERROR_ARGUMENT);
        assert_non_null(strstr(err[i].text, says));
    }
    tub_trace *trace = NULL;
    assert_int_equal(tub_trace_open(&(tub_trace_params){.most_events = 8}, &trace, NULL), TUB_OK);
    tub_trace_close(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_text),
        cmocka_unit_test(test_error_text_is_utf8),
        cmocka_unit_test(test_error_text_of_long_paths),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_text_and_arena),
        cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_instruction_set),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_size_of_params),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
