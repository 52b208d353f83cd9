// tubelet bench --case ablation: what each optimization gains, by switching each off in turn, then all of them.
//
// One turn runs everything once: all on, each one off, all off. Speed-ups are computed within a turn, so that a machine
// that is busy for a while slows both sides.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_extraction.h"
#include "cli.h"
#include "console.h"
#include "run_settings.h"

enum { TURNS = 100 };

typedef struct setup {
    tub_encoder_params encoder;
    tub_extractor_params extractor;
} setup;

static void one_item(setup *s)
{
    s->encoder.batch = 1;
}

static void one_thread(setup *s)
{
    s->encoder.threads = 1;
    s->extractor.decode_threads = 1;
}

static void no_overlap(setup *s)
{
    s->extractor.without |= TUB_WITHOUT_OVERLAP;
    s->extractor.prefetch = 1;
}

static void full_precision(setup *s)
{
    s->encoder.dtype = TUB_F32;
}

static void decode_again(setup *s)
{
    s->extractor.without |= TUB_WITHOUT_DECODE_ONCE;
}

static void convert_again(setup *s)
{
    s->extractor.without |= TUB_WITHOUT_CONVERT_ONCE;
}

static void encode_again(setup *s)
{
    s->extractor.without |= TUB_WITHOUT_ENCODE_ONCE;
}

static void no_mixing(setup *s)
{
    s->extractor.without |= TUB_WITHOUT_MIXING;
}

static void decode_all(setup *s)
{
    s->extractor.without |= TUB_WITHOUT_LEAVING_OUT;
}

static void pixels_by_processor(setup *s)
{
    s->extractor.resizer = TUB_RESIZER_CPU;
}

static void no_own_kernels(setup *s)
{
    s->encoder.backend = "onednn";
}

typedef struct ablation ablation;

// Each returns why the switch has no meaning here, or NULL.
static const char *about_precision(const ablation *a);
static const char *about_reuse(const ablation *a);
static const char *about_needed(const ablation *a);
static const char *about_mixing(const ablation *a);
static const char *about_backend(const ablation *a);
static const char *about_pixels(const ablation *a);

typedef struct ablation_switch {
    const char *name, *off;
    void (*turn_off)(setup *s);
    const char *(*why_not)(const ablation *a); // NULL: always has a meaning
    bool other_rows;                           // the rows differ by design
    unsigned gpu_without;                      // instead of the two functions: TUB_GPU_WITHOUT_...
} ablation_switch;

static const ablation_switch switches[] = {
    {"batch size", "one item a forward", one_item, NULL, false, 0},
    {"threads", "one compute and one decoding thread", one_thread, NULL, false, 0},
    {"prefetch", "no decoding during a forward", no_overlap, NULL, false, 0},
    {"precision", "float32", full_precision, about_precision, true, 0},
    {"decode once", "each window seeks and decodes", decode_again, NULL, false, 0},
    {"preprocess once", "each window converts its frames", convert_again, NULL, false, 0},
    {"frame reuse", "each window encodes its frames", encode_again, about_reuse, false, 0},
    {"needed frames only", "frames of no window are decoded", decode_all, about_needed, false, 0},
    {"cross-video batches", "a batch ends with its video", no_mixing, about_mixing, false, 0},
    {"backend", "oneDNN's kernels in ours' place", no_own_kernels, about_backend, true, 0},
    {"pixels on the GPU", "frames are resized on the processor", pixels_by_processor, about_pixels, false, 0},
    {"CUDA graphs", "steps are launched one by one", NULL, NULL, false, TUB_GPU_WITHOUT_GRAPHS},
    {"autotuning", "products by cuBLASLt's advice", NULL, NULL, false, TUB_GPU_WITHOUT_TUNING},
    {"cuDNN", "attention by our own kernel", NULL, NULL, true, TUB_GPU_WITHOUT_CUDNN},
    {"non-blocking copies", "frames are copied before computing", NULL, NULL, false, TUB_GPU_WITHOUT_OVERLAP},
};
enum { SWITCHES = sizeof switches / sizeof *switches, ROWS = SWITCHES + 2, ON = 0, TOTAL = SWITCHES + 1 };

struct ablation {
    bench_videos videos;
    setup setup;
    int turns;
    bench_outcome first[ROWS]; // of the first turn
    double seconds[ROWS][TURNS], speedup[ROWS][TURNS];
    const char *skipped[ROWS]; // why, or NULL
};

static const char *about_precision(const ablation *a)
{
    return a->first[ON].dtype == TUB_F32 ? "the run is in float32 as it is" : NULL;
}

static const char *about_reuse(const ablation *a)
{
    return a->first[ON].per_frame ? NULL : "a clip model: windows share no frame's row";
}

static const char *about_needed(const ablation *a)
{
    return a->first[ON].frames_left_out ? NULL : "windows hold every frame, or others refer to it";
}

