#include "native_encoder.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "log_turns.h"
#include "memory.h"
#include "native_weights.h"
#include "pixel_plan.h"
#include "precision_check.h"

enum { CLIP_USUAL = 16, BATCH_CLIPS = 4, BATCH_FRAMES = 32, GPU_BATCH_CLIPS = 64, GPU_BATCH_FRAMES = 256 };
static const size_t workspace_usual = (size_t)512 << 20; // an automatic batch's workspace stays below this

typedef struct native {
    tub_encoder base;
    const tub_backend_ops *ops;
    tub_team *team;
    tub_native_opening opening; // for backends that keep the program: what it was made from
    struct lane {               // one per device
        tub_backend *backend;
        tub_executable *executable;
        tub_batch begun[TUB_RUNS_BEGUN]; // in their order
        int begun_count;
    } lanes[TUB_DEVICES_MOST];
    tub_native_weights weights, check_weights;
    tub_precision_check *check; // until the first run; NULL for other types
    bool waits;                 // each run waits for the one before
    int *positions;             // for items that are whole videos; NULL: the program wants none
    tub_log_turns turns;        // of the lanes
    tub_log log;                // theirs
} native;

typedef tub_native_opening opening;

static tub_batch batch_of(const native *n, const tub_lane_run *run, float *tokens)
{
    return (tub_batch){.items = run->items,
                       .frames = run->frames,
                       .made = run->made,
                       .positions = run->positions ? run->positions : n->positions,
                       .rows = run->rows,
                       .tokens = tokens,
                       .stop = &n->base.interrupted};
}

static tub_status run_lane(tub_encoder *encoder, int lane, const tub_lane_run *run, float *tokens, tub_error *err)
{
    native *n = (native *)encoder;
    const tub_batch batch = batch_of(n, run, tokens);
    TUB_TRY(n->ops->run(n->lanes[lane].executable, &batch, err));
    if (lane == 0)
        tub_precision_check_run(&n->check, &batch, encoder->info.dim);
    return TUB_OK;
}

static bool overlaps(const tub_encoder *encoder)
{
    const native *n = (const native *)encoder;
    return n->ops->begin && !n->waits;
}

static tub_status begin_lane(tub_encoder *encoder, int lane, const tub_lane_run *run, tub_error *err)
{
    native *n = (native *)encoder;
    struct lane *l = &n->lanes[lane];
    l->begun[l->begun_count] = batch_of(n, run, NULL);
    TUB_TRY(n->ops->begin(l->executable, &l->begun[l->begun_count], err));
    l->begun_count++;
    return TUB_OK;
}

static tub_status end_lane(tub_encoder *encoder, int lane, tub_error *err)
{
    native *n = (native *)encoder;
    struct lane *l = &n->lanes[lane];
    const tub_batch batch = l->begun[0];
    l->begun_count--;
    memmove(l->begun, l->begun + 1, (size_t)l->begun_count * sizeof *l->begun);
    TUB_TRY(n->ops->end(l->executable, err));
    if (lane == 0)
        tub_precision_check_run(&n->check, &batch, encoder->info.dim);
    return TUB_OK;
}

static tub_status run_at(tub_encoder *encoder, const void *const *frames, const int *positions, int items, float *rows,
                         float *tokens, tub_error *err)
{
    const tub_lane_run run = {.frames = frames, .positions = positions, .items = items, .rows = rows};
    return run_lane(encoder, 0, &run, tokens, err);
}

static tub_status run(tub_encoder *encoder, const void *const *frames, int items, float *rows, float *tokens,
                      tub_error *err)
{
    return run_at(encoder, frames, NULL, items, rows, tokens, err);
}

// Once for all devices.
static tub_status pin(tub_encoder *encoder, void *memory, size_t bytes, tub_error *err)
{
    native *n = (native *)encoder;
    return n->ops->pin ? n->ops->pin(n->lanes[0].backend, memory, bytes, err) : TUB_END;
}

static void unpin(tub_encoder *encoder, void *memory)
{
    native *n = (native *)encoder;
    if (n->ops->unpin)
        n->ops->unpin(n->lanes[0].backend, memory);
}

static size_t frame_bytes(const tub_encoder *encoder)
{
    const native *n = (const native *)encoder;
    return n->ops->frame_bytes ? n->ops->frame_bytes(n->lanes[0].executable) : 0;
}

// TUB_END: this backend can't hold frames.
static tub_status hold_frames(tub_encoder *encoder, int lane, size_t bytes, void **out, tub_error *err)
{
    native *n = (native *)encoder;
    return n->ops->hold_frames ? n->ops->hold_frames(n->lanes[lane].executable, bytes, out, err) : TUB_END;
}

