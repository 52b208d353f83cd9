// Packed weights on disk: the file, which is distinguished from anything else in its place; and encoders that take
// their weights from it, with the same rows.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <tubelet/checkpoint.h>
#include <tubelet/encoder.h>
#include <unistd.h>

#include "../../src/encoder/weight_file.h"
#include "atomic_file.h"
#include "backend.h"
#include "memory.h"
#include "temp_folder.h"

enum { BYTES = TUB_WEIGHT_PIECE + 1000, DIM = 64 };

static char *models, *model; // for all tests
static char *folder, *kept;  // for each test
static char lines[4096];
static char hash[40]; // of the model that was opened last

static void note(void *user, int level, const char *text)
{
    (void)user;
    const size_t there = strlen(lines);
    snprintf(lines + there, sizeof lines - there, "%d %s\n", level, text);
}

// A checkpoint written less than two seconds ago can't be distinguished from one that is still being written.
static void settle(void)
{
    nanosleep(&(struct timespec){.tv_sec = 2, .tv_nsec = 100000000}, NULL);
}

static int make_model(void **state)
{
    (void)state;
    models = test_folder_make();
    model = tub_format("%s/model", models);
    if (tub_checkpoint_init("dinov2:tiny", model, 1, NULL) != TUB_OK)
        return 1;
    settle();
    return 0;
}

static int remove_model(void **state)
{
    (void)state;
    test_folder_remove(models);
    tub_free(model);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    folder = test_folder_make();
    kept = tub_format("%s/tubelet/weights", folder);
    return setenv("XDG_CACHE_HOME", folder, 1);
}

static int teardown(void **state)
{
    (void)state;
    unsetenv("XDG_CACHE_HOME");
    test_folder_remove(folder);
    tub_free(kept);
    return 0;
}

// The number of kept files; temporary ones count, so that none goes unnoticed.
static int count_kept(void)
{
    return access(kept, F_OK) == 0 ? test_count_files(kept, "") : 0;
}

// ---- the file ----

static tub_weight_facts facts_of(size_t bytes)
{
    return (tub_weight_facts){
        .version = "1", .stamp = "s", .hash = "0123456789abcdef0123456789abcdef", .key = "k", .bytes = bytes};
}

static char *some_bytes(void)
{
    char *data = tub_alloc_aligned(1, BYTES);
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    return data;
}

static void expect_trouble(const char *path, const tub_weight_facts *facts, tub_team *team, const char *text)
{
    tub_file_map *map = NULL;
    size_t start = 0;
    char told[TUB_HASH_TEXT] = "";
    const tub_weight_trouble trouble = tub_weight_file_open(path, facts, team, &map, &start, told);
    if (!trouble || strcmp(trouble, text))
        fail_msg("expected \"%s\", got \"%s\"", text, trouble ? trouble : "(none)");
    assert_null(map);
}

static void write_over(const char *path, off_t offset, const void *data, size_t bytes)
{
    const int fd = open(path, O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, data, bytes, offset) == (ssize_t)bytes);
    close(fd);
}

static void flip(const char *path, off_t offset)
{
    unsigned char byte;
    const int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && pread(fd, &byte, 1, offset) == 1);
    close(fd);
    byte ^= 0x10;
    write_over(path, offset, &byte, 1);
}

static void test_file(void **state)
{
    (void)state;
    tub_team *team = NULL;
    tub_error err = {0};
    tub_file_map *map = NULL;
    size_t start = 0;
    char told[TUB_HASH_TEXT], *data = some_bytes(), *path = tub_format("%s/file", folder);
    const atomic_bool no = false, yes = true;
    const tub_weight_facts facts = facts_of(BYTES);
    assert_int_equal(tub_team_open(2, &team, &err), TUB_OK);
    expect_trouble(path, &facts, team, "");
    assert_int_equal(tub_weight_file_write(path, &facts, data, &yes, &err), TUB_ERROR_CANCELLED);
    expect_trouble(path, &facts, team, "");
    assert_int_equal(tub_weight_file_write(path, &facts, data, &no, &err), TUB_OK);
    assert_null(tub_weight_file_open(path, &facts, team, &map, &start, told));
    assert_int_equal(start % 64, 0);
    assert_memory_equal((const char *)tub_file_map_data(map) + start, data, BYTES);
    assert_string_equal(told, facts.hash);
    tub_file_map_release(map);
    assert_null(tub_weight_file_open(path, &facts, NULL, NULL, NULL, NULL));

    tub_weight_facts other = facts;
    strcpy(other.version, "2");
    expect_trouble(path, &other, team, "was written by another version");
    other = facts;
    strcpy(other.stamp, "t");
    expect_trouble(path, &other, team, "is of the checkpoint as it was before");
    other = facts;
    strcpy(other.key, "l");
    expect_trouble(path, &other, team, "is of other weights");
    other = facts;
    other.bytes--;
    expect_trouble(path, &other, team, "is of other weights");
    tub_team_close(&team);
    tub_free(data);
    tub_free(path);
}

