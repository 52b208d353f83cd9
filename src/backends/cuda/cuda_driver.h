// What NVIDIA's driver shows to this process, whether or not the plug-in can use it.
#ifndef TUB_CUDA_DRIVER_H
#define TUB_CUDA_DRIVER_H

// GPUs; 0 where there is no driver, where it finds none, or where CUDA_VISIBLE_DEVICES hides them. Initialises the
// driver, which takes a moment where there is one.
int tub_cuda_driver_gpus(void);

#endif