static void drop_frames(tub_encoder *encoder, int lane)
{
    native *n = (native *)encoder;
    if (n->ops->drop_frames)
        n->ops->drop_frames(n->lanes[lane].backend);
}

static tub_status make_frame(tub_encoder *encoder, int lane, const tub_frame_recipe *recipe,
                             const tub_frame_planes *planes, void *at, void *host, tub_error *err)
{
    native *n = (native *)encoder;
    return n->ops->make_frame(n->lanes[lane].backend, recipe, planes, at, host, err);
}

static double cpu(const tub_encoder *encoder)
{
    return tub_team_cpu(((const native *)encoder)->team);
}

static void close_lane(const native *n, struct lane *lane)
{
    if (lane->executable)
        n->ops->release(&lane->executable);
    if (lane->backend)
        n->ops->close(&lane->backend);
}

static void close_native(tub_encoder *encoder)
{
    native *n = (native *)encoder;
    const bool hurry = atomic_load(&encoder->hurried);
    tub_native_weights_close(&n->weights, hurry);
    tub_native_weights_close(&n->check_weights, hurry);
    tub_precision_check_close(&n->check);
    for (int i = 0; i < TUB_DEVICES_MOST; i++)
        close_lane(n, &n->lanes[i]);
    tub_native_opening_finish(&n->opening);
    tub_team_close(&n->team);
    tub_log_turns_close(&n->turns);
    tub_free(n->positions);
    tub_free(n);
}

static const tub_encoder_ops encoder_ops = {.run = run,
                                            .close = close_native,
                                            .run_at = run_at,
                                            .run_lane = run_lane,
                                            .overlaps = overlaps,
                                            .begin_lane = begin_lane,
                                            .end_lane = end_lane,
                                            .pin = pin,
                                            .unpin = unpin,
                                            .frame_bytes = frame_bytes,
                                            .hold_frames = hold_frames,
                                            .drop_frames = drop_frames,
                                            .make_frame = make_frame,
                                            .cpu = cpu};

static tub_status resolve_transform(const opening *o, tub_encoder_info *info, tub_error *err)
{
    const tub_model *m = o->model;
    // Frame models take any size; they are run at 224.
    int height = m->architecture->per_frame ? 0 : m->config.image_height;
    int width = m->architecture->per_frame ? 0 : m->config.image_width;
    if (!m->has_transform && m->architecture->processor && o->params->transform.base == TUB_TRANSFORM_MODEL)
        tub_warn(&o->params->log, "%s: no preprocessor_config.json: taking %s's defaults", o->params->model,
                 m->architecture->processor);
    TUB_TRY(tub_transform_resolve(&o->params->transform, &m->transform, height, width, &info->transform, err));
    if (!tub_transform_fixed_size(&info->transform, &info->height, &info->width))
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "the transform leaves each video a size of its own, but a model needs one "
                        "for all: give --size HxW, or --crop HxW");
    return TUB_OK;
}

static void describe_pixels(tub_encoder_info *info, tub_input *input)
{
    info->pixels_are_float = info->transform.domain == TUB_DOMAIN_FLOAT;
    info->pixel_bytes = (size_t)info->height * (size_t)info->width * 3 * (info->pixels_are_float ? sizeof(float) : 1);
    *input = (tub_input){
        .frames = info->frames, .height = info->height, .width = info->width, .is_float = info->pixels_are_float};
    for (int c = 0; c < 3 && !input->is_float; c++)
        tub_transform_table(&info->transform, c, input->table[c]);
}

static void describe_model(const opening *o, tub_encoder_info *info)
{
    const tub_model *m = o->model;
    info->family = m->architecture->name;
    info->feature =
        o->params->layer ? tub_model_hidden_feature(m, o->params->pool) : tub_model_feature(m, o->params->pool);
    info->positions = o->params->positions;
    info->heads = o->params->heads;
    info->layer = o->params->layer;
    info->per_frame = m->architecture->per_frame;
    info->clip_length = info->per_frame ? 0 : m->config.frames;
    int clip = o->params->clip_length ? o->params->clip_length : info->clip_length ? info->clip_length : CLIP_USUAL;
    info->frames = info->per_frame ? 1 : clip;
}