// Whatever bit is flipped, and wherever the file ends.
static void test_damage(void **state)
{
    (void)state;
    tub_team *team = NULL;
    char *data = some_bytes(), *path = tub_format("%s/file", folder);
    const atomic_bool no = false;
    const tub_weight_facts facts = facts_of(BYTES);
    const off_t checksum = offsetof(tub_weight_header, checksum), table = sizeof(tub_weight_header);
    const struct {
        off_t offset;
        const char *trouble;
    } bits[] = {{0, "is no file of packed weights"},
                {offsetof(tub_weight_header, layout), "was written by another version"},
                {offsetof(tub_weight_header, order), "was written by another version"},
                {offsetof(tub_weight_header, start), "is cut short"},
                {offsetof(tub_weight_header, facts.hash), "is damaged"},
                {checksum, "is damaged"},
                {table, "is damaged"},
                {table + 8, "is damaged"},
                {4096, "is damaged"},
                {4096 + TUB_WEIGHT_PIECE - 1, "is damaged"},
                {4096 + BYTES - 1, "is damaged"}};
    const struct {
        off_t length;
        const char *trouble;
    } ends[] = {{0, "is no file of packed weights"},
                {100, "is no file of packed weights"},
                {table, "is cut short"},
                {4096, "is cut short"},
                {4096 + BYTES - 1, "is cut short"},
                {4096 + BYTES + 1, "is cut short"}};
    assert_int_equal(tub_team_open(2, &team, NULL), TUB_OK);
    assert_int_equal(tub_weight_file_write(path, &facts, data, &no, NULL), TUB_OK);
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        flip(path, bits[i].offset);
        expect_trouble(path, &facts, team, bits[i].trouble);
        flip(path, bits[i].offset);
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        assert_int_equal(truncate(path, ends[i].length), 0);
        expect_trouble(path, &facts, team, ends[i].trouble);
        assert_int_equal(tub_weight_file_write(path, &facts, data, &no, NULL), TUB_OK);
    }
    assert_int_equal(unlink(path) || mkfifo(path, 0600), 0); // must not wait for it
    expect_trouble(path, &facts, team, "is no file of packed weights");
    assert_int_equal(unlink(path) || mkdir(path, 0700), 0);
    expect_trouble(path, &facts, team, "is no file of packed weights");
    tub_team_close(&team);
    tub_free(data);
    tub_free(path);
}

// ---- encoders ----

static tub_encoder_params params_of(tub_dtype dtype)
{
    lines[0] = '\0';
    return (tub_encoder_params){.size = sizeof(tub_encoder_params),
                                .model = model,
                                .backend = "native",
                                .dtype = dtype,
                                .threads = 2,
                                .cache_weights = true,
                                .log = {.write = note}};
}

// Opens, encodes a frame, closes.
static void encode(const tub_encoder_params *params, float row[DIM])
{
    tub_encoder *e = NULL;
    tub_error err = {0};
    if (tub_encoder_open(params, &e, &err) != TUB_OK)
        fail_msg("%s", err.text);
    const tub_encoder_info *info = tub_encoder_get_info(e);
    assert_int_equal(info->dim, DIM);
    assert_int_equal(strlen(info->model_hash), TUB_HASH_TEXT - 1);
    unsigned char *pixels = tub_calloc(1, info->pixel_bytes);
    for (size_t i = 0; i < info->pixel_bytes / (info->pixels_are_float ? sizeof(float) : 1); i++)
        if (info->pixels_are_float)
            ((float *)(void *)pixels)[i] = (float)(i % 61) / 61;
        else
            pixels[i] = (unsigned char)(i * 2654435761u >> 24);
    snprintf(hash, sizeof hash, "%s", info->model_hash);
    const void *frame = pixels;
    assert_int_equal(tub_encoder_run(e, &frame, 1, row, NULL, &err), TUB_OK);
    tub_free(pixels);
    tub_encoder_close(&e);
}

static void expect_line(const char *text)
{
    if (!strstr(lines, text))
        fail_msg("no \"%s\" in:\n%s", text, lines);
}

