#include "model.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "memory.h"
#include "preprocess.h"

// More tokens than this is a mistake in the sizes, not a model.
enum { TOKENS_MOST = 1 << 18 };

static void list_types(char *out, size_t bytes)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; tub_architecture_at(i) && at < bytes; i++)
        at += (size_t)snprintf(out + at, bytes - at, "%s%s", at ? ", " : "", tub_architecture_at(i)->model_types);
}

static void list_without_config(char *out, size_t bytes)
{
    const tub_architecture *a;
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; (a = tub_architecture_at(i)) && at < bytes; i++)
        if (a->sizes_in_file)
            at += (size_t)snprintf(out + at, bytes - at, "%s%s", at ? ", " : "", a->name);
}

static tub_status no_type(const tub_checkpoint *c, const char *look, const char *known, tub_error *err)
{
    const char *path = tub_checkpoint_path(c);
    const char *timm = json_string_value(json_object_get(tub_checkpoint_config(c), "architecture"));
    if (timm)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s/config.json: architecture \"%.60s\" is timm's, whose files aren't read: take those of "
                        "transformers, or an ONNX export",
                        path, timm);
    return tub_fail(err, TUB_ERROR_MODEL, "%s/config.json: no model_type%s; known are %s", path, look, known);
}

static tub_status unknown_family(const tub_checkpoint *c, const char *type, tub_error *err)
{
    const tub_architecture *guess = tub_architecture_guess(c);
    const char *path = tub_checkpoint_path(c);
    char known[512], look[96] = "";
    list_types(known, sizeof known);
    if (guess)
        snprintf(look, sizeof look, " (its tensors look like those of %s)", guess->name);
    if (json_object_size(tub_checkpoint_config(c)) == 0) {
        list_without_config(known, sizeof known);
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: comes without a config.json, but isn't of a family that can (%s)%s: put its config.json "
                        "beside it",
                        path, known, look);
    }
    if (!type)
        return no_type(c, look, known, err);
    return tub_fail(err, TUB_ERROR_MODEL, "%s/config.json: model_type \"%.60s\" isn't known%s; known are %s", path,
                    type, look, known);
}

// If tensors don't fit because the file belongs to another family, the error says so.
static void name_other_family(const tub_architecture *a, const tub_checkpoint *c, tub_error *err)
{
    const tub_architecture *guess = tub_architecture_guess(c);
    size_t at = strlen(err->text);
    if (!guess || guess == a || tub_architecture_fits(a, c))
        return;
    snprintf(err->text + at, sizeof err->text - at, " (the tensors look like those of %s, but this is taken for %s)",
             guess->name, a->name);
}

static tub_status bind(tub_model *m, const tub_checkpoint *c, bool values, tub_error *err)
{
    tub_binder *b = NULL;
    TUB_TRY(values ? tub_binder_load(c, &m->arena, &b, err) : tub_binder_survey(c, &m->arena, &b, err));
    m->architecture->bind(b, &m->config, m->weights);
    tub_status status = tub_binder_end(b, err);
    m->parameters = tub_binder_parameters(b);
    tub_binder_free(&b);
    if (status == TUB_ERROR_MODEL && err)
        name_other_family(m->architecture, c, err);
    return status;
}

static tub_status read_transform(tub_model *m, const json_t *preprocessor, tub_error *err)
{
    static const tub_transform_options original = {.base = TUB_TRANSFORM_OPENTAD};
    const char *processor = m->architecture->processor;
    if (preprocessor || processor)
        return tub_preprocess_read(preprocessor, processor, &m->transform, err);
    return tub_transform_resolve(&original, NULL, m->config.image_height, m->config.image_width, &m->transform, err);
}

// Only for families whose sizes follow from their tensors.
static const tub_architecture *guess_without_config(const tub_checkpoint *c)
{
    const tub_architecture *a = tub_architecture_guess(c);
    return a && a->sizes_in_file ? a : NULL;
}

