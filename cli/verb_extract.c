// tubelet extract: a folder of videos into a folder of features.
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "console.h"
#include "interrupt.h"
#include "plan_report.h"
#include "profile_use.h"
#include "report.h"
#include "run_settings.h"
#include "watch.h"

typedef struct extraction {
    const cli_arguments *args;
    cli_settings settings;
    int rank, world;
    const char *shard_source;
    tub_dataset *dataset;
    tub_encoder *encoder;
    tub_description *description; // instead of the encoder, if none is needed
    const tub_encoder_info *info; // of the encoder or the description
    tub_encoder_info elsewhere;   // likewise, if the model can't be computed here
    const char *pinned;           // backend of the features already in the folder, if they decide; else NULL
    cli_report report;
    cli_profile profile;
    cli_watch watch;
} extraction;

static int read_shard(extraction *x)
{
    tub_error err;
    const char *text = cli_text(x->args, OPTION_SHARD, NULL);
    x->shard_source = "--shard";
    tub_status s = text ? tub_shard_parse(text, &x->rank, &x->world, &err)
                        : tub_shard_from_environment(&x->rank, &x->world, &x->shard_source, &err);
    return s == TUB_OK ? CLI_OK : cli_fail(&err);
}

// `plan`, or `extract --dry-run`.
static bool is_dry(const cli_arguments *args)
{
    return args->verb->bit == VERB_PLAN || cli_given(args, OPTION_DRY_RUN);
}

static int open_dataset(extraction *x)
{
    const cli_arguments *args = x->args;
    tub_dataset_params params = {
        .size = sizeof params,
        .inputs = args->operands,
        .input_count = (size_t)args->operand_count,
        .recursive = cli_given(args, OPTION_RECURSIVE),
        .out = args->value[OPTION_OUT].text,
        .shard_rank = x->rank,
        .shard_world = x->world,
        .annotations = cli_text(args, OPTION_ANNOTATIONS, NULL),
        .layout = x->settings.layout,
        .retry_failed = cli_given(args, OPTION_RETRY_FAILED),
        .dry_run = is_dry(args),
        .log = x->settings.encoder.log,
    };
    tub_error err;
    if (tub_dataset_open(&params, &x->dataset, &err) != TUB_OK)
        return cli_fail(&err);
    cli_report_init(&x->report, args, x->dataset, x->rank, x->world, x->shard_source);
    return CLI_OK;
}

static bool is_open(const char *name)
{
    return !name || !strcmp(name, "auto");
}

// Precision and backend, if left open, are those of the features that are already there.
static void take_pins(extraction *x)
{
    tub_encoder_params *encoder = &x->settings.encoder;
    tub_dtype dtype;
    const char *backend;
    x->pinned = NULL;
    if (!tub_dataset_pinned(x->dataset, &dtype, &backend))
        return;
    if (encoder->dtype == TUB_DTYPE_AUTO || is_open(encoder->backend))
        x->pinned = backend;
    if (encoder->dtype == TUB_DTYPE_AUTO)
        encoder->dtype = dtype;
    if (backend && is_open(encoder->backend))
        encoder->backend = backend;
}

// What failed is what the folder pins, not what the user asked for: the error's own advice alone wouldn't help.
static int fail_to_open(const extraction *x, const tub_error *err)
{
    if (err->status != TUB_ERROR_DEVICE || !x->pinned)
        return cli_fail(err);
    return cli_refuse(cli_exit_code(err->status),
                      "%s holds features that the %s backend computed in %s, and the rest can't be computed so here "
                      "(%s): choose another output folder, or go on where they were begun",
                      cli_text(x->args, OPTION_OUT, ""), x->pinned, tub_dtype_name(x->settings.encoder.dtype),
                      err->text);
}

// A folder that was begun on the processor is continued there, even if a GPU would be chosen by default.
static void tell_unused_gpus(const extraction *x, const tub_encoder_params *asked)
{
    tub_encoder_params params = *asked;
    tub_description *d = NULL;
    if (!x->pinned || !x->encoder || strcmp(x->info->device, "cpu") || !is_open(asked->device) ||
        !is_open(asked->backend))
        return;
    params.log = (tub_log){0}; // messages about the model were already printed
    params.known_stamp = x->settings.encoder.known_stamp;
    params.known_hash = x->settings.encoder.known_hash;
    if (tub_describe(&params, &d, NULL) == TUB_OK && !strcmp(tub_description_get_info(d)->encoder.device, "cuda"))
        cli_warn("GPUs are there, but not used: %s holds features that the %s backend computed on the processor; "
                 "another output folder takes GPUs",
                 cli_text(x->args, OPTION_OUT, ""), x->pinned);
    tub_description_close(&d);
}

