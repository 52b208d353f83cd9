// Keeps what was measured on a device from one run to the next.
//
// A question is a product's shape and kind, or whether to join it with the step after it; the answer is an algorithm.
// tubelet/gpu-<key>.txt under $XDG_CACHE_HOME (or ~/.cache) has one line per question. Lines that can't be read are
// skipped. An answer is `checked` once this process has seen that it gives the right bits; an answer from a file isn't.
//
// Thread-safety: one thread at a time per object. Several processes and GPUs may share a file: each writes what it has
// measured, and keeps the lines of others.
#ifndef TUB_GPU_CHOICES_H
#define TUB_GPU_CHOICES_H

#include "gpu.h"

typedef struct tub_gpu_choices tub_gpu_choices;

typedef struct tub_gpu_question {
    int m, n, k, flags;             // flags: gpu_algorithms.c
} tub_gpu_question;

typedef struct tub_gpu_answer {
    tub_gpu_question question;
    tub_gpu_algorithm algorithm;
    bool checked;
} tub_gpu_answer;

// `key`: the device's, for the file's name. Without `tune`, nothing will be measured and no file is touched.
tub_status tub_gpu_choices_open(const char *key, bool tune, tub_gpu_choices **out, tub_error *err);
void tub_gpu_choices_close(tub_gpu_choices **choices);     // accepts NULL
bool tub_gpu_choices_tune(const tub_gpu_choices *choices);
// NULL: no answer is known. Valid until the next answer is kept.
const tub_gpu_answer *tub_gpu_choices_find(const tub_gpu_choices *choices, const tub_gpu_question *question);
// `measured`: it was measured just now, and is worth writing.
tub_status tub_gpu_choices_keep(tub_gpu_choices *choices, const tub_gpu_answer *answer, bool measured, tub_error *err);
// Adds what was measured since to what the file contains by then. A file that can't be written is no error.
tub_status tub_gpu_choices_save(tub_gpu_choices *choices, tub_error *err);

#endif
