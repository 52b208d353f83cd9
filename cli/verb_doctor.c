// tubelet doctor: what this machine has, which parts are used, and why.
#include <string.h>

#include "cli.h"
#include "console.h"
#include "json_events.h"

static const double GIGA = 1e9;

static void say_processor(const tub_machine_info *m)
{
    char quota[64] = "no limit of a control group";
    if (m->quota > 0)
        snprintf(quota, sizeof quota, "%.4g granted by the control group", m->quota);
    cli_say(stdout, "processor   %s (%s)", m->cpu, m->architecture);
    cli_say(stdout, "            %d of the machine, %d allowed by affinity, %s: %d used", m->online, m->allowed, quota,
            m->processors);
    cli_say(stdout, "            %s", *m->features ? m->features : "no instruction sets that kernels here ask for");
    cli_say(stdout, "            kernels: %s, %s", m->isa, m->isa_reason);
    cli_say(stdout, "memory      %.1f GB, %.1f GB available, %.1f GB usable (%s)", (double)m->memory_installed / GIGA,
            (double)m->memory_available / GIGA, (double)m->memory / GIGA,
            m->memory < m->memory_installed ? "limited by the control group" : "no limit of a control group");
}

static void say_gpus(const tub_machine *m, const tub_machine_info *info)
{
    tub_gpu_info gpu;
    if (*info->driver)
        cli_say(stdout, "GPU driver  %s", info->driver);
    for (size_t i = 0; tub_machine_gpu_at(m, i, &gpu); i++)
        cli_say(stdout, "GPU %zu       %s, compute capability %d.%d, %.1f GB: %s, %s", i, gpu.name, gpu.major,
                gpu.minor, (double)gpu.memory / GIGA, gpu.used ? "used" : "not used", gpu.reason);
    if (*info->driver_reason)
        cli_say(stdout, "GPU         none: %s", info->driver_reason);
}

static void say_backends(const tub_machine *m)
{
    tub_backend_info b;
    for (size_t i = 0; tub_machine_backend_at(m, i, &b); i++)
        if (b.found)
            cli_say(stdout, "%-10s  %-9s  on %s: %s%s%s", i ? "" : "backends", b.name, b.device, b.dtypes,
                    *b.library ? ", " : "", b.library);
        else
            cli_say(stdout, "%-10s  %-9s  not found: %s", i ? "" : "backends", b.name, b.reason);
}

static bool is_common(const char *codec)
{
    static const char *const common[] = {"h264", "hevc",       "av1",   "vp9",   "vp8",
                                         "vvc",  "mpeg2video", "mpeg4", "mjpeg", "prores"};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (!strcmp(codec, common[i]))
            return true;
    return false;
}

static void say_decoders(const tub_machine *m, const tub_machine_info *info)
{
    tub_decoder_info d;
    char others[1024] = "";
    bool first = true;
    cli_say(stdout, "FFmpeg      %s, licence: %s", info->libav, info->libav_licence);
    for (size_t i = 0; tub_machine_decoder_at(m, i, &d); i++) {
        if (!is_common(d.codec)) {
            size_t used = strlen(others);
            snprintf(others + used, sizeof others - used, "%s%s", used ? ", " : "", d.codec);
            continue;
        }
        cli_say(stdout, "%-10s  %-10s  software (%s)%s%s", first ? "decoders" : "", d.codec, d.software,
                *d.hardware ? "; unused: " : "", d.hardware);
        first = false;
    }
    cli_say(stdout, "            in software: %s", others);
}

static void say_folder(const tub_machine *m)
{
    tub_folder_info f;
    if (!tub_machine_folder(m, &f))
        cli_say(stdout, "output      not looked at: --out DIR measures the room and the speed of a folder");
    else if (f.bytes_per_second > 0)
        cli_say(stdout, "output      %s: %.1f GB free, %.0f MB/s written and synced", f.path,
                (double)f.free_bytes / GIGA, f.bytes_per_second / 1e6);
    else
        cli_say(stdout, "output      %s: " CLI_RED "%s" CLI_PLAIN, f.path, f.reason);
}