// A finished folder counts as finished on other machines, too: describe the model as if it had been computed here.
static tub_status describe_elsewhere(extraction *x)
{
    const tub_encoder_params *pinned = &x->settings.encoder;
    tub_encoder_params here = *pinned;
    here.device = "cpu";
    here.backend = NULL;
    here.dtype = TUB_DTYPE_AUTO;
    tub_status s = tub_describe(&here, &x->description, NULL);
    if (s != TUB_OK)
        return s;
    x->elsewhere = tub_description_get_info(x->description)->encoder;
    x->elsewhere.dtype = pinned->dtype;
    x->elsewhere.backend = pinned->backend;
    x->elsewhere.device = strcmp(pinned->backend, "cuda") ? "cpu" : "cuda";
    snprintf(x->elsewhere.isa, sizeof x->elsewhere.isa, "elsewhere");
    x->info = &x->elsewhere;
    return TUB_OK;
}

// If there is nothing to do, a description of the model is enough to tell whether it is the same.
static tub_status describe(extraction *x, tub_error *err)
{
    tub_status s = tub_describe(&x->settings.encoder, &x->description, err);
    if (s == TUB_OK)
        x->info = &tub_description_get_info(x->description)->encoder;
    else if (s == TUB_ERROR_DEVICE && x->pinned && x->settings.encoder.backend && describe_elsewhere(x) == TUB_OK)
        return TUB_OK;
    return s;
}

static int open_model(extraction *x)
{
    tub_encoder_params *encoder = &x->settings.encoder;
    tub_error err;
    take_pins(x);
    if (!tub_dataset_known_model(x->dataset, &encoder->known_stamp, &encoder->known_hash))
        encoder->known_stamp = encoder->known_hash = NULL;
    if (!x->report.todo)
        return describe(x, &err) == TUB_OK ? CLI_OK : fail_to_open(x, &err);
    int code = cli_use_profile(x->args, &x->settings, &x->profile);
    if (code != CLI_OK)
        return code;
    if (tub_encoder_open(encoder, &x->encoder, &err) != TUB_OK)
        return fail_to_open(x, &err);
    x->info = tub_encoder_get_info(x->encoder);
    return CLI_OK;
}

static void on_event(void *user, const tub_event *event)
{
    extraction *x = user;
    cli_report_event(&x->report, event);
    cli_watch_event(&x->watch, event);
}

static tub_run_params run_params(extraction *x)
{
    const cli_arguments *args = x->args;
    const tub_device_preset *preset = cli_device_preset(args);
    return (tub_run_params){
        .size = sizeof(tub_run_params),
        .extractor = {.size = sizeof(tub_extractor_params),
                      .sampling = x->settings.sampling,
                      .decode_threads = cli_number(args, OPTION_DECODE_THREADS,
                                                   preset ? preset->decode_threads : x->profile.decode_threads),
                      .prefetch = cli_number(args, OPTION_PREFETCH, preset ? preset->prefetch : x->profile.prefetch),
                      .video_stream = cli_number(args, OPTION_VIDEO_STREAM, -1) + 1,
                      .decoder = cli_decoder(args),
                      .resizer = cli_resizer(args),
                      .trace = x->watch.trace,
                      .log = x->settings.encoder.log},
        .preset = x->settings.preset ? x->settings.preset->name : NULL,
        .pool = x->settings.encoder.pool,
        .on_event = on_event,
        .user = x,
        .stop = cli_stop_flag(),
    };
}

// Whether something was left open, and the folder holds another precision or backend than we chose.
static bool chose_otherwise(const extraction *x, const tub_encoder_params *asked)
{
    tub_dtype dtype;
    const char *backend;
    if (!tub_dataset_pinned(x->dataset, &dtype, &backend))
        return false;
    return (asked->dtype == TUB_DTYPE_AUTO && dtype != x->info->dtype) ||
           (is_open(asked->backend) && strcmp(backend, x->info->backend) != 0);
}

// If shards start together in a new folder on different machines, the first decides and the others follow it.
static int obey_pin(extraction *x, const tub_encoder_params *asked)
{
    const tub_run_params params = run_params(x);
    tub_error err;
    if (!x->encoder || is_dry(x->args))
        return CLI_OK;
    if (tub_dataset_pin(x->dataset, x->info, &params, &err) != TUB_OK)
        return cli_fail(&err);
    if (!chose_otherwise(x, asked))
        return CLI_OK;
    tub_encoder_close(&x->encoder);
    x->settings.encoder = *asked;
    return open_model(x);
}

