// gpu_host.h for the fake device, by the emulator: whole programs run the plug-in's kernels, each launch in another
// order.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "emulator.h"
#include "gpu_host.h"
#include "gpu_kernels.h"

void tub_gpu_host_launch(const tub_gpu_task *task)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int launches;
    pthread_mutex_lock(&lock);
    emulator_order(launches++ % EMULATOR_ORDERS);
    const cudaError_t code = tub_cuda_launch_task(task, NULL);
    if (code != cudaSuccess) {
        fprintf(stderr, "emulator: kind %d: error %d: %s\n", (int)task->kind, (int)code, emulator_said());
        abort();
    }
    pthread_mutex_unlock(&lock);
}