static const char *about_mixing(const ablation *a)
{
    return a->videos.count > 1 ? NULL : "one video only: give a folder";
}

static const char *about_backend(const ablation *a)
{
    tub_description *description = NULL;
    setup s = a->setup;
    if (strcmp(a->first[ON].backend, "native") != 0)
        return "the run doesn't use our own kernels";
    no_own_kernels(&s);
    tub_status status = tub_describe(&s.encoder, &description, NULL);
    tub_description_close(&description);
    return status == TUB_OK ? NULL : "oneDNN can't run it here";
}

static const char *about_pixels(const ablation *a)
{
    const tub_extractor_params *p = &a->setup.extractor;
    const bool decodes = p->decoder == TUB_DECODER_NVDEC || p->decoder == TUB_DECODER_BOTH;
    const bool asked = p->resizer == TUB_RESIZER_GPU || (p->resizer == TUB_RESIZER_AUTO && decodes);
    if (strcmp(a->first[ON].backend, "cuda") != 0)
        return "the run doesn't use a GPU";
    return asked ? NULL : "the processor resizes as it is: --decoder nvdec, --resize gpu";
}

static const char *about_gpu(const ablation *a, unsigned what)
{
    if (strcmp(a->first[ON].backend, "cuda") != 0)
        return "the run doesn't use a GPU";
    return a->setup.encoder.gpu_without & what ? "the run does without it as it is" : NULL;
}

static void turn_off(const ablation_switch *which, setup *s)
{
    s->encoder.gpu_without |= which->gpu_without;
    if (which->turn_off)
        which->turn_off(s);
}

// Row 0 has everything on, the last row everything off; each row between turns one off.
static setup setup_of(const ablation *a, int row)
{
    setup s = a->setup;
    for (int i = 0; i < SWITCHES; i++)
        if ((row == TOTAL || row == i + 1) && !a->skipped[i + 1])
            turn_off(&switches[i], &s);
    return s;
}

static const char *name_of(int row)
{
    return row == ON ? "all on" : row == TOTAL ? "total" : switches[row - 1].name;
}

static int run_row(ablation *a, int row, int turn)
{
    char text[128];
    bench_outcome outcome;
    if (a->skipped[row])
        return CLI_OK;
    if (cli_has_status_line()) {
        snprintf(text, sizeof text, "ablation: turn %d of %d: %s", turn + 1, a->turns, name_of(row));
        cli_status_line(text);
    }
    setup s = setup_of(a, row);
    int code = bench_extraction(&a->videos, &s.encoder, &s.extractor, &outcome);
    if (turn == 0)
        a->first[row] = outcome;
    a->seconds[row][turn] = outcome.seconds;
    a->speedup[row][turn] = outcome.seconds / a->seconds[ON][turn];
    return code;
}

static void skip_what_has_no_meaning(ablation *a)
{
    for (int i = 0; i < SWITCHES; i++)
        if (switches[i].why_not)
            a->skipped[i + 1] = switches[i].why_not(a);
        else if (switches[i].gpu_without)
            a->skipped[i + 1] = about_gpu(a, switches[i].gpu_without);
}

static int run_turns(ablation *a)
{
    int code = CLI_OK;
    for (int turn = 0; code == CLI_OK && turn < a->turns; turn++)
        for (int row = 0; code == CLI_OK && row < ROWS; row++) {
            code = run_row(a, row, turn);
            if (turn == 0 && row == ON)
                skip_what_has_no_meaning(a);
        }
    if (cli_has_status_line())
        cli_status_line("");
    return code;
}

// A switch must change only the time: if the rows differed, it would not be the same work.
static int check_rows(const ablation *a)
{
    for (int i = 0; i < SWITCHES; i++)
        if (!a->skipped[i + 1] && !switches[i].other_rows && a->first[i + 1].rows != a->first[ON].rows)
            return cli_refuse(CLI_FATAL, "%s: other rows than with all on: please report this", switches[i].name);
    return CLI_OK;
}

static json_t *row_json(ablation *a, int row)
{
    const char *off = row == TOTAL ? "all of these" : switches[row - 1].off;
    json_t *out = json_pack("{s:s, s:s}", "optimization", name_of(row), "off", off);
    if (a->skipped[row]) {
        json_object_set_new(out, "speedup", json_null());
        json_object_set_new(out, "note", json_string(a->skipped[row]));
        return out;
    }
    bench_spread speedup = bench_spread_of(a->speedup[row], a->turns);
    bench_add_seconds(out, bench_spread_of(a->seconds[row], a->turns), a->turns);
    json_object_set_new(out, "speedup", json_real(speedup.median));
    json_object_set_new(out, "min_speedup", json_real(speedup.least));
    json_object_set_new(out, "max_speedup", json_real(speedup.most));
    json_object_set_new(out, "same_rows", json_boolean(a->first[row].rows == a->first[ON].rows));
    return out;
}

