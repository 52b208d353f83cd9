// What NVIDIA's driver shows this process, whether or not the plug-in can use it.
#ifndef TUB_CUDA_DRIVER_H
#define TUB_CUDA_DRIVER_H

// The number of GPUs; 0 if there is no driver, it finds none, or CUDA_VISIBLE_DEVICES hides them. Initializes the
// driver, which takes a moment.
int tub_cuda_driver_gpus(void);

#endif
