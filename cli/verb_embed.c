// tubelet embed: runs frames in memory through a model.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "console.h"
#include "interrupt.h"
#include "run_settings.h"

// One of the output arrays: rows [N, ...], written as they are made.
typedef struct output {
    const char *path; // NULL: not wanted
    int rank;
    int64_t dims[TUB_NPY_RANK];
    size_t row_values; // values of one clip
    float *data;       // of one chunk of clips
    tub_npy_writer *writer;
} output;

typedef struct embedding {
    tub_array frames;
    int64_t clips;
    int clip_frames, height, width;
    bool has_time; // [N, T, H, W, 3]
    tub_encoder *encoder;
    int64_t chunk; // clips per chunk
    output out[3]; // feature, tokens, pixels
} embedding;

static int read_frames(embedding *e, const char *path)
{
    tub_error err;
    if (tub_npy_read(path, &e->frames, &err) != TUB_OK)
        return cli_fail(&err);
    const tub_array *a = &e->frames;
    if (a->dtype != TUB_U8 || a->rank < 4 || a->rank > 5 || a->dims[a->rank - 1] != 3)
        return cli_refuse(CLI_USAGE, "%s: expected uint8 RGB frames [N, T, H, W, 3] or [N, H, W, 3]", path);
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] < 1 || a->dims[i] > (i ? 1 << 16 : INT64_C(1) << 32))
            return cli_refuse(CLI_USAGE, "%s: dimension %d is %" PRId64, path, i, a->dims[i]);
    e->has_time = a->rank == 5;
    e->clips = a->dims[0];
    e->clip_frames = e->has_time ? (int)a->dims[1] : 1;
    e->height = (int)a->dims[a->rank - 3];
    e->width = (int)a->dims[a->rank - 2];
    return CLI_OK;
}

static int open_encoder(embedding *e, tub_encoder_params *params, const char *path)
{
    tub_error err;
    params->clip_length = e->has_time ? e->clip_frames : 0;
    if (tub_encoder_open(params, &e->encoder, &err) != TUB_OK)
        return cli_fail(&err);
    const tub_encoder_info *info = tub_encoder_get_info(e->encoder);
    if (!e->has_time && !info->per_frame)
        return cli_refuse(CLI_USAGE, "%s: %s takes clips of %d frames: expected [N, T, H, W, 3]", path, info->family,
                          info->frames);
    e->chunk = info->per_frame ? info->batch / e->clip_frames : info->batch;
    if (e->chunk < 1)
        e->chunk = 1;
    if (e->chunk > e->clips)
        e->chunk = e->clips;
    return CLI_OK;
}

static void shape(output *o, const char *path, const int64_t *dims, int rank)
{
    o->path = path;
    o->rank = rank;
    o->row_values = 1;
    memcpy(o->dims, dims, (size_t)rank * sizeof *dims);
    for (int i = 1; i < rank; i++)
        o->row_values *= (size_t)dims[i];
}

static void shape_outputs(embedding *e, const cli_arguments *args)
{
    const tub_encoder_info *info = tub_encoder_get_info(e->encoder);
    int64_t n = e->clips, t = e->clip_frames;
    const char *tokens = cli_text(args, OPTION_TOKENS, NULL), *pixels = cli_text(args, OPTION_PIXELS, NULL);
    shape(&e->out[0], args->value[OPTION_OUT].text, (int64_t[]){n, info->dim}, 2);
    if (info->per_frame && e->has_time)
        shape(&e->out[1], tokens, (int64_t[]){n, t, info->tokens, info->token_dim}, 4);
    else
        shape(&e->out[1], tokens, (int64_t[]){n, info->tokens, info->token_dim}, 3);
    if (e->has_time)
        shape(&e->out[2], pixels, (int64_t[]){n, t, 3, info->height, info->width}, 5);
    else
        shape(&e->out[2], pixels, (int64_t[]){n, 3, info->height, info->width}, 4);
}

