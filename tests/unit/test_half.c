// bfloat16, half and 8-bit floats: every value converted there and back, every rounding boundary.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "half.h"

typedef float (*from_short)(uint16_t);
typedef uint16_t (*to_short)(float);

static float from_bf16(uint16_t x)
{
    return tub_from_bf16(x);
}

static uint16_t to_bf16(float f)
{
    return tub_to_bf16(f);
}

static void every_value(from_short from, to_short to, uint16_t infinity)
{
    for (uint32_t x = 0; x < 65536; x++) {
        float f = from((uint16_t)x);
        if ((x & 0x7fff) > infinity) {
            assert_true(isnan(f));
            uint16_t back = to(f);
            assert_true((back & 0x7fff) > infinity);
            assert_int_equal(back & 0x8000, x & 0x8000);
        } else {
            assert_int_equal(to(f), x);
            assert_true((isinf(f) != 0) == ((x & 0x7fff) == infinity));
        }
    }
}

// Between neighbors: just below the middle rounds down, the middle to the even one, just above rounds up.
static void every_boundary(from_short from, to_short to, uint16_t largest)
{
    for (uint32_t x = 0; x < largest; x++) {
        float low = from((uint16_t)x), high = from((uint16_t)(x + 1));
        float middle = (float)(((double)low + (double)high) / 2);
        uint16_t even = (uint16_t)(x & 1 ? x + 1 : x);
        for (int sign = 0; sign <= 1; sign++) {
            float s = sign ? -1 : 1;
            uint16_t bit = sign ? 0x8000 : 0;
            assert_int_equal(to(s * middle), even | bit);
            assert_int_equal(to(s * nextafterf(middle, 0)), x | bit);
            assert_int_equal(to(s * nextafterf(middle, INFINITY)), (x + 1) | bit);
        }
    }
}

static void test_bf16(void **state)
{
    (void)state;
    every_value(from_bf16, to_bf16, 0x7f80);
    every_boundary(from_bf16, to_bf16, 0x7f7f);
    assert_int_equal(tub_to_bf16(3.4028235e38f), 0x7f80);
    uint32_t signalling = 0x7f800001;
    float f;
    memcpy(&f, &signalling, sizeof f);
    assert_true((tub_to_bf16(f) & 0x7fff) > 0x7f80);
}

static void test_f16(void **state)
{
    (void)state;
    every_value(tub_from_f16, tub_to_f16, 0x7c00);
    every_boundary(tub_from_f16, tub_to_f16, 0x7bff);
    assert_true(tub_from_f16(0x3c00) == 1);
    assert_true(tub_from_f16(0x0001) == 0x1p-24f);
    assert_true(tub_from_f16(0x7bff) == 65504);
    assert_int_equal(tub_to_f16(65519.996f), 0x7bff);
    assert_int_equal(tub_to_f16(65520), 0x7c00);
    assert_int_equal(tub_to_f16(-1e30f), 0xfc00);
    assert_int_equal(tub_to_f16(1e-30f), 0);
}

// Every code there and back; values between two codes go to the nearest, halfway to the even one.
static void test_e4m3(void **state)
{
    (void)state;
    for (int i = 0; i < 127; i++) {
        const float x = tub_from_e4m3((uint8_t)i);
        assert_int_equal(tub_to_e4m3(x), i);
        assert_int_equal(tub_to_e4m3(-x), i | 0x80);
        assert_true(tub_from_e4m3((uint8_t)(i | 0x80)) == -x);
        if (i == 126)
            break;
        const float next = tub_from_e4m3((uint8_t)(i + 1)), middle = (x + next) / 2;
        assert_true(next > x);
        assert_int_equal(tub_to_e4m3(middle), i + i % 2);
        assert_int_equal(tub_to_e4m3(nextafterf(middle, 0)), i);
        assert_int_equal(tub_to_e4m3(nextafterf(middle, 1000)), i + 1);
    }
    assert_true(tub_from_e4m3(1) == 0x1p-9f && tub_from_e4m3(8) == 0x1p-6f && tub_from_e4m3(0x38) == 1 &&
                tub_from_e4m3(126) == 448);
    assert_int_equal(tub_to_e4m3(1e30f), 126);
    assert_int_equal(tub_to_e4m3(-INFINITY), 254);
    assert_true(isnan(tub_from_e4m3(tub_to_e4m3(NAN))));
}

static void test_arrays(void **state)
{
    (void)state;
    const float f[3] = {1, -2.5f, 0.333251953125f};
    uint16_t halves[3];
    unsigned char odd[16];
    float out[3];
    tub_to_float(out, f, TUB_F32, 3);
    assert_memory_equal(out, f, sizeof f);
    for (int i = 0; i < 3; i++)
        halves[i] = tub_to_f16(f[i]);
    memcpy(odd + 1, halves, sizeof halves);
    tub_to_float(out, odd + 1, TUB_F16, 3);
    assert_memory_equal(out, f, sizeof f);
    halves[0] = 0x3f80;
    tub_to_float(out, halves, TUB_BF16, 1);
    assert_true(out[0] == 1);
    assert_int_equal(tub_dtype_bytes(TUB_F32), 4);
    assert_int_equal(tub_dtype_bytes(TUB_BF16), 2);
    assert_int_equal(tub_dtype_bytes(TUB_I64), 8);
    assert_int_equal(tub_dtype_bytes(TUB_DTYPE_AUTO), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_f16),
        cmocka_unit_test(test_e4m3),
        cmocka_unit_test(test_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