static int open_as_pinned(extraction *x)
{
    const tub_encoder_params asked = x->settings.encoder;
    int code = open_model(x);
    if (code == CLI_OK)
        code = obey_pin(x, &asked);
    if (code == CLI_OK)
        tell_unused_gpus(x, &asked);
    return code;
}

static int open_encoder(extraction *x)
{
    tub_error err;
    tub_sampling resolved;
    int code = open_as_pinned(x);
    if (code != CLI_OK)
        return code;
    const tub_encoder_info *info = x->info;
    if (tub_sampling_resolve(&x->settings.sampling, info->clip_length, &resolved, &err) != TUB_OK)
        return cli_fail(&err);
    const cli_decoding decoding = cli_decoding_of(info, cli_decoder(x->args));
    cli_report_start(&x->report, info, &resolved, &decoding);
    cli_watch_start(&x->watch, info, &resolved, &decoding);
    if (*x->profile.line)
        cli_say(x->report.text, "[R%d] %s", x->rank, x->profile.line);
    return CLI_OK;
}

static tub_status run_or_settle(extraction *x, tub_run_totals *totals, tub_error *err)
{
    const tub_run_params params = run_params(x);
    return x->encoder ? tub_dataset_run(x->dataset, x->encoder, &params, totals, err)
                      : tub_dataset_settle(x->dataset, x->info, &params, totals, err);
}

static int plan_dataset(extraction *x)
{
    tub_run_totals totals = {0};
    tub_error err;
    tub_plan *plan = NULL;
    int seconds = cli_number(x->args, OPTION_BUDGET, -1);
    const tub_plan_params params = {.size = sizeof params,
                                    .dataset = x->dataset,
                                    .info = x->info,
                                    .encoder = seconds == 0 ? NULL : x->encoder,
                                    .asked = x->settings.encoder,
                                    .extractor = run_params(x).extractor,
                                    .seconds = seconds > 0 ? seconds : 0,
                                    .stop = cli_stop_flag()};
    tub_status s = run_or_settle(x, &totals, &err); // dry: checks whether the folder would accept it
    if (s == TUB_OK)
        s = tub_plan_make(&params, &plan, &err);
    if (s == TUB_OK)
        cli_report_plan(&x->report, x->dataset, plan);
    tub_plan_close(&plan);
    if (s == TUB_ERROR_CANCELLED && cli_interrupted())
        return cli_interrupted();
    return s == TUB_OK ? CLI_OK : cli_fail(&err);
}

static int run_dataset(extraction *x)
{
    const cli_report *r = &x->report;
    tub_run_totals totals = {0};
    tub_error err;
    tub_status s = run_or_settle(x, &totals, &err);
    cli_status_line("");
    if (s == TUB_ERROR_ARGUMENT) // mixed settings: nothing ran
        return cli_fail(&err);
    cli_report_end(&x->report, &totals, s);
    int watched = cli_watch_end(&x->watch, &totals, s);
    if (s == TUB_ERROR_CANCELLED && cli_interrupted())
        return cli_interrupted();
    if (s != TUB_OK)
        return cli_fail(&err);
    if (watched != CLI_OK)
        return watched;
    return totals.failed + totals.partial + r->partial_before > 0 ? CLI_INCOMPLETE : CLI_OK;
}

int cli_extract(const cli_arguments *args)
{
    extraction x = {.args = args};
    int code = cli_require(args, OPTION_MODEL);
    if (code == CLI_OK)
        code = cli_require(args, OPTION_OUT);
    if (code == CLI_OK)
        code = cli_read_settings(args, &x.settings);
    if (code == CLI_OK)
        code = read_shard(&x);
    if (code == CLI_OK)
        code = cli_watch_open(&x.watch, args, x.rank, x.world);
    cli_catch_interrupts();
    if (code == CLI_OK)
        code = open_dataset(&x);
    if (code == CLI_OK)
        code = open_encoder(&x);
    if (code == CLI_OK)
        code = is_dry(args) ? plan_dataset(&x) : run_dataset(&x);
    tub_encoder_close(&x.encoder);
    tub_description_close(&x.description);
    tub_dataset_close(&x.dataset);
    cli_watch_finish(&x.watch);
    cli_report_finish(&x.report);
    return code;
}