static void check_type(tub_dtype dtype, int files)
{
    float plain[DIM], row[DIM];
    const int before = count_kept();
    tub_encoder_params params = params_of(dtype);
    params.cache_weights = false;
    encode(&params, plain);
    assert_int_equal(count_kept(), before);
    char first[sizeof hash];
    memcpy(first, hash, sizeof hash);
    for (int i = 0; i < 3; i++) {
        params = params_of(dtype);
        encode(&params, row);
        assert_memory_equal(row, plain, sizeof row);
        assert_string_equal(hash, first);
        expect_line(i ? "1 packed weights from " : "1 packed weights are kept in ");
        assert_int_equal(count_kept(), before + files);
    }
}

static void test_encoder(void **state)
{
    (void)state;
    float row[DIM];
    check_type(TUB_F32, 1);
    if (tub_backend_native.supports(TUB_BF16, NULL) == TUB_OK)
        check_type(TUB_BF16, 1);
    // What int8 is compared with is kept as well, unless it is there already.
    if (tub_backend_native.supports(TUB_INT8, NULL) == TUB_OK)
        check_type(TUB_INT8, 1);
    // Different sets of weights are kept side by side.
    const int before = count_kept();
    tub_encoder_params params = params_of(TUB_F32);
    params.layer = 1;
    encode(&params, row);
    assert_int_equal(count_kept(), before + 1);
}

static void test_repaired(void **state)
{
    (void)state;
    float plain[DIM], row[DIM];
    tub_encoder_params params = params_of(TUB_F32);
    encode(&params, plain);
    expect_line("1 packed weights are kept in ");
    char path[512], *in = strstr(lines, " in ") + 4;
    snprintf(path, sizeof path, "%.*s", (int)strcspn(in, ","), in);
    flip(path, 4096 + 77);
    for (int i = 0; i < 2; i++) {
        params = params_of(TUB_F32);
        encode(&params, row);
        assert_memory_equal(row, plain, sizeof row);
        expect_line(i ? "1 packed weights from " : "is damaged: the weights are packed anew");
    }
}

// The same path, other weights.
static void test_replaced(void **state)
{
    (void)state;
    float before[DIM], plain[DIM], row[DIM];
    tub_encoder_params params = params_of(TUB_F32);
    encode(&params, before);
    assert_int_equal(unlink(test_path(model, "model.safetensors")), 0);
    assert_int_equal(unlink(test_path(model, "config.json")), 0);
    assert_int_equal(tub_checkpoint_init("dinov2:tiny", model, 2, NULL), TUB_OK);
    params = params_of(TUB_F32);
    encode(&params, row);
    expect_line("written to just now");
    settle();
    params = params_of(TUB_F32);
    params.cache_weights = false;
    encode(&params, plain);
    assert_memory_not_equal(before, plain, sizeof plain);
    for (int i = 0; i < 2; i++) {
        params = params_of(TUB_F32);
        encode(&params, row);
        assert_memory_equal(row, plain, sizeof row);
        expect_line(i ? "1 packed weights from " : "is of the checkpoint as it was before");
    }
    assert_int_equal(count_kept(), 1);
}

static void test_unwritable(void **state)
{
    (void)state;
    float plain[DIM], row[DIM];
    struct rlimit usual, little;
    tub_encoder_params params = params_of(TUB_F32);
    params.cache_weights = false;
    encode(&params, plain);
    setenv("XDG_CACHE_HOME", "/proc/nothing", 1);
    params = params_of(TUB_F32);
    encode(&params, row);
    expect_line("0 packed weights aren't cached: /proc/nothing");
    assert_memory_equal(row, plain, sizeof row);
    // A disk that becomes full after the first bytes.
    setenv("XDG_CACHE_HOME", folder, 1);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    little = (struct rlimit){.rlim_cur = 10000, .rlim_max = usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    params = params_of(TUB_F32);
    encode(&params, row);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    expect_line("0 packed weights aren't cached: ");
    expect_line("can't write it");
    assert_memory_equal(row, plain, sizeof row);
    assert_int_equal(count_kept(), 0);
    // Neither variable is set; other backends; an encoder that was interrupted.
    unsetenv("XDG_CACHE_HOME");
    char *home = tub_strdup(getenv("HOME"));
    unsetenv("HOME");
    params = params_of(TUB_F32);
    encode(&params, row);
    expect_line("0 packed weights aren't cached: neither XDG_CACHE_HOME nor HOME");
    if (home)
        setenv("HOME", home, 1);
    tub_free(home);
    setenv("XDG_CACHE_HOME", folder, 1);
    params = params_of(TUB_F32);
    params.backend = "reference";
    encode(&params, row);
    expect_line("0 packed weights aren't cached: the reference backend's can't be");
    assert_int_equal(count_kept(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_encoder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repaired, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unwritable, setup, teardown),
    };
    return cmocka_run_group_tests(tests, make_model, remove_model);
}
