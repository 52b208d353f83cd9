#include "profile_use.h"

#include <string.h>

#include "cli.h"
#include "console.h"

static bool is_open(const char *name)
{
    return !name || !strcmp(name, "auto");
}

static int find(const cli_arguments *args, const cli_settings *settings, tub_profile *out, bool *found)
{
    // If a preset is given, it replaces the profile.
    const char *which = cli_text(args, OPTION_PROFILE, cli_given(args, OPTION_DEVICE_PRESET) ? "none" : "auto");
    tub_error err;
    *found = false;
    if (!strcmp(which, "none"))
        return CLI_OK;
    bool named = strcmp(which, "auto") != 0;
    tub_status status = named ? tub_profile_read(which, out, &err) : tub_profile_find(&settings->encoder, out, &err);
    *found = status == TUB_OK;
    if (status == TUB_OK || status == TUB_END)
        return CLI_OK;
    if (named || status != TUB_ERROR_INPUT)
        return cli_fail(&err);
    cli_refuse(CLI_OK, "warning: profile: %s", err.text); // a run can do without one
    return CLI_OK;
}

// Whether the run asks for a device of another kind than the profile was measured on.
static bool elsewhere(const tub_encoder_params *encoder, const tub_profile *p)
{
    return !is_open(encoder->device) && (strncmp(encoder->device, "cuda", 4) == 0) != (strcmp(p->backend, "cuda") == 0);
}

// Whether the run's settings allow what the profile was measured with.
static bool fits(const tub_encoder_params *encoder, const tub_profile *p)
{
    return !elsewhere(encoder, p) && (encoder->dtype == TUB_DTYPE_AUTO || encoder->dtype == p->dtype) &&
           (is_open(encoder->backend) || !strcmp(encoder->backend, p->backend));
}

// Says why a profile isn't used; false: it is used.
static bool leave_aside(const tub_encoder_params *encoder, const tub_profile *p, bool named, char *line, size_t size)
{
    const bool any_dtype = encoder->dtype == TUB_DTYPE_AUTO, any_backend = is_open(encoder->backend);
    if (elsewhere(encoder, p))
        snprintf(line, size, "profile of %s on %s left aside, as this run is on device %s: %s",
                 tub_dtype_name(p->dtype), p->backend, encoder->device, p->path);
    else if (!fits(encoder, p))
        snprintf(line, size, "profile of %s on %s left aside, as this run is%s%s%s%s: %s", tub_dtype_name(p->dtype),
                 p->backend, any_dtype ? "" : " in ", any_dtype ? "" : tub_dtype_name(encoder->dtype),
                 any_backend ? "" : " on ", any_backend ? "" : encoder->backend, p->path);
    else if (p->other_build && !named)
        snprintf(line, size,
                 "profile left aside, as another build measured it: tubelet tune measures anew, --profile %s takes it",
                 p->path);
    return line[0] != 0;
}

static void add(char *line, size_t size, const char *name, int number)
{
    size_t used = strlen(line);
    if (number)
        snprintf(line + used, size - used, ", %s %d", name, number);
}

static int take_number(const cli_arguments *args, option_id id, int profiles)
{
    return args->value[id].source ? 0 : profiles;
}

int cli_use_profile(const cli_arguments *args, cli_settings *settings, cli_profile *out)
{
    tub_encoder_params *encoder = &settings->encoder;
    tub_profile *p = &out->profile;
    *out = (cli_profile){0};
    bool found;
    int code = find(args, settings, p, &found);
    if (code != CLI_OK || !found)
        return code;
    if (leave_aside(encoder, p, cli_given(args, OPTION_PROFILE), out->line, sizeof out->line))
        return CLI_OK;
    int batch = take_number(args, OPTION_BATCH, p->batch);
    out->used = true;
    out->decode_threads = take_number(args, OPTION_DECODE_THREADS, p->decode_threads);
    if (cli_decoding_gpu(args)) // the profile was measured with decoding on the processor
        out->decode_threads = 0;
    out->prefetch = take_number(args, OPTION_PREFETCH, p->prefetch);
    encoder->dtype = p->dtype;
    encoder->backend = p->backend;
    if (batch)
        encoder->batch = batch;
    snprintf(out->line, sizeof out->line, "profile: %s on %s", tub_dtype_name(p->dtype), p->backend);
    add(out->line, sizeof out->line, "batch", batch);
    add(out->line, sizeof out->line, "decode threads", out->decode_threads);
    add(out->line, sizeof out->line, "prefetch", out->prefetch);
    size_t used = strlen(out->line);
    snprintf(out->line + used, sizeof out->line - used, " (%+.1f %% when tuned%s; --profile none does without): %s",
             p->default_rate > 0 ? 100 * (p->rate / p->default_rate - 1) : 0,
             p->other_build ? " with another build" : "", p->path);
    return CLI_OK;
}
