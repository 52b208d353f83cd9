// Descriptions: an encoder's opening, stopped before anything is compiled.
#include <stdio.h>
#include <sys/stat.h>
#include <tubelet/checkpoint.h>

#include "fail.h"
#include "memory.h"
#include "native_encoder.h"
#include "onnx_files.h"
#include "openvino_encoder.h"

struct tub_description {
    tub_description_info info;
    tub_arena arena;
    tub_file_info *files;
    tub_operation_info *operations;
};

// ---- what the operations compute with ----

typedef struct constants {
    int64_t narrow, wide; // values kept in the run's precision, and in float32
} constants;

static void count(const tub_tensor *t, int64_t *sum)
{
    *sum += tub_tensor_is_there(t) ? tub_tensor_count(t) : 0;
}

static constants constants_of(const tub_op *op)
{
    constants n = {0};
    switch (op->kind) {
    case TUB_OP_LINEAR:
        count(&op->linear.weight, &n.narrow);
        count(&op->linear.bias, &n.wide);
        count(&op->linear.scale, &n.wide);
        break;
    case TUB_OP_NORM:
        count(&op->norm.weight, &n.wide);
        count(&op->norm.bias, &n.wide);
        break;
    case TUB_OP_ADD_TABLE:
        count(&op->add_table.table, &n.wide);
        break;
    case TUB_OP_PREPEND:
        count(&op->prepend.rows, &n.wide);
        break;
    case TUB_OP_ROTATE:
        count(&op->rotate.cosine, &n.wide);
        count(&op->rotate.sine, &n.wide);
        break;
    case TUB_OP_ATTENTION:
        if (op->in[0] == TUB_NONE)
            count(&op->attention.query, &n.narrow);
        break;
    default:
        break;
    }
    return n;
}

static tub_status copy_operations(tub_description *d, const tub_program *p, tub_error *err)
{
    d->operations = tub_arena_alloc(&d->arena, (size_t)p->op_count, sizeof *d->operations);
    if (!d->operations)
        return tub_fail_memory(err, "the list of operations");
    for (int i = 0; i < p->op_count; i++) {
        const tub_op *op = &p->ops[i];
        const tub_value_info *out = &p->values[op->out];
        const constants n = constants_of(op);
        tub_operation_info *to = &d->operations[i];
        *to = (tub_operation_info){.kind = tub_op_name(op->kind),
                                   .label = tub_arena_strdup(&d->arena, op->label),
                                   .inputs = {op->in[0], op->in[1], op->in[2], op->in[3]},
                                   .output = op->out,
                                   .rows = out->rows,
                                   .cols = out->cols,
                                   .wide = out->width == TUB_WIDE,
                                   .flops = tub_op_flops(p, op),
                                   .parameters = n.narrow + n.wide};
        if (!to->label)
            return tub_fail_memory(err, "the list of operations");
    }
    d->info.operation_count = (size_t)p->op_count;
    return TUB_OK;
}

static size_t bytes_of(const tub_native_opening *o, const tub_op *op, tub_dtype dtype, size_t narrow_bytes)
{
    const constants n = constants_of(op);
    const bool packs = op->kind == TUB_OP_LINEAR && o->backend->weight_bytes;
    return (packs ? o->backend->weight_bytes(o->program, op, dtype) : (size_t)n.narrow * narrow_bytes) +
           (size_t)n.wide * sizeof(float);
}

static tub_status measure(tub_description *d, const tub_native_opening *o, tub_error *err)
{
    const tub_program *p = o->program;
    const tub_encoder_info *e = &d->info.encoder;
    const size_t narrow_bytes = tub_native_narrow_bytes(o->backend, e->dtype);
    bool *need = tub_arena_alloc(&d->arena, (size_t)p->op_count, sizeof *need);
    size_t *offsets = tub_arena_alloc(&d->arena, (size_t)p->value_count, sizeof *offsets), item = 0;
    if (!need || !offsets)
        return tub_fail_memory(err, "a plan of the workspace");
    tub_program_needed(p, true, need);
    TUB_TRY(tub_program_place(p, need, narrow_bytes, offsets, &item, err));
    for (int i = 0; i < p->op_count; i++)
        d->info.weight_bytes += need[i] ? bytes_of(o, &p->ops[i], e->dtype, narrow_bytes) : 0;
    const int threads = tub_native_threads(o->params);
    const int items = o->backend->items_at_once ? o->backend->items_at_once(p, threads, e->batch) : e->batch;
    d->info.workspace_bytes = item * (size_t)items;
    return TUB_OK;
}

// ---- files ----

static tub_status add_file(tub_description *d, const char *path, int64_t bytes, tub_error *err)
{
    tub_file_info *file = &d->files[d->info.file_count];
    *file = (tub_file_info){.path = tub_arena_strdup(&d->arena, path), .bytes = bytes};
    d->info.file_count += file->path != NULL;
    return file->path ? TUB_OK : tub_fail_memory(err, "the list of files");
}

static tub_status alloc_files(tub_description *d, size_t most, tub_error *err)
{
    d->files = tub_arena_alloc(&d->arena, most, sizeof *d->files);
    return d->files ? TUB_OK : tub_fail_memory(err, "the list of files");
}

