// Which instructions our own kernels may use. This is found at run time, and limited by the environment variable
// TUBELET_ISA (scalar, avx2, avx512, avx512_bf16, amx; on 64-bit ARM scalar, neon), so that every level can be tested
// on one machine.
#ifndef TUB_CPU_H
#define TUB_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/status.h>

typedef enum tub_isa {
    TUB_ISA_SCALAR = 0,
    TUB_ISA_AVX2 = 1,           // AVX2 and FMA
    TUB_ISA_AVX512 = 2,         // AVX-512 F, BW, VL, DQ
    TUB_ISA_AVX512_BF16 = 3,    // also BF16
    TUB_ISA_AMX = 4,            // also AMX's tiles, for BF16 and INT8; the first call asks the system's permission
    TUB_ISA_NEON = 1,           // 64-bit ARM, which has only this level and SCALAR
} tub_isa;

tub_isa tub_cpu_isa(void);                  // what to use; read once. Thread-safety: safe
// Errors: TUB_ERROR_ARGUMENT if TUBELET_ISA isn't the name of a level, since nothing would be limited then. A level
// that the processor doesn't have is no error.
tub_status tub_cpu_check_limit(tub_error *err);
bool tub_cpu_has_vnni(void);                // AVX512_VNNI, which some AVX-512 processors have. Thread-safety: safe
const char *tub_isa_name(tub_isa isa);
// The processor's own name; on ARM, where it has none, the core's name or numbers. `cpuinfo`: "/proc/cpuinfo" (tests
// give others).
void tub_cpu_name(const char *cpuinfo, char *out, size_t size);

#endif
