// What is known about the families and their sizes without a checkpoint.
#include <tubelet/checkpoint.h>

#include "fail.h"
#include "model.h"
#include "params.h"

bool tub_family_at(size_t i, tub_family_info *out)
{
    const tub_architecture *a = tub_architecture_at(i);
    if (!a)
        return false;
    *out = (tub_family_info){.name = a->name,
                             .model_types = a->model_types,
                             .sizes = a->size_names,
                             .feature = a->feature,
                             .per_frame = a->per_frame,
                             .processor = a->processor,
                             .layouts = a->layouts ? a->layouts : "transformers"};
    return true;
}

static tub_status read_size(const tub_architecture *a, const tub_size *size, tub_config *out, tub_error *err)
{
    json_t *json = a->make_config(size);
    if (!json)
        return tub_fail_memory(err, "a config");
    tub_status status = a->read_config(json, out, err);
    json_decref(json);
    return status;
}

// Binds a model with this config that is never run, to count its parameters.
static tub_status measure(const tub_architecture *a, tub_config *config, int64_t *parameters, tub_error *err)
{
    tub_arena arena;
    tub_binder *b = NULL;
    tub_arena_init(&arena);
    void *weights = tub_calloc(1, a->weights_bytes);
    tub_status status = weights ? tub_binder_measure(&arena, &b, err) : tub_fail_memory(err, "a model");
    if (status == TUB_OK) {
        a->bind(b, config, weights);
        status = tub_binder_end(b, err);
        *parameters = tub_binder_parameters(b);
    }
    tub_binder_free(&b);
    tub_free(weights);
    tub_arena_finish(&arena);
    return status;
}

static int default_dim(const tub_architecture *a, const tub_config *config)
{
    const tub_model m = {.architecture = a, .config = *config};
    return tub_model_pool(&m, TUB_POOL_DEFAULT) == TUB_POOL_POOLER && config->pooler ? config->pooler : config->hidden;
}

tub_status tub_family_size_at(size_t family, size_t i, tub_size_info *out, tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    const tub_architecture *a = tub_architecture_at(family);
    if (!a)
        return TUB_END;
    for (size_t k = 0; k <= i; k++)
        if (!a->sizes[k].name)
            return TUB_END;
    tub_config c;
    int64_t parameters = 0;
    TUB_TRY(read_size(a, &a->sizes[i], &c, err));
    TUB_TRY(measure(a, &c, &parameters, err));
    *out = (tub_size_info){.name = a->sizes[i].name,
                           .hidden = c.hidden,
                           .layers = c.layers,
                           .heads = c.heads,
                           .mlp = c.mlp,
                           .patch = c.patch,
                           .frames = a->per_frame ? 1 : c.frames,
                           .image = c.image_height,
                           .dim = default_dim(a, &c),
                           .parameters = parameters};
    return TUB_OK;
}

static bool is_size(const tub_config *a, const tub_config *b)
{
    return a->hidden == b->hidden && a->layers == b->layers && a->heads == b->heads && a->mlp == b->mlp &&
           a->patch == b->patch && a->gated == b->gated;
}

const tub_size *tub_model_size(const tub_model *m)
{
    for (const tub_size *size = m->architecture->sizes; size->name; size++) {
        tub_config c;
        if (read_size(m->architecture, size, &c, NULL) == TUB_OK && is_size(&c, &m->config))
            return size;
    }
    return NULL;
}
