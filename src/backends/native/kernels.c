#include "kernels.h"

const tub_kernels *tub_kernels_for(tub_dtype dtype)
{
#if defined(__x86_64__)
    const tub_isa isa = tub_cpu_isa();
    if (dtype == TUB_BF16)
        return &tub_kernels_avx512bf16;
    if (isa >= TUB_ISA_AVX512)
        return &tub_kernels_avx512;
    if (isa >= TUB_ISA_AVX2)
        return &tub_kernels_avx2;
#elif defined(__aarch64__)
    if (tub_cpu_isa() >= TUB_ISA_NEON)
        return &tub_kernels_neon;
#endif
    (void)dtype;
    return &tub_kernels_portable;
}
