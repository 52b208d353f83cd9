// Finds the plug-in, libtubelet_cuda.so, at run time.
//
// It is the file that TUBELET_CUDA_PLUGIN names. Otherwise it is looked for beside the library or command that this is
// linked into, in ../lib from there, and where the dynamic linker looks.
#ifndef TUB_CUDA_PLUGIN_H
#define TUB_CUDA_PLUGIN_H

#include "gpu.h"

// Errors: TUB_ERROR_DEVICE (not found, not loadable, from another build), saying what to do. Unload *library.
tub_status tub_cuda_plugin_load(const tub_gpu_ops **ops, void **library, tub_error *err);
void tub_cuda_plugin_unload(void *library);

#endif
