#include "metrics.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "console.h"
#include "metrics_server.h"

enum { PERIOD = 5 };

struct cli_metrics {
    char *file, *temporary;
    cli_metrics_server *server;
    int rank, world;
    char labels[512];            // labels of the run
    char gpus[SAMPLE_GPUS][256]; // labels of each GPU
    double written;              // seconds of the run at which the file was last written
    bool warned;
    FILE *to; // the text being written
};

int cli_metrics_open(const char *file, const char *address, int rank, int world, cli_metrics **out)
{
    cli_metrics *m = *out = calloc(1, sizeof *m);
    if (!m)
        return cli_refuse(CLI_FATAL, "out of memory");
    m->rank = rank;
    m->world = world;
    m->written = -PERIOD;
    if (file && (asprintf(&m->temporary, "%s.%ld.tmp", file, (long)getpid()) < 0 || !(m->file = strdup(file)))) {
        m->temporary = NULL;
        return cli_refuse(CLI_FATAL, "out of memory");
    }
    return address ? cli_metrics_server_open(address, &m->server) : CLI_OK;
}

void cli_metrics_close(cli_metrics **metrics)
{
    cli_metrics *m = *metrics;
    if (!m)
        return;
    cli_metrics_server_close(&m->server);
    free(m->temporary);
    free(m->file);
    free(m);
    *metrics = NULL;
}

// A label's value: backslash, quote and newline are escaped.
static void escape(const char *text, char *out, size_t size)
{
    size_t used = 0;
    for (; *text && used + 3 < size; text++) {
        if (*text == '\\' || *text == '"' || *text == '\n')
            out[used++] = '\\';
        out[used++] = *text == '\n' ? 'n' : *text;
    }
    out[used] = '\0';
}

void cli_metrics_start(cli_metrics *m, const tub_encoder_info *info, tub_gpu_monitor *const *gpus, int count)
{
    snprintf(
        m->labels, sizeof m->labels,
        "version=\"%s\",family=\"%s\",dtype=\"%s\",backend=\"%s\",device=\"%s\",isa=\"%s\",rank=\"%d\",world=\"%d\"",
        tub_version(), info->family, tub_dtype_name(info->dtype), info->backend, info->device, info->isa, m->rank,
        m->world);
    for (int i = 0; i < count; i++) {
        char name[200];
        escape(tub_gpu_monitor_name(gpus[i]), name, sizeof name);
        snprintf(m->gpus[i], sizeof m->gpus[i], "gpu=\"%d\",name=\"%s\"", i, name);
    }
}

static void head(cli_metrics *m, const char *name, const char *type, const char *help)
{
    fprintf(m->to, "# HELP tubelet_%s %s\n# TYPE tubelet_%s %s\n", name, help, name, type);
}

// `label` = `value`, in addition to the rank; NULL: none.
static void line(cli_metrics *m, const char *name, const char *label, const char *value, double number)
{
    if (isnan(number))
        return;
    fprintf(m->to, "tubelet_%s{rank=\"%d\"", name, m->rank);
    if (label)
        fprintf(m->to, ",%s=\"%s\"", label, value);
    fprintf(m->to, "} %.12g\n", number);
}

static void single(cli_metrics *m, const char *name, const char *type, const char *help, double number)
{
    if (isnan(number))
        return;
    head(m, name, type, help);
    line(m, name, NULL, NULL, number);
}

static void write_videos(cli_metrics *m, const tub_run_totals *t)
{
    head(m, "videos", "gauge", "Videos of this shard by state.");
    line(m, "videos", "state", "ok", (double)t->ok);
    line(m, "videos", "state", "partial", (double)t->partial);
    line(m, "videos", "state", "failed", (double)t->failed);
    line(m, "videos", "state", "done_before", (double)t->skipped);
    line(m, "videos", "state", "pending", (double)t->pending);
}

static void write_work(cli_metrics *m, const tub_progress *p, const tub_run_totals *t)
{
    single(m, "frames_decoded_total", "counter", "Frames decoded.", (double)p->frames_decoded);
    single(m, "frames_left_out_total", "counter", "Of these, frames of no clip that weren't in fact.",
           (double)p->frames_left_out);
    single(m, "rows_total", "counter", "Rows (clips) encoded.", (double)p->rows_done);
    single(m, "batches_total", "counter", "Batches run by the encoder.", (double)p->batches);
    single(m, "batch_items_total", "counter", "Items in these batches.", (double)p->items);
    single(m, "batch_size", "gauge", "Most items of one batch.", (double)p->batch);
    head(m, "stage_seconds_total", "counter", "Seconds of work by stage, summed over threads.");
    line(m, "stage_seconds_total", "stage", "open", p->open_seconds);
    line(m, "stage_seconds_total", "stage", "decode", p->decode_seconds);
    line(m, "stage_seconds_total", "stage", "convert", p->convert_seconds);
    line(m, "stage_seconds_total", "stage", "forward", p->forward_seconds);
    line(m, "stage_seconds_total", "stage", "save", t->save_seconds);
}

static void write_waits(cli_metrics *m, const tub_progress *p)
{
    single(m, "decode_wait_seconds_total", "counter", "Seconds in which decode workers waited for the device.",
           p->decode_wait_seconds);
    head(m, "device_idle_seconds_total", "counter", "Seconds in which the device waited, by what it waited for.");
    line(m, "device_idle_seconds_total", "reason", "start", p->idle_start_seconds);
    line(m, "device_idle_seconds_total", "reason", "open", p->idle_open_seconds);
    line(m, "device_idle_seconds_total", "reason", "decode", p->idle_decode_seconds);
    line(m, "device_idle_seconds_total", "reason", "convert", p->idle_convert_seconds);
    line(m, "device_idle_seconds_total", "reason", "input", p->idle_input_seconds);
    line(m, "device_idle_seconds_total", "reason", "output", p->output_wait_seconds);
}

