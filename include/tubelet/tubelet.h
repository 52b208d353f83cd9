// libtubelet: videos into features, exactly as PyTorch would compute them.
//
//   status.h      status codes, error text, log
//   video.h       frames of a video file
//   transform.h   what happens to pixels
//   sampling.h    windows, presets
//   checkpoint.h  families, random checkpoints
//   encoder.h     a checkpoint on a device
//   extractor.h   many videos through one encoder
//   dataset.h     a folder of videos into a folder of features
//   gpu_monitor.h what a GPU is doing
//   trace.h       what each thread did and when
//   machine.h     what this machine has, and what of it is used
//   plan.h        what a run would do, and how long it would take
//   tune.h        the fastest settings for a model, measured and kept
//   npy.h         arrays in files
//   layout.h      names and containers of feature files
//   features.h    folders of features: verified, compared, resampled, configured for
//
// A folder of videos into a folder of features, as `tubelet extract` does it (cc program.c $(pkg-config --cflags --libs
// tubelet)):
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
// Every params struct begins with `size_t size`: its sizeof, or 0 for the same. All else zero means defaults. This holds
// for the params within params, too. Another size is TUB_ERROR_ARGUMENT: the program was compiled with the headers of
// another version of this library, and neither shorter nor longer structs are understood. So is a value that an enum or
// a set of flags doesn't have, and a negative number of something, and where a call returns a tub_status a pointer that is
// NULL though nothing says that it may be. Calls that return something else need what they are asked of.
// A child that is forked opens its own objects: those of its parent it neither uses nor closes, as their threads are the
// parent's.
// open/close allocate and free. The library never prints, exits, aborts or changes process state. It computes with the
// rounding of the thread that calls it: rows are as described where that is to nearest, as at a program's start.
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