static tub_status load(tub_model *m, const tub_checkpoint *c, bool values, tub_error *err)
{
    const char *path = tub_checkpoint_path(c), *type = NULL;
    const json_t *config = tub_checkpoint_config(c);
    tub_status status = tub_json_string(config, "config.json", "model_type", NULL, &type, err);
    if (status != TUB_OK)
        return tub_fail_within(err, status, "%s", path);
    if (type)
        m->architecture = tub_architecture_find(type);
    else if (json_object_size(config) == 0)
        m->architecture = guess_without_config(c);
    if (!m->architecture)
        return unknown_family(c, type, err);
    status = m->architecture->read_config(config, &m->config, err);
    if (status != TUB_OK)
        return tub_fail_within(err, status, "%s", path);
    const json_t *preprocessor = tub_checkpoint_preprocessor(c, !m->architecture->per_frame);
    m->has_transform = preprocessor != NULL;
    status = read_transform(m, preprocessor, err);
    if (status != TUB_OK)
        return tub_fail_within(err, status, "%s", path);
    m->weights = tub_calloc(1, m->architecture->weights_bytes);
    if (!m->weights)
        return tub_fail_memory(err, "a model");
    return bind(m, c, values, err);
}

static tub_status open_model(const tub_checkpoint *c, bool values, tub_model **out, tub_error *err)
{
    *out = NULL;
    tub_model *m = tub_calloc(1, sizeof *m);
    if (!m)
        return tub_fail_memory(err, "a model");
    tub_arena_init(&m->arena);
    tub_status status = load(m, c, values, err);
    if (status == TUB_OK)
        *out = m;
    else
        tub_model_close(&m);
    return status;
}

tub_status tub_model_open(const tub_checkpoint *c, tub_model **out, tub_error *err)
{
    return open_model(c, true, out, err);
}

tub_status tub_model_survey(const tub_checkpoint *c, tub_model **out, tub_error *err)
{
    return open_model(c, false, out, err);
}

void tub_model_close(tub_model **m)
{
    if (!m || !*m)
        return;
    tub_arena_finish(&(*m)->arena);
    tub_free((*m)->weights);
    tub_free(*m);
    *m = NULL;
}

tub_status tub_model_set_heads(tub_model *m, int heads, tub_error *err)
{
    const tub_config *c = &m->config;
    if (!c->free_heads && heads != c->heads)
        return tub_fail(err, TUB_ERROR_MODEL, "heads: this %s checkpoint says itself that it has %d: leave out --heads",
                        m->architecture->name, c->heads);
    if (heads < 1 || c->hidden % heads)
        return tub_fail(err, TUB_ERROR_MODEL, "heads: %d don't divide its %d channels", heads, c->hidden);
    m->config.heads = heads;
    return TUB_OK;
}

static tub_pool hidden_pool(const tub_model *m, tub_pool pool)
{
    if (pool != TUB_POOL_DEFAULT)
        return pool;
    if (m->architecture->headless_pool != TUB_POOL_DEFAULT)
        return m->architecture->headless_pool;
    return m->architecture->class_token ? TUB_POOL_CLS : TUB_POOL_MEAN;
}

tub_pool tub_model_pool(const tub_model *m, tub_pool pool)
{
    if (pool == TUB_POOL_DEFAULT && m->architecture->default_pool != TUB_POOL_DEFAULT)
        return m->architecture->default_pool;
    if (pool == TUB_POOL_DEFAULT && m->config.head)
        return TUB_POOL_POOLER;
    return hidden_pool(m, pool);
}

const char *tub_model_hidden_feature(const tub_model *m, tub_pool pool)
{
    switch (hidden_pool(m, pool)) {
    case TUB_POOL_CLS:
        return "class token of the hidden state after a block";
    case TUB_POOL_PATCH_MEAN:
        return "mean of the patch tokens of the hidden state after a block";
    default:
        return "mean of all tokens of the hidden state after a block";
    }
}

