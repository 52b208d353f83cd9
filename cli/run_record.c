#include "run_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json_events.h"
#include "report.h"

enum { MOST_SAMPLES = 1200 };

// The columns of a sample, and their names in the record. Counters are sums since the run began.
static const char *const columns[RECORD_COLUMNS] = {
    "t",         "frames",    "rows",       "forward",     "device_wait", "cpu",     "memory",
    "ready",     "slots",     "jobs",       "results",     "decode_wait", "gpu_use", "gpu_memory",
    "gpu_power", "gpu_clock", "decode_cpu", "convert_cpu", "forward_cpu"};

cli_run_record *cli_record_open(const cli_arguments *args, int rank, int world)
{
    cli_run_record *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->args = args;
    r->rank = rank;
    r->world = world;
    r->samples = calloc(MOST_SAMPLES, sizeof *r->samples);
    r->failures = json_array();
    if (!r->samples || !r->failures)
        cli_record_close(&r);
    return r;
}

void cli_record_close(cli_run_record **record)
{
    cli_run_record *r = *record;
    if (!r)
        return;
    for (size_t i = 0; i < r->slowest_count; i++)
        json_decref(r->slowest[i].facts);
    json_decref(r->failures);
    json_decref(r->model);
    json_decref(r->settings);
    free(r->samples);
    free(r);
    *record = NULL;
}

static void put_setting(json_t *list, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void put_setting(json_t *list, const char *name, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_array_append_new(list, json_pack("[s, o]", name, cli_json_text(text)));
}

void cli_record_start(cli_run_record *r, const tub_encoder_info *info, const tub_sampling *s,
                      const cli_decoding *decoding)
{
    time_t now = time(NULL);
    struct tm utc;
    r->decoding = *decoding;
    if (gmtime_r(&now, &utc))
        strftime(r->started, sizeof r->started, "%Y-%m-%dT%H:%M:%SZ", &utc);
    r->model = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i}", "family", info->family, "dtype",
                         tub_dtype_name(info->dtype), "backend", info->backend, "device", info->device, "isa",
                         info->isa, "feature", info->feature, "dim", info->dim, "height", info->height, "width",
                         info->width, "batch", info->batch);
    json_t *list = r->settings = json_array();
    put_setting(list, "model", "%s", cli_text(r->args, OPTION_MODEL, ""));
    put_setting(list, "model's hash", "%s", info->model_hash);
    put_setting(list, "feature", "%s", info->feature);
    put_setting(list, "windows", "%d frames, stride %d, interval %d, %s", s->clip_length, s->stride, s->interval,
                tub_align_name(s->align));
    if (s->fps > 0)
        put_setting(list, "frame rate", "%g", s->fps);
    else
        put_setting(list, "frame rate", "native");
    put_setting(list, "precision", "%s", tub_dtype_name(info->dtype));
    put_setting(list, "backend", "%s on %s %s", info->backend, info->device, info->isa);
    put_setting(list, "batch", "%d", info->batch);
    put_setting(list, "compute threads", "%s", cli_text(r->args, OPTION_THREADS, "auto"));
    put_setting(list, "decoder", "%s", tub_decoder_name(decoding->decoder));
    put_setting(list, "prefetch", "%s", cli_text(r->args, OPTION_PREFETCH, "auto"));
    put_setting(list, "output folder", "%s", cli_text(r->args, OPTION_OUT, ""));
    if (r->world > 1)
        put_setting(list, "shard", "%d of %d", r->rank, r->world);
}

// Drops every second sample, and halves the rate of new ones.
static void thin_out(cli_run_record *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->sample_count; i += 2)
        memcpy(r->samples[kept++], r->samples[i], sizeof *r->samples);
    r->sample_count = kept;
    double span = r->samples[kept - 1][0] - r->samples[0][0];
    r->interval = span / (double)kept;
}

// NaN if there are no GPUs, or if one of them doesn't report the value.
static tub_gpu_reading sum_of_gpus(const cli_sample *s)
{
    tub_gpu_reading sum = {.use = s->gpu_count ? 0 : NAN,
                           .memory_used = s->gpu_count ? 0 : NAN,
                           .power = s->gpu_count ? 0 : NAN,
                           .clock = s->gpu_count ? 0 : NAN};
    for (int i = 0; i < s->gpu_count; i++) {
        sum.use += s->gpus[i].use;
        sum.memory_used += s->gpus[i].memory_used;
        sum.power += s->gpus[i].power;
        sum.clock += s->gpus[i].clock;
    }
    return sum;
}

