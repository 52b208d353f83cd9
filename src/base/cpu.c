#include "cpu.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "fail.h"

#if defined(__aarch64__)
static const char *const names[] = {"scalar", "neon"};
#else
static const char *const names[] = {"scalar", "avx2", "avx512", "avx512_bf16", "amx"};
#endif

static pthread_once_t once = PTHREAD_ONCE_INIT;
static tub_isa level;

#if defined(__x86_64__)
// Linux grants the tile registers to processes that ask. Compilers differ in the names of the feature bits.
static bool may_use_tiles(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { REQUEST = 0x1023, TILE_DATA = 18, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, AMX_INT8 = 1 << 25 };
    const unsigned needed = AMX_BF16 | AMX_TILE | AMX_INT8;
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & needed) == needed &&
           syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#else
    return false;
#endif
}

// Not every compiler's __builtin_cpu_supports() knows the name "f16c".
static bool has_f16c(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

static tub_isa of_processor(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !has_f16c())
        return TUB_ISA_SCALAR;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        return TUB_ISA_AVX2;
    if (!__builtin_cpu_supports("avx512bf16"))
        return TUB_ISA_AVX512;
    return may_use_tiles() ? TUB_ISA_AMX : TUB_ISA_AVX512_BF16;
#elif defined(__aarch64__)
    return TUB_ISA_NEON;
#else
    return TUB_ISA_SCALAR;
#endif
}

static void find_level(void)
{
    level = of_processor();
    const char *limit = getenv("TUBELET_ISA");
    for (int i = 0; limit && i < (int)level; i++)
        if (strcmp(limit, names[i]) == 0)
            level = (tub_isa)i;
}

tub_status tub_cpu_check_limit(tub_error *err)
{
    enum { COUNT = sizeof names / sizeof *names };
    const char *limit = getenv("TUBELET_ISA");
    char list[64] = "";
    for (int i = 0; i < COUNT; i++) {
        if (!limit || !limit[0] || strcmp(limit, names[i]) == 0)
            return TUB_OK;
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    return tub_fail(err, TUB_ERROR_ARGUMENT, "TUBELET_ISA is \"%.40s\", which is no instruction set's name: %s", limit,
                    list);
}

tub_isa tub_cpu_isa(void)
{
    pthread_once(&once, find_level);
    return level;
}

bool tub_cpu_has_vnni(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

const char *tub_isa_name(tub_isa isa)
{
    return (size_t)isa < sizeof names / sizeof *names ? names[isa] : "unknown";
}
