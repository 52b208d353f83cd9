// Which cards there is code for. Capabilities are numbers: 75 is 7.5.
#ifndef TUB_GPU_CODE_H
#define TUB_GPU_CODE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// What kernels were compiled for: capabilities, and those that an intermediate form is there for, from which drivers make
// code for them and for all that are newer.
typedef struct tub_gpu_code {
    int compiled[32], count;
    int forms[32], form_count;
} tub_gpu_code;

// What the code that such a card runs was compiled for, which has nothing that only newer cards have; 0: there is none.
// Machine code runs on cards of its own major version, of its own minor version or a greater one.
int tub_gpu_code_for(const tub_gpu_code *code, int capability);
void tub_gpu_list_code(const tub_gpu_code *code, char *out, size_t bytes); // "7.5, 8.0, 9.0 and newer"

#ifdef __cplusplus
}
#endif
#endif