static tub_status build_program(opening *o, tub_encoder_info *info, tub_error *err)
{
    const tub_build build = {.frames = info->frames,
                             .height = info->height,
                             .width = info->width,
                             .pool = o->params->pool,
                             .input = &o->input,
                             .positions = o->params->positions,
                             .layer = o->params->layer,
                             .any_size = o->params->transform.has_size || o->params->transform.has_crop};
    tub_status status = tub_model_build(o->model, &build, &o->program, err);
    if (status != TUB_OK)
        return tub_fail_within(err, status, "%s", o->params->model);
    const tub_program *p = o->program;
    info->dim = p->values[p->feature].cols;
    info->tokens = p->values[p->tokens].rows;
    info->token_dim = p->values[p->tokens].cols;
    info->flops = tub_program_flops(p);
    return TUB_OK;
}

size_t tub_native_narrow_bytes(const tub_backend_ops *backend, tub_dtype dtype)
{
    const tub_dtype narrow = dtype == TUB_INT8 ? backend->best_dtype() : dtype;
    return narrow == TUB_BF16 || narrow == TUB_F16 || narrow == TUB_FP8 ? 2 : sizeof(float);
}

int tub_native_threads(const tub_encoder_params *params)
{
    return params->threads ? params->threads : tub_usable_processors();
}

static tub_status choose_batch(const opening *o, tub_encoder_info *info, tub_error *err)
{
    info->batch = o->params->batch;
    // A GPU computes as much of a batch at once as it needs to be busy and as fits into its memory.
    if (!info->batch && o->backend->count)
        info->batch = info->per_frame ? GPU_BATCH_FRAMES : GPU_BATCH_CLIPS;
    if (info->batch)
        return TUB_OK;
    const tub_program *p = o->program;
    bool *need = tub_calloc((size_t)p->op_count, sizeof *need);
    size_t *offsets = tub_calloc((size_t)p->value_count, sizeof *offsets), bytes = 0;
    tub_status status = need && offsets ? TUB_OK : tub_fail_memory(err, "a plan of the workspace");
    if (status == TUB_OK) {
        tub_program_needed(p, true, need);
        status = tub_program_place(p, need, tub_native_narrow_bytes(o->backend, info->dtype), offsets, &bytes, err);
    }
    tub_free(need);
    tub_free(offsets);
    size_t most = bytes ? workspace_usual / bytes : 1;
    info->batch = info->per_frame ? BATCH_FRAMES : BATCH_CLIPS;
    if ((size_t)info->batch > most)
        info->batch = most ? (int)most : 1;
    return status;
}

static tub_status make_positions(const opening *o, native *n, tub_error *err)
{
    const size_t frames = (size_t)n->base.info.frames, count = frames * (size_t)n->base.info.batch;
    if (!o->program->positions)
        return TUB_OK;
    n->positions = tub_calloc(count, sizeof *n->positions);
    for (size_t i = 0; n->positions && i < count; i++)
        n->positions[i] = tub_position_in_video((int64_t)(i % frames), (int64_t)frames);
    return n->positions ? TUB_OK : tub_fail_memory(err, "the frames' positions");
}

// For opening the devices' lanes, which are compiled at the same time.
typedef struct lane_opening {
    const opening *opening;
    native *encoder;
    tub_status status[TUB_DEVICES_MOST];
    tub_error errors[TUB_DEVICES_MOST];
} lane_opening;

static tub_status open_lane(const opening *o, native *n, int i, tub_error *err)
{
    const tub_compile_params compiled = {.dtype = n->base.info.dtype,
                                         .max_items = n->base.info.batch,
                                         .tokens = true,
                                         .shares = o->devices.count > 1,
                                         .weights = tub_native_weights_store(&n->weights)};
    const tub_open_params opened = {.team = n->team,
                                    .device = o->devices.index[i],
                                    .memory = o->params->device_memory,
                                    .without = o->params->gpu_without,
                                    .log = n->log,
                                    .group = o->number};
    TUB_TRY(n->ops->open(&opened, &n->lanes[i].backend, err));
    return n->ops->compile(n->lanes[i].backend, o->program, &compiled, &n->lanes[i].executable, err);
}

static void open_unit(void *context, int unit, int member)
{
    (void)member;
    lane_opening *l = context;
    l->status[unit] = open_lane(l->opening, l->encoder, unit, &l->errors[unit]);
}