static json_t *result_of(ablation *a, const cli_arguments *args)
{
    const bench_outcome *on = &a->first[ON];
    json_t *rows = json_array();
    for (int row = 1; row < ROWS; row++)
        json_array_append_new(rows, row_json(a, row));
    json_t *result = json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I}", "case", "ablation", "model",
                               cli_text(args, OPTION_MODEL, ""), "dtype", tub_dtype_name(on->dtype), "backend",
                               on->backend, "batch", on->batch, "videos", (json_int_t)a->videos.count, "clips",
                               (json_int_t)on->clips, "frames", (json_int_t)on->frames);
    bench_add_seconds(result, bench_spread_of(a->seconds[ON], a->turns), a->turns);
    json_object_set_new(result, "rows", rows);
    return result;
}

static double real(const json_t *row, const char *key)
{
    return json_number_value(json_object_get(row, key));
}

static void say_row(const json_t *row, bool markdown)
{
    const char *name = json_string_value(json_object_get(row, "optimization"));
    const char *off = json_string_value(json_object_get(row, "off"));
    const char *note = json_string_value(json_object_get(row, "note"));
    char seconds[80] = "", speedup[80] = "";
    if (!note) {
        snprintf(seconds, sizeof seconds, "%.2f (%.2f-%.2f)", real(row, "seconds"), real(row, "min_seconds"),
                 real(row, "max_seconds"));
        snprintf(speedup, sizeof speedup, "%.2f (%.2f-%.2f)", real(row, "speedup"), real(row, "min_speedup"),
                 real(row, "max_speedup"));
    }
    cli_say(stdout, markdown ? "| %s | %s | %s | %s |" : "%-19s  %-36s  %18s  %s", name, off, seconds,
            note ? note : speedup);
}

static int print_table(const json_t *result, bool markdown)
{
    const json_t *rows = json_object_get(result, "rows");
    cli_say(stdout, "%s, %s, %s: %.0f clips of %.0f frames of %.0f videos in %.2f s (%.2f-%.2f), median of %.0f turns",
            json_string_value(json_object_get(result, "model")), json_string_value(json_object_get(result, "dtype")),
            json_string_value(json_object_get(result, "backend")), real(result, "clips"), real(result, "frames"),
            real(result, "videos"), real(result, "seconds"), real(result, "min_seconds"), real(result, "max_seconds"),
            real(result, "repetitions"));
    if (markdown) {
        cli_say(stdout, "%s", "");
        cli_say(stdout, "| Optimization | Switched off | Seconds without it | Speed-up that it gives |");
        cli_say(stdout, "|---|---|---|---|");
    } else {
        cli_say(stdout, "%-19s  %-36s  %18s  %s", "", "switched off", "seconds without it", "speed-up that it gives");
    }
    for (size_t i = 0; i < json_array_size(rows); i++)
        say_row(json_array_get(rows, i), markdown);
    return CLI_OK;
}

static int read_setup(const cli_arguments *args, ablation *a)
{
    cli_settings settings;
    int code = cli_require(args, OPTION_MODEL);
    if (code == CLI_OK)
        code = cli_require(args, OPTION_VIDEO);
    if (code == CLI_OK)
        code = cli_read_settings(args, &settings);
    a->turns = cli_number(args, OPTION_REPEAT, 3);
    if (code == CLI_OK && a->turns > TURNS)
        code = cli_refuse(CLI_USAGE, "--repeat %d: an ablation takes at most %d turns", a->turns, TURNS);
    if (code != CLI_OK)
        return code;
    a->setup.encoder = settings.encoder;
    a->setup.extractor = (tub_extractor_params){.size = sizeof a->setup.extractor,
                                                .sampling = settings.sampling,
                                                .decode_threads = cli_number(args, OPTION_DECODE_THREADS, 0),
                                                .prefetch = cli_number(args, OPTION_PREFETCH, 0),
                                                .decoder = cli_decoder(args),
                                                .resizer = cli_resizer(args),
                                                .log = settings.encoder.log};
    return bench_videos_open(args->value[OPTION_VIDEO].text, &a->videos);
}

int cli_bench_ablation(const cli_arguments *args)
{
    ablation *a = calloc(1, sizeof *a);
    if (!a)
        return cli_refuse(CLI_FATAL, "out of memory");
    int code = read_setup(args, a);
    if (code == CLI_OK)
        code = run_turns(a);
    if (code == CLI_OK)
        code = check_rows(a);
    if (code == CLI_OK) {
        json_t *result = result_of(a, args);
        if (cli_given(args, OPTION_JSON)) {
            code = bench_print(args, result, "%s", "");
        } else {
            code = print_table(result, cli_given(args, OPTION_MARKDOWN));
            json_decref(result);
        }
    }
    bench_videos_close(&a->videos);
    free(a);
    return code;
}
