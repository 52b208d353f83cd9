// Matroska files, element by element: what counts as whole, and where damage is found.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "container_walk.h"

enum { UNKNOWN = -1, MOST = 1 << 16 };

static uint8_t file[MOST];
static int64_t used;

static void put(const void *bytes, size_t count)
{
    memcpy(file + used, bytes, count);
    used += (int64_t)count;
}

static void put_size(int64_t size)
{
    uint8_t bytes[8] = {0x01};
    for (int i = 1; i < 8; i++)
        bytes[i] = size == UNKNOWN ? 0xFF : (uint8_t)(size >> (8 * (7 - i)));
    put(bytes, sizeof bytes);
}

// An element's header; its content is put next. Returns where its size is.
static int64_t begin(uint32_t id)
{
    const uint8_t bytes[4] = {(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    const int length = id > 0xFFFFFF ? 4 : id > 0xFFFF ? 3 : id > 0xFF ? 2 : 1;
    put(bytes + 4 - length, (size_t)length);
    put_size(UNKNOWN);
    return used - 8;
}

static void end(int64_t size_at)
{
    const int64_t behind = used;
    used = size_at;
    put_size(behind - size_at - 8);
    used = behind;
}

static int64_t leaf(uint32_t id, int bytes)
{
    const int64_t at = used, size = begin(id);
    uint8_t content[512];
    memset(content, 0xA5, sizeof content); // would look like a block, if it were read
    put(content, (size_t)bytes);
    end(size);
    return at;
}

// Two clusters with blocks, one with a block group, and other elements that may be there. `live`: sizes that weren't
// known in advance. Returns where the second cluster's second block is.
static int64_t put_file(bool live)
{
    leaf(0x1A45DFA3, 20);
    const int64_t segment = begin(0x18538067);
    leaf(0xEC, 300); // Void
    leaf(0x1549A966, 40);
    leaf(0x1654AE6B, 200);
    int64_t cluster = begin(0x1F43B675);
    leaf(0xE7, 2); // the cluster's time
    for (int i = 0; i < 30; i++)
        leaf(0xA3, 500);
    const int64_t group = begin(0xA0);
    leaf(0xA1, 100);
    leaf(0x9B, 2);
    leaf(0x75A2, 3);
    end(group);
    if (!live)
        end(cluster);
    leaf(0x1C53BB6B, 60); // an index between clusters
    cluster = begin(0x1F43B675);
    leaf(0xE7, 2);
    leaf(0xA3, 500);
    const int64_t block = leaf(0xA3, 500);
    leaf(0xA3, 500);
    if (!live)
        end(cluster);
    leaf(0x1254C367, 30);
    if (!live)
        end(segment);
    return block;
}

static int64_t broken_at(void)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(fwrite(file, 1, (size_t)used, f), (size_t)used);
    assert_int_equal(fflush(f), 0);
    const int64_t at = tub_matroska_broken_at(fileno(f), used);
    fclose(f);
    return at;
}

static int64_t start(bool live)
{
    used = 0;
    return put_file(live);
}

static void whole_files(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++) {
        start(live);
        assert_int_equal(broken_at(), -1);
        put_file(live); // two files in one; the first one counts
        assert_int_equal(broken_at(), -1);
    }
    start(false);
    memset(file + used, 0, 4096); // nobody looks behind the segment
    used += 4096;
    assert_int_equal(broken_at(), -1);
}

static void what_is_no_element(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++) {
        int64_t block = start(live);
        memset(file + block, 0, 4);
        assert_int_equal(broken_at(), block);
        block = start(live);
        file[block + 1] = 0; // no size begins like this
        assert_int_equal(broken_at(), block);
        block = start(live);
        memset(file + block + 1, 0xFF, 8); // a block of unknown size
        file[block + 1] = 0x01;
        assert_int_equal(broken_at(), block);
        block = start(live);
        file[block + 5] = 0x01; // 16 MiB
        assert_int_equal(broken_at(), block);
    }
}

// The other elements are then in the wrong place, which shows soon.
static void bytes_that_are_gone(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++)
        for (int gone = 1; gone < 40; gone++) {
            const int64_t block = start(live);
            memmove(file + block + 100, file + block + 100 + gone, (size_t)(used - block - 100 - gone));
            used -= gone;
            assert_true(broken_at() > block);
        }
}

static void ends_inside_an_element(void **state)
{
    (void)state;
    const int64_t block = start(true);
    const int64_t ends[] = {block + 200, block + 5, block + 1};
    for (int i = 0; i < 3; i++) {
        used = ends[i];
        assert_int_equal(broken_at(), block);
    }
    used = block; // between two elements
    assert_int_equal(broken_at(), -1);
    // If the segment's size is known, it says how long the file should be.
    const int64_t half = start(false);
    used = half;
    assert_int_equal(broken_at(), -1);
}

static void what_is_none_at_all(void **state)
{
    (void)state;
    used = 0;
    assert_int_equal(broken_at(), -1);
    memset(file, 0, 1000);
    used = 1000;
    assert_int_equal(broken_at(), 0);
    memset(file, 0xFF, 1000);
    assert_int_equal(broken_at(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_files),
        cmocka_unit_test(what_is_no_element),
        cmocka_unit_test(bytes_that_are_gone),
        cmocka_unit_test(ends_inside_an_element),
        cmocka_unit_test(what_is_none_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