const char *tub_model_feature(const tub_model *m, tub_pool pool)
{
    switch (tub_model_pool(m, pool)) {
    case TUB_POOL_POOLER:
        return m->architecture->pooler;
    case TUB_POOL_CLS:
        return "class token of the last hidden state";
    case TUB_POOL_PROJECTION:
        return "visual projection of the head's row, as text is compared with";
    case TUB_POOL_PATCH_MEAN:
        return "mean of the patch tokens of the last hidden state";
    default:
        return "mean of all tokens of the last hidden state";
    }
}

static tub_status check_layer(const tub_model *m, const tub_build *build, tub_error *err)
{
    if (build->layer > m->config.layers)
        return tub_fail(err, TUB_ERROR_MODEL, "layer %d: this checkpoint has %d blocks: use --layer 1 to %d",
                        build->layer, m->config.layers, m->config.layers);
    if (build->layer && (build->pool == TUB_POOL_POOLER || build->pool == TUB_POOL_PROJECTION))
        return tub_fail(err, TUB_ERROR_MODEL, "layer %d: the head takes the last hidden state: use --pool %s",
                        build->layer, m->architecture->class_token ? "cls, mean or patch-mean" : "mean");
    return TUB_OK;
}

static tub_status check_pool(const tub_model *m, tub_pool pool, tub_error *err)
{
    if (pool == TUB_POOL_POOLER && !m->config.head)
        return tub_fail(err, TUB_ERROR_MODEL, "pool \"pooler\": this %s checkpoint has no head: use --pool mean",
                        m->architecture->name);
    if (pool == TUB_POOL_CLS && !m->architecture->class_token)
        return tub_fail(err, TUB_ERROR_MODEL, "pool \"cls\": %s has no class token: use --pool default or mean",
                        m->architecture->name);
    if (pool == TUB_POOL_PROJECTION && !m->config.projection)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "pool \"projection\": this %s checkpoint has no visual_projection: use --pool default",
                        m->architecture->name);
    return TUB_OK;
}

static tub_status check(const tub_model *m, const tub_build *build, tub_error *err)
{
    const tub_config *c = &m->config;
    if (build->frames < 1 || build->height < 1 || build->width < 1)
        return tub_fail(err, TUB_ERROR_INTERNAL, "%s: an item of %d frames, %dx%d", m->architecture->name,
                        build->frames, build->height, build->width);
    if (c->heads == 0)
        return tub_fail(err, TUB_ERROR_MODEL, "this file doesn't tell how many heads it has: use --heads N");
    if (c->hidden % c->heads)
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: %d attention heads don't divide %d channels", c->heads,
                        c->hidden);
    if (build->positions != TUB_POSITIONS_INDEX && !m->architecture->positions)
        return tub_fail(err, TUB_ERROR_MODEL, "frame positions: %s doesn't take any: leave out --frame-positions",
                        m->architecture->name);
    TUB_TRY(m->architecture->check(c, build, err));
    int64_t tokens = (int64_t)build->frames * (build->height / c->patch) * (build->width / c->patch);
    if (tokens > TOKENS_MOST)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%d frames of %dx%d pixels are %lld tokens, above %d: use a smaller --size or "
                        "--clip-length",
                        build->frames, build->height, build->width, (long long)tokens, TOKENS_MOST);
    TUB_TRY(check_layer(m, build, err));
    return check_pool(m, build->pool, err);
}

tub_status tub_model_build(tub_model *m, const tub_build *asked, tub_program **out, tub_error *err)
{
    *out = NULL;
    tub_build build = *asked;
    build.pool = asked->layer ? hidden_pool(m, asked->pool) : tub_model_pool(m, asked->pool);
    TUB_TRY(check(m, &build, err));
    tub_program *p = NULL;
    tub_value feature = TUB_NONE, tokens = TUB_NONE;
    TUB_TRY(tub_program_begin(build.input, &p, err));
    tub_config config = m->config;
    if (build.layer)
        config.layers = build.layer;
    m->architecture->build(&config, m->weights, &build, &m->arena, p, &feature, &tokens);
    tub_status status = tub_program_end(p, feature, tokens, err);
    if (status == TUB_OK)
        *out = p;
    else
        tub_program_free(&p);
    return status;
}