// A GPU that can't be opened is left out, if others can and nobody asked for this one.
static tub_status keep_opened(const lane_opening *l, int lanes, tub_error *err)
{
    native *n = l->encoder;
    const tub_encoder_params *params = l->opening->params;
    const bool told = params->device && strchr(params->device, ':');
    int kept = 0;
    for (int i = 0; i < lanes; i++) {
        if (l->status[i] == TUB_OK) {
            n->base.info.gpus[kept] = l->opening->devices.index[i];
            n->lanes[kept++] = n->lanes[i];
            continue;
        }
        if (err && (told || kept == 0))
            *err = l->errors[i];
        close_lane(n, &n->lanes[i]);
        if (told)
            return l->status[i];
        if (lanes > 1)
            tub_warn(&params->log, "device cuda:%d is left out: %s", l->opening->devices.index[i], l->errors[i].text);
    }
    for (int i = kept; i < lanes; i++)
        n->lanes[i] = (struct lane){0};
    n->base.info.lanes = kept;
    return kept ? TUB_OK : l->status[0];
}

static tub_status open_lanes(const opening *o, native *n, tub_error *err)
{
    lane_opening *l = tub_calloc(1, sizeof *l);
    if (!l)
        return tub_fail_memory(err, "an encoder");
    *l = (lane_opening){.opening = o, .encoder = n};
    tub_team_run(n->team, o->devices.count, open_unit, l);
    const tub_status status = keep_opened(l, o->devices.count, err);
    tub_free(l);
    return status;
}

static tub_status open_check(const opening *o, native *n, tub_backend *backend, tub_error *err)
{
    const tub_precision_check_params params = {.ops = n->ops,
                                               .backend = backend,
                                               .team = n->team,
                                               .program = o->program,
                                               .weights = tub_native_weights_store(&n->check_weights),
                                               .dtype = n->base.info.dtype,
                                               .log = n->log};
    return tub_precision_check_open(&params, &n->check, err);
}

// Opens the check within the first GPU's memory and its limit. If there is no room for the same weights again, there is
// no check.
static tub_status check_gpu(const opening *o, native *n, tub_error *err)
{
    tub_error why = {0};
    if (n->base.info.dtype != TUB_FP8)
        return TUB_OK;
    const tub_status status = open_check(o, n, n->lanes[0].backend, &why);
    if (status == TUB_ERROR_MEMORY)
        tub_warn(&o->params->log, "fp8: how far rows are from those in %s isn't told: %s",
                 tub_dtype_name(n->ops->best_dtype()), why.text);
    else if (status != TUB_OK && err)
        *err = why;
    return status == TUB_ERROR_MEMORY ? TUB_OK : status;
}

static tub_status compile(opening *o, native *n, tub_error *err)
{
    const int threads = tub_native_threads(o->params);
    const tub_dtype dtype = n->base.info.dtype;
    if (o->backend->count) {
        TUB_TRY(tub_team_open(o->devices.count, &n->team, err));
        TUB_TRY(open_lanes(o, n, err));
        return check_gpu(o, n, err);
    }
    n->base.info.lanes = 1;
    TUB_TRY(tub_team_open(threads, &n->team, err));
    tub_native_weights_open(&n->weights, o, &n->base.info, dtype, n->team);
    if (dtype == TUB_INT8) {
        if (n->weights.cache)
            tub_native_weights_open(&n->check_weights, o, &n->base.info, n->ops->best_dtype(), n->team);
        TUB_TRY(open_check(o, n, NULL, err));
    }
    return open_lane(o, n, 0, err);
}

static tub_status open_model(opening *o, tub_error *err)
{
    TUB_TRY(o->describe ? tub_model_survey(o->checkpoint, &o->model, err)
                        : tub_model_open(o->checkpoint, &o->model, err));
    tub_status status = o->params->heads ? tub_model_set_heads(o->model, o->params->heads, err) : TUB_OK;
    return status == TUB_OK ? TUB_OK : tub_fail_within(err, status, "%s", o->params->model);
}

void tub_native_hash_start(opening *o)
{
    if (!o->hash.checkpoint && !o->hash.text[0])
        tub_hash_job_start(&o->hash, o->checkpoint);
}

// With an unchanged stamp, the hash is unchanged. If packed weights may come from a cache, which then knows the hash,
// it is computed only if they don't.
static void start_hash(opening *o, tub_encoder_info *info)
{
    const char *stamp = o->params->known_stamp, *hash = o->params->known_hash;
    char text[TUB_HASH_TEXT];
    tub_checkpoint_stamp(o->checkpoint, text);
    snprintf(info->model_stamp, sizeof info->model_stamp, "%s", text);
    if (hash && stamp && text[0] && !strcmp(text, stamp) && strlen(hash) == TUB_HASH_TEXT - 1)
        memcpy(o->hash.text, hash, TUB_HASH_TEXT);
    if (o->describe || !o->params->cache_weights)
        tub_native_hash_start(o);
}