static void say_machine(const tub_machine *m)
{
    const tub_machine_info *info = tub_machine_get_info(m);
    tub_optimisation_info o;
    cli_say(stdout, "tubelet     %s", tub_version());
    say_processor(info);
    say_gpus(m, info);
    say_backends(m);
    say_decoders(m, info);
    say_folder(m);
    for (size_t i = 0; tub_machine_optimisation_at(m, i, &o); i++)
        cli_say(stdout, "%-10s  %-17s  %-3s  %s", i ? "" : "faster by", o.name, o.on ? "on" : "off", o.reason);
}

static json_t *backends_json(const tub_machine *m)
{
    json_t *list = json_array();
    tub_backend_info b;
    for (size_t i = 0; tub_machine_backend_at(m, i, &b); i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:b, s:s, s:s}", "name", b.name, "device", b.device, "library",
                                        b.library, "found", (int)b.found, "reason", b.reason, "dtypes", b.dtypes));
    return list;
}

static json_t *decoders_json(const tub_machine *m)
{
    json_t *list = json_array();
    tub_decoder_info d;
    for (size_t i = 0; tub_machine_decoder_at(m, i, &d); i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s}", "codec", d.codec, "software", d.software, "hardware",
                                        d.hardware, "used", d.used_hardware ? "hardware" : "software"));
    return list;
}

static json_t *gpus_json(const tub_machine *m)
{
    json_t *list = json_array();
    tub_gpu_info g;
    for (size_t i = 0; tub_machine_gpu_at(m, i, &g); i++)
        json_array_append_new(list, json_pack("{s:o, s:i, s:i, s:I, s:b, s:o}", "name", cli_json_text(g.name), "major",
                                              g.major, "minor", g.minor, "memory", (json_int_t)g.memory, "used",
                                              (int)g.used, "reason", cli_json_text(g.reason)));
    return list;
}

static json_t *optimisations_json(const tub_machine *m)
{
    json_t *list = json_array();
    tub_optimisation_info o;
    for (size_t i = 0; tub_machine_optimisation_at(m, i, &o); i++)
        json_array_append_new(
            list, json_pack("{s:s, s:b, s:o}", "name", o.name, "on", (int)o.on, "reason", cli_json_text(o.reason)));
    return list;
}

static json_t *folder_json(const tub_machine *m)
{
    tub_folder_info f;
    if (!tub_machine_folder(m, &f))
        return json_null();
    return json_pack("{s:o, s:I, s:f, s:s}", "path", cli_json_text(f.path), "free_bytes", (json_int_t)f.free_bytes,
                     "bytes_per_second", f.bytes_per_second, "reason", f.reason);
}

static json_t *machine_json(const tub_machine *m)
{
    const tub_machine_info *i = tub_machine_get_info(m);
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:i, s:i, s:f, s:i, s:I, s:I, s:I, s:s, s:s, s:s, s:s,"
                     " s:s, s:o, s:o, s:o, s:o, s:o}",
                     "event", "machine", "version", tub_version(), "hash", i->hash, "cpu", cli_json_text(i->cpu),
                     "architecture", i->architecture, "features", i->features, "isa", i->isa, "isa_reason",
                     i->isa_reason, "processors_online", i->online, "processors_allowed", i->allowed, "quota", i->quota,
                     "processors", i->processors, "memory_installed", (json_int_t)i->memory_installed,
                     "memory_available", (json_int_t)i->memory_available, "memory", (json_int_t)i->memory, "driver",
                     i->driver, "driver_reason", i->driver_reason, "ffmpeg", i->libav, "ffmpeg_licence",
                     i->libav_licence, "dtype", tub_dtype_name(i->dtype), "gpus", gpus_json(m), "backends",
                     backends_json(m), "decoders", decoders_json(m), "output", folder_json(m), "optimisations",
                     optimisations_json(m));
}

int cli_doctor(const cli_arguments *args)
{
    const tub_machine_params params = {.size = sizeof params, .out = cli_text(args, OPTION_OUT, NULL)};
    tub_machine *m = NULL;
    tub_error err;
    if (tub_machine_open(&params, &m, &err) != TUB_OK)
        return cli_fail(&err);
    if (cli_given(args, OPTION_JSON))
        cli_print_json(machine_json(m));
    else
        say_machine(m);
    tub_machine_close(&m);
    return CLI_OK;
}
