// libtubelet: turns videos into features, exactly as PyTorch would compute them.
//
//   status.h      status codes, error text, log
//   video.h       frames of a video file
//   transform.h   from a decoded frame to a model's input
//   sampling.h    windows, presets
//   checkpoint.h  families, random checkpoints
//   encoder.h     a checkpoint on a device
//   extractor.h   many videos through one encoder
//   dataset.h     from a folder of videos to a folder of features
//   gpu_monitor.h what a GPU is doing
//   trace.h       what each thread did and when
//   machine.h     what this machine has, and what of it is used
//   plan.h        what a run would do, and how long it would take
//   tune.h        the fastest settings for a model, measured and kept
//   npy.h         arrays in files
//   layout.h      names and containers of feature files
//   features.h    folders of features: verify, compare, resample, make trainers' configurations
//
// This program makes a folder of features from a folder of videos, as `tubelet extract` does. To compile it:
// cc program.c $(pkg-config --cflags --libs tubelet)
//
//   const char *inputs[] = {"videos"};
//   const tub_encoder_params model = {.model = "checkpoint"};
//   const tub_dataset_params folders = {.inputs = inputs, .input_count = 1, .out = "features"};
//   const tub_run_params run = {0};
//   tub_encoder *encoder = NULL;
//   tub_dataset *set = NULL;
//   tub_run_totals totals;
//   tub_error err;
//   if (tub_encoder_open(&model, &encoder, &err) != TUB_OK || tub_dataset_open(&folders, &set, &err) != TUB_OK ||
//       tub_dataset_run(set, encoder, &run, &totals, &err) != TUB_OK)
//       fprintf(stderr, "%s\n", err.text);
//   tub_dataset_close(&set);
//   tub_encoder_close(&encoder);
//
// Params: every params struct begins with `size_t size`, which is its sizeof or 0. Zero in all other members means
// defaults. Params within params follow the same rule. Any other size is TUB_ERROR_ARGUMENT: the program was compiled
// with the headers of another version of this library, and neither shorter nor longer structs are understood.
// Bad arguments: calls that return a tub_status answer TUB_ERROR_ARGUMENT to a value that an enum or a set of flags
// doesn't have, to a negative count, and to NULL, unless NULL is explicitly allowed. Calls that return anything else
// need valid arguments.
// Memory: open and close allocate and free. TUB_ERROR_MEMORY can come from any call that allocates.
// Processes: the library never prints, exits, aborts or changes process state. A forked child must open its own
// objects. It must neither use nor close those of its parent, whose threads exist only in the parent.
// Rounding: the library computes in the calling thread's rounding mode. Rows are as described if that is
// round-to-nearest, as it is at a program's start.
#ifndef TUBELET_TUBELET_H
#define TUBELET_TUBELET_H

#include <tubelet/checkpoint.h>
#include <tubelet/dataset.h>
#include <tubelet/encoder.h>
#include <tubelet/extractor.h>
#include <tubelet/features.h>
#include <tubelet/layout.h>
#include <tubelet/machine.h>
#include <tubelet/gpu_monitor.h>
#include <tubelet/npy.h>
#include <tubelet/plan.h>
#include <tubelet/sampling.h>
#include <tubelet/status.h>
#include <tubelet/trace.h>
#include <tubelet/transform.h>
#include <tubelet/tune.h>
#include <tubelet/video.h>

#endif
