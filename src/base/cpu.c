#include "cpu.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"scalar", "avx2", "avx512", "avx512_bf16"};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static tub_isa level;

static tub_isa of_processor(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c"))
        return TUB_ISA_SCALAR;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        return TUB_ISA_AVX2;
    return __builtin_cpu_supports("avx512bf16") ? TUB_ISA_AVX512_BF16 : TUB_ISA_AVX512;
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

tub_isa tub_cpu_isa(void)
{
    pthread_once(&once, find_level);
    return level;
}

const char *tub_isa_name(tub_isa isa)
{
    return isa >= TUB_ISA_SCALAR && isa <= TUB_ISA_AVX512_BF16 ? names[isa] : "unknown";
}
