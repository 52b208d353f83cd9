// A sample of a run in progress, taken about four times a second. Metrics and reports are made from samples.
#ifndef TUB_CLI_SAMPLE_H
#define TUB_CLI_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/tubelet.h>

enum { SAMPLE_GPUS = 16 };

typedef struct cli_sample {
    double seconds;     // since the run began
    double cpu_seconds; // processor time of the process since then
    double memory;      // resident bytes
    tub_progress progress;
    int gpu_count;
    tub_gpu_reading gpus[SAMPLE_GPUS];
} cli_sample;

// Processor time of this process.
double cli_cpu_seconds(void);
// The part of a run's processor time that isn't in any stage: mostly threads that decoders start themselves; also
// opening the model, writing, messages.
double cli_other_cpu(double cpu_seconds, const tub_progress *p);
double cli_resident_bytes(void);
double cli_peak_bytes(void);
int cli_processors(void);

// What a run can decode with.
typedef struct cli_decoding {
    int processors;
    bool on_gpu; // the encoder runs on a GPU, whose decoders are therefore available
    tub_decoder decoder;
} cli_decoding;

// What the device waited for most, and what to do about it: "device idle 12 %: waiting for decode; raise
// --decode-threads". If the device was busy, returns false, and the text says so.
bool cli_idle_advice(const tub_progress *p, const cli_decoding *decoding, char *out, size_t size);

#endif
