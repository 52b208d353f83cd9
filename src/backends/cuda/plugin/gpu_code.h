// Which cards there is code for. Capabilities are numbers: 75 is 7.5.
#ifndef TUB_GPU_CODE_H
#define TUB_GPU_CODE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// What kernels were compiled for: capabilities, and the oldest one that an intermediate form is there for (0: none), from
// which drivers make code for it and for all that are newer.
typedef struct tub_gpu_code {
    int compiled[32], count;
    int form;
} tub_gpu_code;

// Machine code runs on cards of its own major version, of its own minor version or a greater one.
bool tub_gpu_has_code(const tub_gpu_code *code, int capability);
void tub_gpu_list_code(const tub_gpu_code *code, char *out, size_t bytes); // "7.5, 8.0, 9.0 and newer"

#ifdef __cplusplus
}
#endif
#endif