tub_status tub_native_hash(opening *o, tub_encoder_info *info, tub_error *err)
{
    tub_native_hash_start(o);
    TUB_TRY(tub_hash_job_end(&o->hash, err));
    snprintf(info->model_hash, sizeof info->model_hash, "%s", o->hash.text);
    return TUB_OK;
}

tub_status tub_native_prepare(opening *o, tub_encoder_info *info, tub_error *err)
{
    TUB_TRY(tub_choose_backend(o->params, o->failed, &o->backend, &info->dtype, &o->devices, !o->describe, err));
    info->backend = o->backend->name;
    info->device = o->backend->device;
    snprintf(info->isa, sizeof info->isa, "%s", o->backend->isa());
    if (o->backend->name_device)
        TUB_TRY(o->backend->name_device(o->devices.index[0], info->isa, sizeof info->isa, err));
    TUB_TRY(tub_checkpoint_open(o->params->model, &o->checkpoint, err));
    start_hash(o, info);
    TUB_TRY(open_model(o, err));
    describe_model(o, info);
    TUB_TRY(resolve_transform(o, info, err));
    describe_pixels(info, &o->input);
    TUB_TRY(build_program(o, info, err));
    info->lanes = o->backend->count ? o->devices.count : 1;
    // The processor gains nothing from waiting for a full batch.
    info->eager = !o->backend->count;
    return choose_batch(o, info, err);
}

void tub_native_opening_finish(opening *o)
{
    tub_hash_job_end(&o->hash, NULL);
    tub_program_free(&o->program);
    tub_model_close(&o->model);
    tub_checkpoint_close(&o->checkpoint);
}

// The backend's bit in `failed`.
static unsigned bit_of(const tub_backend_ops *backend)
{
    unsigned i = 0;
    while (tub_backend_at(i) && tub_backend_at(i) != backend)
        i++;
    return 1u << i;
}

// Opens with the backends that haven't failed. If compiling fails and another backend may do, this one's bit is added
// to *failed.
static tub_status open_with(const tub_encoder_params *params, unsigned *failed, tub_encoder **out, tub_error *err)
{
    native *n = tub_calloc(1, sizeof *n);
    if (!n)
        return tub_fail_memory(err, "an encoder");
    n->base.ops = &encoder_ops;
    n->log = tub_log_turns_open(&n->turns, &params->log);
    opening o = {.params = params, .failed = *failed, .number = (uint64_t)(tub_now() * 1e9)};
    tub_status status = tub_native_prepare(&o, &n->base.info, err);
    n->ops = o.backend;
    n->waits = params->gpu_without & TUB_GPU_WITHOUT_OVERLAP;
    if (status == TUB_OK)
        status = make_positions(&o, n, err);
    if (status == TUB_OK) {
        status = compile(&o, n, err);
        // A GPU may be short of memory while the processor isn't.
        if (status == TUB_ERROR_DEVICE || (status == TUB_ERROR_MEMORY && n->ops->count))
            *failed |= bit_of(n->ops);
    }
    if (status == TUB_OK)
        status = tub_native_hash(&o, &n->base.info, err);
    if (status == TUB_OK)
        status = tub_checkpoint_unchanged(o.checkpoint, err);
    if (status == TUB_OK) {
        tub_native_weights_write(&n->weights, n->base.info.model_hash);
        tub_native_weights_write(&n->check_weights, n->base.info.model_hash);
    }
    tub_hash_job_end(&o.hash, NULL); // before it moves
    o.params = NULL;                 // the caller's
    if (n->ops && n->ops->keeps_program)
        n->opening = o;
    else
        tub_native_opening_finish(&o);
    if (status == TUB_OK)
        *out = &n->base;
    else
        close_native(&n->base);
    return status;
}

// If nobody asked for a backend, one that can't compile the model leaves it to the next.
tub_status tub_native_encoder_open(const tub_encoder_params *params, tub_encoder **out, tub_error *err)
{
    tub_error first = {0}, error = {0};
    unsigned failed = 0, first_failed = 0;
    for (;;) {
        const unsigned before = failed;
        const tub_status status = open_with(params, &failed, out, &error);
        if (status == TUB_OK && before)
            tub_warn(&params->log, "backend %s can't run this model, so %s on %s does: %s",
                     tub_backend_at(first_failed)->name, (*out)->info.backend, (*out)->info.device, first.text);
        if (status != TUB_OK && err)
            *err = before ? first : error;
        if (status == TUB_OK || failed == before || !tub_backend_is_open(params))
            return status == TUB_OK || !before ? status : first.status;
        if (!before) {
            first = error;
            while (!(failed & 1u << first_failed))
                first_failed++;
        }
    }
}