// Two outputs in one file would overwrite each other.
static int check_outputs(const embedding *e)
{
    for (int i = 1; i < 3; i++)
        for (int k = 0; k < i; k++)
            if (e->out[i].path && !strcmp(e->out[i].path, e->out[k].path ? e->out[k].path : ""))
                return cli_refuse(CLI_USAGE,
                                  "%s is to hold two arrays: name a file for each of --out, --tokens, --pixels",
                                  e->out[i].path);
    return CLI_OK;
}

static int begin_outputs(embedding *e)
{
    tub_error err;
    for (int i = 0; i < 3; i++) {
        output *o = &e->out[i];
        if (!o->path)
            continue;
        o->data = calloc((size_t)e->chunk, o->row_values * sizeof(float));
        if (!o->data)
            return cli_refuse(CLI_FATAL, "out of memory: %zu values a clip for %s; try a smaller --batch",
                              o->row_values, o->path);
        if (tub_npy_begin(o->path, TUB_F32, o->rank, o->dims, &o->writer, &err) != TUB_OK)
            return cli_fail(&err);
    }
    return CLI_OK;
}

static int embed_chunk(embedding *e, int64_t first, int64_t count)
{
    tub_error err;
    size_t clip_bytes = (size_t)e->clip_frames * (size_t)e->height * (size_t)e->width * 3;
    const uint8_t *frames = (const uint8_t *)e->frames.data + (size_t)first * clip_bytes;
    if (tub_encoder_embed(e->encoder, frames, count, e->clip_frames, e->height, e->width, e->out[0].data,
                          e->out[1].data, e->out[2].data, &err) != TUB_OK)
        return cli_fail(&err);
    for (int i = 0; i < 3; i++) {
        output *o = &e->out[i];
        if (o->path &&
            tub_npy_append(o->writer, o->data, (size_t)count * o->row_values * sizeof(float), &err) != TUB_OK)
            return cli_fail(&err);
    }
    return CLI_OK;
}

static void say_output(const output *o)
{
    char text[160] = "";
    for (int i = 0; i < o->rank; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%" PRId64, i ? ", " : "", o->dims[i]);
    }
    cli_say(stdout, "%s float32 [%s]", o->path, text);
}

static int commit_outputs(embedding *e)
{
    tub_error err;
    for (int i = 0; i < 3; i++) {
        if (!e->out[i].path)
            continue;
        if (tub_npy_commit(&e->out[i].writer, NULL, NULL, &err) != TUB_OK)
            return cli_fail(&err);
        say_output(&e->out[i]);
    }
    return CLI_OK;
}

static int embed(embedding *e, const cli_arguments *args)
{
    const char *path = args->value[OPTION_FRAMES].text;
    cli_settings settings;
    int code = cli_read_settings(args, &settings);
    if (code == CLI_OK)
        code = read_frames(e, path);
    if (code == CLI_OK)
        code = open_encoder(e, &settings.encoder, path);
    if (code != CLI_OK)
        return code;
    shape_outputs(e, args);
    code = check_outputs(e);
    if (code == CLI_OK)
        code = begin_outputs(e);
    for (int64_t i = 0; code == CLI_OK && i < e->clips; i += e->chunk) {
        code = embed_chunk(e, i, e->chunk < e->clips - i ? e->chunk : e->clips - i);
        if (code == CLI_OK)
            code = cli_interrupted();
    }
    return code == CLI_OK ? commit_outputs(e) : code;
}

int cli_embed(const cli_arguments *args)
{
    static const option_id needed[] = {OPTION_MODEL, OPTION_FRAMES, OPTION_OUT};
    embedding e = {0};
    int code = CLI_OK;
    for (int i = 0; i < 3 && code == CLI_OK; i++)
        code = cli_require(args, needed[i]);
    cli_catch_interrupts();
    if (code == CLI_OK)
        code = embed(&e, args);
    for (int i = 0; i < 3; i++) {
        tub_npy_abandon(&e.out[i].writer);
        free(e.out[i].data);
    }
    tub_encoder_close(&e.encoder);
    tub_array_finish(&e.frames);
    return code;
}
