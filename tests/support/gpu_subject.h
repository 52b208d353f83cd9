// A small network as the CUDA backend's executable on the fake device, with pixels for it, and its log messages.
#ifndef GPU_SUBJECT_H
#define GPU_SUBJECT_H

#include "fake_gpu.h"
#include "gpu_executable.h"

enum { FRAMES = 4, HEIGHT = 12, WIDTH = 12, COLS = 16, HEADS = 2, ITEMS = 40, PIXELS = 3 * HEIGHT * WIDTH };

typedef struct gpu_subject {
    tub_program *program;
    tub_backend *backend;
    tub_executable *executable;
    float weights[COLS * 3 * COLS + 3 * 2 * 4 * 4 * COLS], ones[3 * COLS];
    unsigned char pixels[ITEMS + FRAMES][PIXELS];
    const void *frames[ITEMS * FRAMES];
    float rows[ITEMS * COLS];
    int informed, warned;           // number of messages
    char last[TUB_ERROR_TEXT];      // the last message
} gpu_subject;

extern unsigned gpu_subject_without; // TUB_GPU_WITHOUT_*, for what is opened next
extern uint64_t gpu_subject_group;   // tub_open_params.group, likewise
extern bool gpu_subject_joins;       // what is built next has a rotation and an erf-GELU after products

// All of these fail the test if something goes wrong that they don't return.

// Tubelets, one layer of attention with heads of COLS / HEADS columns, a mean. `big`: makes qkv overflow float16.
void gpu_subject_build(gpu_subject *s, float big);
tub_status gpu_subject_open(gpu_subject *s, tub_dtype dtype, int items, size_t memory, tub_error *err);
// Builds and opens. Freed by stop().
gpu_subject *gpu_subject_start(tub_dtype dtype, int items, size_t memory);
tub_status gpu_subject_run(gpu_subject *s, int first, int items, tub_error *err);
void gpu_subject_run_all(gpu_subject *s, int batch);
// Nothing may stay on the device, whatever happened.
void gpu_subject_stop(gpu_subject *s);
// cmocka's setup and teardown: reset the device and the variables above; give the test a cache folder, *state.
int gpu_subject_enter(void **state);
int gpu_subject_leave(void **state);
// The rows of all items in float32, from a device that is reset afterwards.
void gpu_subject_wanted_rows(float *out);

#endif
