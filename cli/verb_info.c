// tubelet info: what a model is and what it costs, without running it.
#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "console.h"
#include "json_events.h"
#include "run_settings.h"
#include "transform_text.h"

// "86,580,480"
static const char *thousands(int64_t n, char out[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, n), at = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

// A count of operations or bytes: "35.2 G", followed by the unit's name.
static const char *scaled(double value, const char *unit, char out[32])
{
    static const char prefixes[] = " kMGTP";
    int i = 0;
    for (; value >= 999.95 && prefixes[i + 1]; i++)
        value /= 1000;
    snprintf(out, 32, "%.*f %.*s%s", i ? 1 : 0, value, i > 0, prefixes + i, unit);
    return out;
}

static const char *item_name(const tub_encoder_info *e)
{
    return e->per_frame ? "frame" : "clip";
}

static void say_network(const tub_description_info *d)
{
    char number[32];
    if (!d->hidden)
        return;
    cli_say(stdout, "  parameters     %s", thousands(d->parameters, number));
    cli_say(stdout, "  network        hidden %d, layers %d, heads %d, MLP %d, %s of %dx%dx%d (frames x height x width)",
            d->hidden, d->layers, d->heads, d->mlp, d->tubelet > 1 ? "tubelets" : "patches", d->tubelet, d->patch,
            d->patch);
}

static void say_input(const tub_description_info *d)
{
    const tub_encoder_info *e = &d->encoder;
    char made[64] = "", clip[64] = "", layer[64] = "";
    if (d->image_height && (d->image_height != e->height || d->image_width != e->width))
        snprintf(made, sizeof made, " (made for %dx%d)", d->image_height, d->image_width);
    if (!e->per_frame && !e->clip_length)
        snprintf(clip, sizeof clip, " (any number)");
    if (e->per_frame)
        cli_say(stdout, "  input          one frame of %dx%d%s; a clip is the mean over its frames", e->height,
                e->width, made);
    else
        cli_say(stdout, "  input          clips of %d frames%s of %dx%d%s", e->frames, clip, e->height, e->width, made);
    cli_say(stdout, "  hidden state   %d tokens of %d", e->tokens, e->token_dim);
    if (e->layer)
        snprintf(layer, sizeof layer, " (block %d of %d)", e->layer, d->layers);
    cli_say(stdout, "  feature        %d values%s: %s%s", e->dim, e->l2_normalize ? ", of length 1" : "", e->feature,
            layer);
}

static void say_memory(const tub_description *all)
{
    const tub_description_info *d = tub_description_get_info(all);
    char weights[32], workspace[32], files[32];
    tub_file_info file;
    int64_t bytes = 0;
    for (size_t i = 0; tub_description_file_at(all, i, &file); i++)
        bytes += file.bytes;
    cli_say(stdout,
            "  memory         %s of weights in %s (and %s of files while it opens%s), at most %s for a batch of %d",
            scaled((double)d->weight_bytes, "B", weights), tub_dtype_name(d->encoder.dtype),
            scaled((double)bytes, "B", files),
            d->encoder.dtype == TUB_INT8 || d->encoder.dtype == TUB_FP8
                ? ", and the type that it is compared with until the first row"
                : "",
            scaled((double)d->workspace_bytes, "B", workspace), d->encoder.batch);
}

static void say_cost(const tub_description *all)
{
    const tub_description_info *d = tub_description_get_info(all);
    const tub_encoder_info *e = &d->encoder;
    char flops[32];
    if (e->flops > 0)
        cli_say(stdout, "  cost           %s a %s", scaled(e->flops, "FLOP", flops), item_name(e));
    if (d->weight_bytes)
        say_memory(all);
    cli_say(stdout, "  runs on        %s, %s, %s, %s", e->backend, e->device, e->isa, tub_dtype_name(e->dtype));
}

static void say_files(const tub_description *d)
{
    tub_file_info file;
    char size[32];
    for (size_t i = 0; tub_description_file_at(d, i, &file); i++)
        cli_say(stdout, "  %-14s %s, %s", i ? "" : "files", file.path, scaled((double)file.bytes, "B", size));
    cli_say(stdout, "  hash           %s (XXH3-128 of the files)", tub_description_get_info(d)->encoder.model_hash);
}

static void say_model(const char *model, const tub_description *d)
{
    const tub_description_info *info = tub_description_get_info(d);
    const tub_encoder_info *e = &info->encoder;
    char transform[512];
    cli_say(stdout, "%s: %s%s%s, a %s model", model, e->family, info->size ? " " : "", info->size ? info->size : "",
            item_name(e));
    say_network(info);
    say_input(info);
    cli_transform_text(&e->transform, transform, sizeof transform);
    cli_say(stdout, "  preprocessing  %s", transform);
    if (info->hidden && !info->has_transform)
        cli_say(stdout, "                 (%s has no preprocessor_config.json: the family's default)", model);
    say_cost(d);
    say_files(d);
}

// ---- the program ----

static void say_operation(const tub_operation_info *o, double total)
{
    char from[64] = "", flops[32];
    for (int k = 0; k < 4 && o->inputs[k] >= 0; k++)
        if (k == 0 || o->inputs[k] != o->inputs[k - 1])
            snprintf(from + strlen(from), sizeof from - strlen(from), " %%%d", o->inputs[k]);
    cli_say(stdout, "  %%%-4d = %-10s%-12s %6d x %-6d %-6s %10s %5.1f%%  %s", o->output, o->kind, from, o->rows,
            o->cols, o->wide ? "wide" : "narrow", scaled(o->flops, "FLOP", flops),
            total > 0 ? 100 * o->flops / total : 0, o->label);
}

// One line per kind of operation: its share of the whole.
static void say_kinds(const tub_description *d, double total)
{
    tub_operation_info o, other;
    char flops[32];
    for (size_t i = 0; tub_description_operation_at(d, i, &o); i++) {
        double sum = 0;
        size_t first = SIZE_MAX, n = 0;
        for (size_t k = 0; tub_description_operation_at(d, k, &other); k++) {
            if (strcmp(other.kind, o.kind) != 0)
                continue;
            first = first == SIZE_MAX ? k : first;
            sum += other.flops;
            n++;
        }
        if (first == i)
            cli_say(stdout, "  %4zu x %-10s %10s %5.1f%%", n, o.kind, scaled(sum, "FLOP", flops),
                    total > 0 ? 100 * sum / total : 0);
    }
}

static void say_program(const tub_description *d)
{
    const tub_description_info *info = tub_description_get_info(d);
    tub_operation_info o;
    char flops[32];
    if (!info->operation_count) {
        cli_say(stdout, "program: the operations of a custom model are OpenVINO's");
        return;
    }
    cli_say(stdout, "program: %zu operations on a %s, %s", info->operation_count, item_name(&info->encoder),
            scaled(info->encoder.flops, "FLOP", flops));
    for (size_t i = 0; tub_description_operation_at(d, i, &o); i++)
        say_operation(&o, info->encoder.flops);
    say_kinds(d, info->encoder.flops);
}

// ---- as JSON ----

static json_t *json_files(const tub_description *d)
{
    json_t *list = json_array();
    tub_file_info file;
    for (size_t i = 0; list && tub_description_file_at(d, i, &file); i++)
        json_array_append_new(
            list, json_pack("{s:o, s:I}", "path", cli_json_text(file.path), "bytes", (json_int_t)file.bytes));
    return list;
}

static json_t *json_operations(const tub_description *d)
{
    json_t *list = json_array();
    tub_operation_info o;
    for (size_t i = 0; list && tub_description_operation_at(d, i, &o); i++) {
        json_t *inputs = json_array();
        for (int k = 0; k < 4 && o.inputs[k] >= 0; k++)
            json_array_append_new(inputs, json_integer(o.inputs[k]));
        json_array_append_new(list,
                              json_pack("{s:i, s:s, s:o, s:i, s:i, s:b, s:f, s:I, s:s}", "value", o.output, "operation",
                                        o.kind, "inputs", inputs, "rows", o.rows, "cols", o.cols, "wide", o.wide,
                                        "flops", o.flops, "parameters", (json_int_t)o.parameters, "label", o.label));
    }
    return list;
}

static json_t *json_model(const char *model, const tub_description *d)
{
    const tub_description_info *i = tub_description_get_info(d);
    const tub_encoder_info *e = &i->encoder;
    json_t *out = json_pack("{s:s, s:o, s:s, s:o, s:b, s:s, s:s, s:i, s:i, s:i, s:i, s:b, s:s}", "event", "model",
                            "model", cli_json_text(model), "family", e->family, "size", cli_json_text(i->size),
                            "per_frame", e->per_frame, "feature", e->feature, "pool", tub_pool_name(i->pool), "dim",
                            e->dim, "tokens", e->tokens, "token_dim", e->token_dim, "layer", e->layer, "normalize",
                            e->l2_normalize, "frame_positions", tub_positions_name(e->positions));
    json_t *input = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:b}", "frames", e->frames, "clip_length", e->clip_length,
                              "height", e->height, "width", e->width, "image_height", i->image_height, "image_width",
                              i->image_width, "preprocessor_file", i->has_transform);
    json_t *network = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "hidden", i->hidden, "layers", i->layers, "heads",
                                i->heads, "mlp", i->mlp, "patch", i->patch, "tubelet", i->tubelet);
    json_t *cost =
        json_pack("{s:I, s:f, s:I, s:I}", "parameters", (json_int_t)i->parameters, "flops", e->flops, "weight_bytes",
                  (json_int_t)i->weight_bytes, "workspace_bytes", (json_int_t)i->workspace_bytes);
    json_t *place = json_pack("{s:i, s:s, s:s, s:s, s:s}", "batch", e->batch, "dtype", tub_dtype_name(e->dtype),
                              "backend", e->backend, "device", e->device, "isa", e->isa);
    json_object_update_new(out, input);
    if (i->hidden) { // otherwise not known
        json_object_update(out, network);
        json_object_update(out, cost);
    }
    json_decref(network);
    json_decref(cost);
    json_object_update_new(out, place);
    json_object_set_new(out, "transform", cli_transform_json(&e->transform));
    json_object_set_new(out, "files", json_files(d));
    json_object_set_new(out, "hash", json_string(e->model_hash));
    return out;
}

static void print_json(const char *model, const tub_description *d, bool program)
{
    json_t *out = json_model(model, d);
    if (program)
        json_object_set_new(out, "program", json_operations(d));
    cli_print_json(out);
}

int cli_info(const cli_arguments *args)
{
    const char *model = args->operands[0];
    const bool program = cli_given(args, OPTION_PROGRAM);
    tub_description *d = NULL;
    tub_error err;
    cli_settings settings;
    int code = cli_read_settings(args, &settings);
    if (code != CLI_OK)
        return code;
    settings.encoder.model = model;
    if (tub_describe(&settings.encoder, &d, &err) != TUB_OK)
        return cli_fail(&err);
    if (cli_given(args, OPTION_JSON)) {
        print_json(model, d, program);
    } else {
        say_model(model, d);
        if (program)
            say_program(d);
    }
    tub_description_close(&d);
    return CLI_OK;
}