static void keep_sample(cli_run_record *r)
{
    const cli_sample *s = &r->last;
    const tub_progress *p = &s->progress;
    tub_gpu_reading gpu = sum_of_gpus(s);
    if (r->sample_count == MOST_SAMPLES)
        thin_out(r);
    const double values[RECORD_COLUMNS] = {
        s->seconds,
        (double)p->frames_decoded,
        (double)p->rows_done,
        p->forward_seconds,
        p->device_wait_seconds,
        s->cpu_seconds,
        s->memory,
        p->ready,
        p->slots - p->slots_free,
        p->jobs_waiting,
        p->results_waiting,
        p->decode_wait_seconds,
        gpu.use / s->gpu_count,
        gpu.memory_used,
        gpu.power,
        gpu.clock / s->gpu_count,
        p->decode_cpu_seconds,
        p->convert_cpu_seconds,
        p->forward_cpu_seconds,
    };
    memcpy(r->samples[r->sample_count++], values, sizeof values);
}

void cli_record_sample(cli_run_record *r, const cli_sample *sample)
{
    double before = r->sample_count > 0 ? r->samples[r->sample_count - 1][0] : -1;
    r->last = *sample;
    if (sample->seconds - before >= r->interval)
        keep_sample(r);
}

static void count_format(cli_run_record *r, const tub_result *v)
{
    const tub_video_info *info = &v->info;
    record_format *f = NULL;
    if (!*info->codec || info->width < 1)
        return;
    for (size_t i = 0; i < r->format_count && !f; i++)
        if (!strcmp(r->formats[i].codec, info->codec) && r->formats[i].width == info->width &&
            r->formats[i].height == info->height)
            f = &r->formats[i];
    if (!f && r->format_count < RECORD_FORMATS) {
        f = &r->formats[r->format_count++];
        snprintf(f->codec, sizeof f->codec, "%s", info->codec);
        f->width = info->width;
        f->height = info->height;
    }
    if (!f)
        return;
    f->videos++;
    f->frames += info->frames;
    f->decode_seconds += v->decode_seconds;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void keep_slow(cli_run_record *r, const tub_event *e)
{
    const tub_result *v = e->result;
    double work = v->init_seconds + v->decode_seconds + v->convert_seconds + v->forward_seconds + e->save_seconds;
    size_t at = r->slowest_count;
    while (at > 0 && r->slowest[at - 1].work_seconds < work)
        at--;
    if (at == RECORD_SLOWEST)
        return;
    if (r->slowest_count == RECORD_SLOWEST)
        json_decref(r->slowest[--r->slowest_count].facts);
    memmove(&r->slowest[at + 1], &r->slowest[at], (r->slowest_count - at) * sizeof *r->slowest);
    r->slowest_count++;
    r->slowest[at] =
        (record_video){.work_seconds = work,
                       .facts = json_pack("{s:o, s:s, s:i, s:i, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "name",
                                          cli_json_text(base_name(e->item->path)), "codec", v->info.codec, "width",
                                          v->info.width, "height", v->info.height, "frames", (json_int_t)v->info.frames,
                                          "rows", (json_int_t)v->total_rows, "init", v->init_seconds, "decode",
                                          v->decode_seconds, "convert", v->convert_seconds, "forward",
                                          v->forward_seconds, "save", e->save_seconds, "wall", v->wall_seconds)};
}

static void keep_failure(cli_run_record *r, const tub_event *e)
{
    if (r->failure_count++ < RECORD_FAILURES)
        json_array_append_new(r->failures, json_pack("{s:o, s:s, s:o}", "name", cli_json_text(base_name(e->item->path)),
                                                     "status", e->result->status == TUB_OK ? "partial" : "failed",
                                                     "reason", cli_json_text(e->result->text)));
}

void cli_record_video(cli_run_record *r, const tub_event *e)
{
    count_format(r, e->result);
    if (e->result->status == TUB_OK)
        keep_slow(r, e);
    if (e->result->status != TUB_OK || e->result->info.partial)
        keep_failure(r, e);
}

// ---- as JSON

static json_t *samples_json(const cli_run_record *r)
{
    json_t *out = json_object();
    for (int c = 0; c < RECORD_COLUMNS; c++) {
        json_t *column = json_array();
        bool known = false;
        for (size_t i = 0; i < r->sample_count; i++) {
            double value = r->samples[i][c];
            known |= isfinite(value);
            json_array_append_new(column, isfinite(value) ? json_real(value) : json_null());
        }
        if (known || c == 0)
            json_object_set(out, columns[c], column);
        json_decref(column);
    }
    return out;
}

static json_t *formats_json(const cli_run_record *r)
{
    json_t *out = json_array();
    for (size_t i = 0; i < r->format_count; i++) {
        const record_format *f = &r->formats[i];
        json_array_append_new(out, json_pack("{s:s, s:i, s:i, s:I, s:I, s:f}", "codec", f->codec, "width", f->width,
                                             "height", f->height, "videos", (json_int_t)f->videos, "frames",
                                             (json_int_t)f->frames, "decode", f->decode_seconds));
    }
    return out;
}

static json_t *totals_json(const cli_run_record *r, const tub_run_totals *t)
{
    const tub_progress *p = &t->pipeline;
    json_t *out = json_pack("{s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "seconds", t->seconds, "videos",
                            (json_int_t)t->videos, "ok", (json_int_t)t->ok, "partial", (json_int_t)t->partial, "failed",
                            (json_int_t)t->failed, "skipped", (json_int_t)t->skipped, "pending", (json_int_t)t->pending,
                            "frames", (json_int_t)p->frames_decoded, "rows", (json_int_t)p->rows_done);
    const struct {
        const char *name;
        double value;
    } seconds[] = {
        {"init", p->open_seconds},
        {"decode", p->decode_seconds},
        {"convert", p->convert_seconds},
        {"forward", p->forward_seconds},
        {"save", t->save_seconds},
        {"decode_wait", p->decode_wait_seconds},
        {"device_wait", p->device_wait_seconds},
        {"output_wait", p->output_wait_seconds},
        {"idle_start", p->idle_start_seconds},
        {"idle_open", p->idle_open_seconds},
        {"idle_decode", p->idle_decode_seconds},
        {"idle_convert", p->idle_convert_seconds},
        {"idle_input", p->idle_input_seconds},
        {"cpu", r->last.cpu_seconds},
        {"decode_cpu", p->decode_cpu_seconds},
        {"convert_cpu", p->convert_cpu_seconds},
        {"forward_cpu", p->forward_cpu_seconds},
        {"other_cpu", cli_other_cpu(r->last.cpu_seconds, p)},
        {"peak_memory", cli_peak_bytes()},
        {"batches", (double)p->batches},
    };
    for (size_t i = 0; out && i < sizeof seconds / sizeof *seconds; i++)
        json_object_set_new(out, seconds[i].name, json_real(seconds[i].value));
    return out;
}

static json_t *machine_json(void)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    return json_pack("{s:o, s:i}", "host", cli_json_text(host), "processors", cli_processors());
}

