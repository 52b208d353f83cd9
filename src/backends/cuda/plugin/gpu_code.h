// The cards that there is code for. Capabilities are numbers: 75 is 7.5.
#ifndef TUB_GPU_CODE_H
#define TUB_GPU_CODE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// The capabilities that kernels were compiled for, and those with an intermediate form, from which drivers make code
// for them and for all newer ones.
typedef struct tub_gpu_code {
    int compiled[32], count;
    int forms[32], form_count;
} tub_gpu_code;

// The capability that the code for such a card was compiled for: the code uses nothing that only newer cards have. 0:
// there is no code. Machine code runs on cards with its own major version and its own or a greater minor version.
int tub_gpu_code_for(const tub_gpu_code *code, int capability);
void tub_gpu_list_code(const tub_gpu_code *code, char *out, size_t bytes); // "7.5, 8.0, 9.0 and newer"

#ifdef __cplusplus
}
#endif
#endif