static void write_queues(cli_metrics *m, const tub_progress *p)
{
    head(m, "queue_depth", "gauge", "What waits in each queue.");
    line(m, "queue_depth", "queue", "jobs", p->jobs_waiting);
    line(m, "queue_depth", "queue", "clips", p->ready);
    line(m, "queue_depth", "queue", "results", p->results_waiting);
    line(m, "queue_depth", "queue", "slots", p->slots - p->slots_free);
    head(m, "queue_capacity", "gauge", "The most that a queue holds.");
    line(m, "queue_capacity", "queue", "clips", p->ready_most);
    line(m, "queue_capacity", "queue", "slots", p->slots);
    single(m, "decode_threads", "gauge", "Decode workers.", p->decode_threads);
}

typedef struct gpu_row {
    const char *name, *help;
    size_t field; // offset in a reading
    double scale;
} gpu_row;

static const gpu_row gpu_rows[] = {
    {"gpu_utilization_ratio", "Share of the time in which a kernel ran.", offsetof(tub_gpu_reading, use), 1},
    {"gpu_decoder_utilization_ratio", "Likewise of the video decoder.", offsetof(tub_gpu_reading, decoder_use), 1},
    {"gpu_memory_used_bytes", "Memory in use.", offsetof(tub_gpu_reading, memory_used), 1},
    {"gpu_memory_total_bytes", "Memory of the GPU.", offsetof(tub_gpu_reading, memory_total), 1},
    {"gpu_power_watts", "Power draw.", offsetof(tub_gpu_reading, power), 1},
    {"gpu_clock_hertz", "Clock of the multiprocessors.", offsetof(tub_gpu_reading, clock), 1e6},
    {"gpu_temperature_celsius", "Temperature.", offsetof(tub_gpu_reading, temperature), 1},
};

static void write_gpus(cli_metrics *m, const gpu_row *row, const cli_sample *s)
{
    bool begun = false;
    for (int i = 0; i < s->gpu_count; i++) {
        double value = *(const double *)((const char *)&s->gpus[i] + row->field) * row->scale;
        if (isnan(value))
            continue;
        if (!begun)
            head(m, row->name, "gauge", row->help);
        begun = true;
        fprintf(m->to, "tubelet_%s{rank=\"%d\",%s} %.12g\n", row->name, m->rank, m->gpus[i], value);
    }
}

static void write_all(cli_metrics *m, const cli_sample *s, const tub_run_totals *t, bool last)
{
    const tub_progress *p = &s->progress;
    head(m, "run_info", "gauge", "What runs; always 1.");
    fprintf(m->to, "tubelet_run_info{%s} 1\n", m->labels);
    single(m, "run_finished", "gauge", "1 when the run has ended.", last);
    single(m, "run_seconds", "gauge", "Seconds since the run began.", s->seconds);
    write_videos(m, t);
    write_work(m, p, t);
    write_waits(m, p);
    write_queues(m, p);
    single(m, "cpu_seconds_total", "counter", "Processor time of the process since the run began.", s->cpu_seconds);
    head(m, "stage_cpu_seconds_total", "counter",
         "Processor time by stage: decode with opening; other: threads that decoders start themselves, opening the "
         "model, writing.");
    line(m, "stage_cpu_seconds_total", "stage", "decode", p->decode_cpu_seconds);
    line(m, "stage_cpu_seconds_total", "stage", "convert", p->convert_cpu_seconds);
    line(m, "stage_cpu_seconds_total", "stage", "forward", p->forward_cpu_seconds);
    line(m, "stage_cpu_seconds_total", "stage", "other", cli_other_cpu(s->cpu_seconds, p));
    single(m, "resident_memory_bytes", "gauge", "Resident memory of the process.", s->memory);
    for (size_t i = 0; i < sizeof gpu_rows / sizeof *gpu_rows; i++)
        write_gpus(m, &gpu_rows[i], s);
}

// Replaces the file in one step: a reader sees the old text or the new one.
static bool replace(const cli_metrics *m, const char *text, size_t bytes)
{
    FILE *f = fopen(m->temporary, "we");
    if (!f)
        return false;
    bool ok = fwrite(text, 1, bytes, f) == bytes;
    ok &= fclose(f) == 0;
    ok = ok && rename(m->temporary, m->file) == 0;
    if (!ok) {
        int error = errno;
        unlink(m->temporary);
        errno = error;
    }
    return ok;
}

void cli_metrics_publish(cli_metrics *m, const cli_sample *sample, const tub_run_totals *totals, bool last)
{
    bool due = m->file && (last || sample->seconds - m->written >= PERIOD);
    char *text = NULL;
    size_t bytes = 0;
    if (!due && !m->server)
        return;
    m->to = open_memstream(&text, &bytes);
    if (!m->to)
        return;
    write_all(m, sample, totals, last);
    fclose(m->to);
    m->to = NULL;
    if (due) {
        m->written = sample->seconds;
        if (!replace(m, text, bytes) && !m->warned) {
            cli_warn("--metrics-file %s: can't be written: %s", m->file, strerror(errno));
            m->warned = true;
        }
    }
    if (m->server)
        cli_metrics_server_set(m->server, text); // takes ownership
    else
        free(text);
}
