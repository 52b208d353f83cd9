// One look at a run that is under way, about four times a second: what metrics and reports are made from.
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

// Of this process.
double cli_cpu_seconds(void);
// Of a run's processor time what none of the stages took: threads that decoders start themselves, above all; opening
// the model, writing, messages.
double cli_other_cpu(double cpu_seconds, const tub_progress *p);
double cli_resident_bytes(void);
double cli_peak_bytes(void);
int cli_processors(void);

// What a run has to decode with.
typedef struct cli_decoding {
    int processors;
    bool on_gpu; // the encoder is, so that its decoders are there as well
    tub_decoder decoder;
} cli_decoding;

// What the device waited for most, and what to do about it: "device idle 12 %: waiting for decode; raise
// --decode-threads". Returns false, with a text that says so, where the device was busy.
bool cli_idle_advice(const tub_progress *p, const cli_decoding *decoding, char *out, size_t size);

#endif
