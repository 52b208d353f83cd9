// The CUDA backend's executable on the fake device, as a separate backend: runs GPU code without a GPU.
#ifndef FAKE_GPU_BACKEND_H
#define FAKE_GPU_BACKEND_H

#include "backend.h"

extern const tub_backend_ops fake_gpu_backend;

#endif