static json_t *slowest_json(const cli_run_record *r)
{
    json_t *out = json_array();
    for (size_t i = 0; i < r->slowest_count; i++)
        json_array_append(out, r->slowest[i].facts);
    return out;
}

json_t *cli_record_json(cli_run_record *r, const tub_run_totals *t, tub_status status)
{
    const tub_progress *p = &t->pipeline;
    char advice[256], threads[24];
    bool idle = cli_idle_advice(p, &r->decoding, advice, sizeof advice);
    char *command = cli_command_line(r->args, "");
    snprintf(threads, sizeof threads, "%d", p->decode_threads);
    json_array_append_new(r->settings, json_pack("[s, s]", "decoding threads", threads));
    size_t more = r->failure_count > RECORD_FAILURES ? r->failure_count - RECORD_FAILURES : 0;
    json_t *out = json_pack(
        "{s:s, s:i, s:s, s:s, s:o, s:s, s:i, s:i, s:o, s:O, s:O, s:o, s:o, s:{s:i, s:i}, s:o, s:o, s:O, s:I, s:s, s:b}",
        "kind", "tubelet run", "schema", 1, "tubelet", tub_version(), "started", r->started, "command",
        cli_json_text(command ? command : ""), "status", tub_status_name(status), "rank", r->rank, "world", r->world,
        "machine", machine_json(), "model", r->model, "settings", r->settings, "totals", totals_json(r, t), "samples",
        samples_json(r), "queues", "slots", p->slots, "ready", p->ready_most, "formats", formats_json(r), "slowest",
        slowest_json(r), "failures", r->failures, "failures_more", (json_int_t)more, "advice", advice, "advice_calm",
        !idle);
    free(command);
    return out;
}
