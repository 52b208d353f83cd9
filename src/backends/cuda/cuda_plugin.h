// The plug-in: libtubelet_cuda.so, found at run time.
//
// It is looked for where TUBELET_CUDA_PLUGIN says (a file), else beside the library or the command that this is linked
// into, in ../lib of there, and where the dynamic linker looks.
#ifndef TUB_CUDA_PLUGIN_H
#define TUB_CUDA_PLUGIN_H

#include "gpu.h"

// Errors: TUB_ERROR_DEVICE: not there, not loadable, of another build: what to do. *library is to be unloaded.
tub_status tub_cuda_plugin_load(const tub_gpu_ops **ops, void **library, tub_error *err);
void tub_cuda_plugin_unload(void *library);

#endif
