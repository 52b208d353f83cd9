#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "console.h"
#include "report_html.h"
#include "save_file.h"

enum { LONGEST_ENDING = 32 }; // of a file's temporary name

static size_t length_without_slashes(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

// Whether it is the folder of features, which the run creates.
static bool is_out(const cli_arguments *args, const char *folder)
{
    const char *out = cli_text(args, OPTION_OUT, "");
    const size_t length = length_without_slashes(out);
    return length_without_slashes(folder) == length && strncmp(out, folder, length) == 0;
}

// Checked now: an error hours later would be too late.
static int check_writable(const cli_arguments *args, option_id id, const char *name)
{
    const char *path = cli_text(args, id, NULL);
    if (!path)
        return CLI_OK;
    char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash)
        slash[slash == folder] = '\0';
    const char *below = slash ? folder : ".";
    const char *why = NULL;
    if (cli_is_no_file(path))
        why = "it is a folder or a device: name a file";
    else if (access(below, W_OK) && !(errno == ENOENT && is_out(args, below)))
        why = strerror(errno);
    else if (strlen(slash ? path + (slash - folder) + 1 : path) > NAME_MAX - LONGEST_ENDING)
        why = "its name is too long";
    free(folder);
    return why ? cli_refuse(CLI_OUTPUT, "--%s %s: can't be written: %s", name, path, why) : CLI_OK;
}

// A profiler that is loaded gets its ranges even without --trace.
static int open_trace(cli_watch *w)
{
    tub_error err;
    const char *profiler = getenv("NVTX_INJECTION64_PATH");
    bool asked = cli_given(w->args, OPTION_TRACE);
    if (!asked && !(profiler && *profiler))
        return CLI_OK;
    tub_trace_params params = {.size = sizeof params, .ranges_only = !asked};
    return tub_trace_open(&params, &w->trace, &err) == TUB_OK ? CLI_OK : cli_fail(&err);
}

static int check_files(const cli_arguments *args)
{
    int code = check_writable(args, OPTION_TRACE, "trace");
    if (code == CLI_OK)
        code = check_writable(args, OPTION_REPORT, "report");
    return code == CLI_OK ? check_writable(args, OPTION_METRICS_FILE, "metrics-file") : code;
}

int cli_watch_open(cli_watch *w, const cli_arguments *args, int rank, int world)
{
    *w = (cli_watch){.args = args};
    const char *file = cli_text(args, OPTION_METRICS_FILE, NULL), *port = cli_text(args, OPTION_METRICS_PORT, NULL);
    int code = check_files(args);
    if (code == CLI_OK)
        code = open_trace(w);
    if (code == CLI_OK && (file || port))
        code = cli_metrics_open(file, port, rank, world, &w->metrics);
    if (code != CLI_OK || !cli_given(args, OPTION_REPORT))
        return code;
    w->record = cli_record_open(args, rank, world);
    return w->record ? CLI_OK : cli_refuse(CLI_FATAL, "out of memory");
}

// A driver that reports nothing is no reason to stop.
static void open_gpus(cli_watch *w, const tub_encoder_info *info)
{
    if (strcmp(info->device, "cuda"))
        return;
    for (int i = 0; i < info->lanes && i < SAMPLE_GPUS; i++)
        if (tub_gpu_monitor_open(info->gpus[i], &w->gpus[w->gpu_count], NULL) == TUB_OK)
            w->gpu_count++;
}

void cli_watch_start(cli_watch *w, const tub_encoder_info *info, const tub_sampling *sampling,
                     const cli_decoding *decoding)
{
    if (w->metrics || w->record)
        open_gpus(w, info);
    if (w->metrics)
        cli_metrics_start(w->metrics, info, w->gpus, w->gpu_count);
    if (w->record)
        cli_record_start(w->record, info, sampling, decoding);
    w->began = cli_now();
    w->cpu_before = cli_cpu_seconds();
}

static cli_sample look(cli_watch *w, const tub_progress *progress)
{
    cli_sample sample = {.seconds = cli_now() - w->began,
                         .cpu_seconds = cli_cpu_seconds() - w->cpu_before,
                         .memory = cli_resident_bytes(),
                         .progress = *progress,
                         .gpu_count = w->gpu_count};
    for (int i = 0; i < w->gpu_count; i++)
        tub_gpu_monitor_read(w->gpus[i], &sample.gpus[i]);
    return sample;
}

void cli_watch_event(cli_watch *w, const tub_event *event)
{
    if (event->kind == TUB_EVENT_VIDEO && w->record)
        cli_record_video(w->record, event);
    if (event->kind != TUB_EVENT_TICK || !(w->record || w->metrics))
        return;
    cli_sample sample = look(w, event->progress);
    if (w->record)
        cli_record_sample(w->record, &sample);
    if (w->metrics)
        cli_metrics_publish(w->metrics, &sample, event->totals, false);
}

static int save_trace(cli_watch *w)
{
    tub_error err;
    const char *path = cli_text(w->args, OPTION_TRACE, NULL);
    if (!path || !w->trace)
        return CLI_OK;
    if (tub_trace_save(w->trace, path, &err) != TUB_OK)
        return cli_fail(&err);
    long long dropped = (long long)tub_trace_dropped(w->trace);
    if (dropped > 0)
        cli_warn("%s lacks %lld events for want of room", path, dropped);
    return CLI_OK;
}

static int save_report(cli_watch *w, const tub_run_totals *totals, tub_status status)
{
    json_t *run = cli_record_json(w->record, totals, status);
    int code = run ? cli_report_save(cli_text(w->args, OPTION_REPORT, ""), run)
                   : cli_refuse(CLI_FATAL, "the report: out of memory");
    json_decref(run);
    return code;
}

int cli_watch_end(cli_watch *w, const tub_run_totals *totals, tub_status status)
{
    int code = save_trace(w);
    cli_sample sample = look(w, &totals->pipeline);
    if (w->metrics)
        cli_metrics_publish(w->metrics, &sample, totals, true);
    if (!w->record)
        return code;
    cli_record_sample(w->record, &sample);
    int report = save_report(w, totals, status);
    return code == CLI_OK ? report : code;
}

void cli_watch_finish(cli_watch *w)
{
    tub_trace_close(&w->trace);
    cli_metrics_close(&w->metrics);
    cli_record_close(&w->record);
    for (int i = 0; i < w->gpu_count; i++)
        tub_gpu_monitor_close(&w->gpus[i]);
}
