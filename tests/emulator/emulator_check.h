// Runs tasks on the emulated device in every order, and compares them with the host's version, to the byte. Fails the
// test.
#ifndef EMULATOR_CHECK_H
#define EMULATOR_CHECK_H

#include <string.h>

#include "emulator.h"
#include "gpu_tasks.h"

// The task's memory is emulator_memory(); all of it is compared, and then freed.
void emulator_check(const tub_gpu_task *task, const char *format, ...) __attribute__((format(printf, 2, 3)));
// In one order only, for large tasks.
void emulator_check_in(int order, const tub_gpu_task *task, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int emulator_launch(const tub_gpu_task *task); // what the plug-in's launch returns; 0: success

// Numbers between -spread and spread, different ones each time, in emulator_memory().
void *emulator_numbers(tub_gpu_type type, size_t count, float spread);
uint32_t emulator_random(void);
void *emulator_space(tub_gpu_type type, size_t count); // filled with NaN

static inline const char *emulator_type_name(tub_gpu_type type)
{
    static const char *const names[] = {"float32", "float16", "bfloat16", "e4m3"};
    return names[type];
}

#endif
