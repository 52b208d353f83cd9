// Which instructions our own kernels may use: found at run time, and limited by the environment variable TUBELET_ISA
// (scalar, avx2, avx512, avx512_bf16, amx; on 64-bit ARM scalar, neon), so that every level can be tested on one machine.
#ifndef TUB_CPU_H
#define TUB_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/status.h>

typedef enum tub_isa {
    TUB_ISA_SCALAR = 0,
    TUB_ISA_AVX2 = 1,           // AVX2 and FMA
    TUB_ISA_AVX512 = 2,         // AVX-512 F, BW, VL, DQ
    TUB_ISA_AVX512_BF16 = 3,    // and BF16
    TUB_ISA_AMX = 4,            // and AMX's tiles, of BF16 and INT8; the system's leave is asked for at the first look
    TUB_ISA_NEON = 1,           // of 64-bit ARM, which has this level and the first
} tub_isa;

tub_isa tub_cpu_isa(void);                  // what to use; read once. Thread-safety: safe
// Errors: TUB_ERROR_ARGUMENT where TUBELET_ISA is no level's name, for then nothing would be limited. That the processor
// hasn't one is none.
tub_status tub_cpu_check_limit(tub_error *err);
bool tub_cpu_has_vnni(void);                // AVX512_VNNI, which some AVX-512 processors have. Thread-safety: safe
const char *tub_isa_name(tub_isa isa);
// As the processor calls itself; of ARM's, which don't, the core's name or numbers. `cpuinfo`: "/proc/cpuinfo" (tests
// give others).
void tub_cpu_name(const char *cpuinfo, char *out, size_t size);

#endif