static tub_status list_checkpoint(tub_description *d, const tub_checkpoint *c, tub_error *err)
{
    const char *path;
    int64_t bytes;
    size_t n = 0;
    while (tub_checkpoint_file(c, n, &path, &bytes))
        n++;
    TUB_TRY(alloc_files(d, n, err));
    for (size_t i = 0; i < n && tub_checkpoint_file(c, i, &path, &bytes); i++)
        TUB_TRY(add_file(d, path, bytes, err));
    return TUB_OK;
}

static tub_status add_path(tub_description *d, const char *path, tub_error *err)
{
    struct stat status;
    return add_file(d, path, stat(path, &status) == 0 ? (int64_t)status.st_size : 0, err);
}

static tub_status list_custom(tub_description *d, const tub_custom_files *files, tub_error *err)
{
    TUB_TRY(alloc_files(d, files->external_count + 2, err));
    TUB_TRY(add_path(d, files->model, err));
    if (files->weights)
        TUB_TRY(add_path(d, files->weights, err));
    for (size_t i = 0; i < files->external_count; i++)
        TUB_TRY(add_path(d, files->external[i], err));
    return TUB_OK;
}

// ---- the two kinds of models ----

static tub_status describe_native(tub_description *d, const tub_native_opening *o, tub_error *err)
{
    const tub_config *c = &o->model->config;
    const tub_size *size = tub_model_size(o->model);
    tub_description_info *info = &d->info;
    info->size = size ? size->name : NULL;
    info->pool = tub_model_pool(o->model, o->params->pool);
    // An intermediate hidden state has no head.
    if (o->params->layer && o->params->pool == TUB_POOL_DEFAULT)
        info->pool = o->model->architecture->class_token ? TUB_POOL_CLS : TUB_POOL_MEAN;
    info->hidden = c->hidden;
    info->layers = c->layers;
    info->heads = c->heads;
    info->mlp = c->mlp;
    info->patch = c->patch;
    info->tubelet = c->tubelet ? c->tubelet : 1;
    info->image_height = c->image_height;
    info->image_width = c->image_width;
    info->has_transform = o->model->has_transform;
    info->parameters = o->model->parameters;
    TUB_TRY(list_checkpoint(d, o->checkpoint, err));
    TUB_TRY(copy_operations(d, o->program, err));
    return measure(d, o, err);
}

static tub_status open_native(tub_description *d, const tub_encoder_params *params, tub_error *err)
{
    tub_native_opening o = {.params = params, .describe = true};
    tub_status status = tub_native_prepare(&o, &d->info.encoder, err);
    if (status == TUB_OK)
        status = tub_native_hash(&o, &d->info.encoder, err);
    if (status == TUB_OK)
        status = describe_native(d, &o, err);
    tub_native_opening_finish(&o);
    return status;
}

static tub_status open_custom(tub_description *d, const tub_encoder_params *params, const char *file, tub_error *err)
{
    tub_encoder *encoder = NULL;
    tub_custom_files files = {0};
    tub_status status = tub_openvino_encoder_open(params, file, &encoder, err);
    if (status == TUB_OK) {
        d->info.encoder = encoder->info;
        status = tub_custom_files_open(file, &files, err);
    }
    if (status == TUB_OK)
        status = list_custom(d, &files, err);
    tub_custom_files_finish(&files);
    tub_encoder_close(&encoder);
    return status;
}

static tub_status open_any(tub_description *d, const tub_encoder_params *params, tub_error *err)
{
    char *custom = NULL;
    tub_status status = tub_custom_find(params->model, &custom, err);
    if (status == TUB_OK)
        status = open_custom(d, params, custom, err);
    else if (status == TUB_END)
        status = open_native(d, params, err);
    tub_free(custom);
    return status;
}

tub_status tub_describe(const tub_encoder_params *params, tub_description **out, tub_error *err)
{
    if (!out)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "description: nowhere to put it");
    *out = NULL;
    TUB_TRY(tub_encoder_check_params(params, err));
    tub_description *d = tub_calloc(1, sizeof *d);
    if (!d)
        return tub_fail_memory(err, "a description");
    tub_arena_init(&d->arena);
    tub_status status = open_any(d, params, err);
    d->info.encoder.l2_normalize = params->l2_normalize;
    if (status == TUB_OK)
        *out = d;
    else
        tub_description_close(&d);
    return status;
}

const tub_description_info *tub_description_get_info(const tub_description *d)
{
    return &d->info;
}

bool tub_description_file_at(const tub_description *d, size_t i, tub_file_info *out)
{
    if (i >= d->info.file_count)
        return false;
    *out = d->files[i];
    return true;
}

bool tub_description_operation_at(const tub_description *d, size_t i, tub_operation_info *out)
{
    if (i >= d->info.operation_count)
        return false;
    *out = d->operations[i];
    return true;
}

void tub_description_close(tub_description **d)
{
    if (!d || !*d)
        return;
    tub_arena_finish(&(*d)->arena);
    tub_free(*d);
    *d = NULL;
}
