// Traces: what each thread of a run did and when, in a file that Perfetto (ui.perfetto.dev) and chrome://tracing open.
//
//   tub_trace *trace = NULL;
//   tub_trace_open(NULL, &trace, &err);
//   params.extractor.trace = trace;                 // the extractor's threads write into it
//   ... run ...
//   tub_trace_save(trace, "run.json", &err);
//   tub_trace_close(&trace);
//
// Every thread writes into its own lane, without locks. Without a trace there is no lane, and a span costs a
// comparison. The spans of a lane nest, and include the processor time that their thread used (`tdur`). If a profiler
// has injected itself into the process (through NVTX_INJECTION64_PATH, as Nsight Systems does), it gets the same spans
// as NVTX ranges.
#ifndef TUBELET_TRACE_H
#define TUBELET_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// Thread-safety: any thread may make a lane; save and close when no thread uses a lane any more.
typedef struct tub_trace tub_trace;
// Thread-safety: one thread at a time.
typedef struct tub_lane tub_lane;

// All zero = defaults.
typedef struct tub_trace_params {
    size_t size;            // sizeof(tub_trace_params)
    size_t most_events;     // most events per lane; later ones are dropped and counted (0 = 1048576, at most 56 MiB a
                            // lane)
    bool ranges_only;       // records nothing: spans go only to a profiler
} tub_trace_params;

// Ownership: the caller closes *out. Errors: TUB_ERROR_ARGUMENT, TUB_ERROR_MEMORY.
TUB_API tub_status tub_trace_open(const tub_trace_params *params, tub_trace **out, tub_error *err);

// Makes a lane for the calling thread; the trace owns it. `name` is copied. NULL if `trace` is NULL or memory is short.
TUB_API tub_lane *tub_trace_lane(tub_trace *trace, const char *name);

// A span from begin to end; at most 8 are open at once. `name` is static text. `detail` (may be NULL) is copied;
// `value` < 0: none. Nothing happens if `lane` is NULL.
TUB_API void tub_lane_begin(tub_lane *lane, const char *name);
TUB_API void tub_lane_end(tub_lane *lane, const char *detail, int64_t value);
// A span that ends now and took `seconds`, inside the open span. Spans of less than 10 µs are left out.
TUB_API void tub_lane_took(tub_lane *lane, const char *name, double seconds);
// A number that changes over time, drawn as a graph. `name` is static text.
TUB_API void tub_lane_count(tub_lane *lane, const char *name, int64_t value);

// Events that were dropped because their lane was full.
TUB_API int64_t tub_trace_dropped(const tub_trace *trace);

// Writes the trace as JSON, whole or not at all. Errors: TUB_ERROR_OUTPUT.
TUB_API tub_status tub_trace_save(const tub_trace *trace, const char *path, tub_error *err);

// Frees the lanes too. Accepts NULL and a pointer to NULL.
TUB_API void tub_trace_close(tub_trace **trace);

#ifdef __cplusplus
}
#endif
#endif
