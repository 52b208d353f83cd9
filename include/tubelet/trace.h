// Traces: what each thread of a run did and when, in a file that Perfetto (ui.perfetto.dev) and chrome://tracing open.
//
//   tub_trace *trace = NULL;
//   tub_trace_open(NULL, &trace, &err);
//   params.extractor.trace = trace;                 // its threads trace themselves
//   ... run ...
//   tub_trace_save(trace, "run.json", &err);
//   tub_trace_close(&trace);
//
// Every thread writes into a lane of its own, without locks; without a trace there is no lane, and a span costs a
// comparison. Spans of one lane nest, and carry the processor time that their thread had in them (`tdur`). Where a
// profiler has put itself into the process (NVTX_INJECTION64_PATH, as Nsight Systems does), the same spans are its NVTX
// ranges.
#ifndef TUBELET_TRACE_H
#define TUBELET_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// Thread-safety: lanes are made from any thread; save and close when no thread uses a lane any more.
typedef struct tub_trace tub_trace;
// Thread-safety: one thread at a time.
typedef struct tub_lane tub_lane;

// All zero = defaults.
typedef struct tub_trace_params {
    size_t size;            // sizeof(tub_trace_params)
    size_t most_events;     // of one lane; later ones are counted and left out (0 = 1048576, at most 56 MiB a lane)
    bool ranges_only;       // record nothing: only a profiler's ranges
} tub_trace_params;

TUB_API tub_status tub_trace_open(const tub_trace_params *params, tub_trace **out, tub_error *err);

// A lane of the calling thread; the trace owns it. `name` is copied. NULL where `trace` is NULL or memory is short.
TUB_API tub_lane *tub_trace_lane(tub_trace *trace, const char *name);

// A span from begin to end; at most 8 are open at once. `name` is static text. `detail` (may be NULL) is copied;
// `value` < 0: none. Nothing happens where `lane` is NULL.
TUB_API void tub_lane_begin(tub_lane *lane, const char *name);
TUB_API void tub_lane_end(tub_lane *lane, const char *detail, int64_t value);
// A span that ends now and took `seconds`, inside of the one that is open. Those of less than 10 µs are left out.
TUB_API void tub_lane_took(tub_lane *lane, const char *name, double seconds);
// A number over time, drawn as a graph. `name` is static text.
TUB_API void tub_lane_count(tub_lane *lane, const char *name, int64_t value);

// Events that found no room.
TUB_API int64_t tub_trace_dropped(const tub_trace *trace);

// Whole or not at all. Errors: TUB_ERROR_OUTPUT.
TUB_API tub_status tub_trace_save(const tub_trace *trace, const char *path, tub_error *err);

// Frees the lanes too. Accepts NULL and a pointer to NULL.
TUB_API void tub_trace_close(tub_trace **trace);

#ifdef __cplusplus
}
#endif
#endif
