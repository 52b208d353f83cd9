// tubelet bench --case end-to-end: whole runs of the command, from start to end, each into a new folder.
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "cli.h"
#include "interrupt.h"

typedef struct whole_runs {
    int repetitions;
    double seconds[BENCH_REPETITIONS], peak_bytes;
    json_t *start, *end; // of the last run
    double kept;         // its seconds
} whole_runs;

static double number(const json_t *event, const char *key)
{
    return json_number_value(json_object_get(event, key));
}

static int run_once(const cli_arguments *args, whole_runs *w, int i)
{
    char folder[BENCH_PATH], out[BENCH_PATH + 8];
    bench_child child = {0};
    if (!bench_folder_make(folder))
        return CLI_OUTPUT;
    snprintf(out, sizeof out, "%s/out", folder);
    int code = bench_extract(args, args->value[OPTION_VIDEO].text, NULL, out, &child);
    bench_folder_remove(folder);
    if (code == CLI_OK) {
        w->seconds[i] = child.seconds;
        w->peak_bytes = child.peak_bytes > w->peak_bytes ? child.peak_bytes : w->peak_bytes;
        json_decref(w->start);
        json_decref(w->end);
        w->start = json_incref(child.start);
        w->end = json_incref(child.end);
        w->kept = child.seconds;
    }
    bench_child_finish(&child);
    return code;
}

// Stage seconds are those of the last run. They are summed over threads, so they may exceed the run's time.
static json_t *result_of(const whole_runs *w, bench_spread spread)
{
    static const char *const from_start[] = {"family", "dtype", "backend", "isa", "clip_length", "stride"};
    static const char *const from_end[] = {
        "videos",          "frames",       "init_seconds",        "decode_seconds",     "convert_seconds",
        "forward_seconds", "save_seconds", "decode_wait_seconds", "device_wait_seconds"};
    json_t *result = json_pack("{s:s}", "case", "end-to-end");
    bench_add_seconds(result, spread, w->repetitions);
    for (size_t i = 0; i < sizeof from_start / sizeof *from_start; i++)
        json_object_set(result, from_start[i], json_object_get(w->start, from_start[i]));
    json_object_set(result, "clips", json_object_get(w->end, "rows"));
    for (size_t i = 0; i < sizeof from_end / sizeof *from_end; i++)
        json_object_set(result, from_end[i], json_object_get(w->end, from_end[i]));
    // Outside the run itself: starting, opening the model, listing what there is to do.
    json_object_set_new(result, "start_seconds", json_real(w->kept - number(w->end, "seconds")));
    json_object_set_new(result, "clips_per_second", json_real(number(w->end, "rows") / spread.median));
    json_object_set_new(result, "frames_per_second", json_real(number(w->end, "frames") / spread.median));
    json_object_set_new(result, "peak_bytes", json_real(w->peak_bytes));
    return result;
}

int cli_bench_end_to_end(const cli_arguments *args)
{
    whole_runs w = {.repetitions = cli_number(args, OPTION_REPEAT, 1)};
    int code = cli_require(args, OPTION_MODEL);
    if (code == CLI_OK)
        code = cli_require(args, OPTION_VIDEO);
    cli_catch_interrupts();
    for (int i = 0; code == CLI_OK && i < w.repetitions; i++)
        code = run_once(args, &w, i);
    if (code == CLI_OK) {
        bench_spread spread = bench_spread_of(w.seconds, w.repetitions);
        code = bench_print(args, result_of(&w, spread),
                           "end-to-end: %.0f videos, %.0f clips in %.2f s (median of %d; %.2f clips/s); decode %.2f, "
                           "convert %.2f, forward %.2f s of work; %.0f MB at most",
                           number(w.end, "videos"), number(w.end, "rows"), spread.median, w.repetitions,
                           number(w.end, "rows") / spread.median, number(w.end, "decode_seconds"),
                           number(w.end, "convert_seconds"), number(w.end, "forward_seconds"), w.peak_bytes / 1e6);
    }
    json_decref(w.start);
    json_decref(w.end);
    return code;
}
