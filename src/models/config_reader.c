#include "config_reader.h"

#include <string.h>

#include "fail.h"

static const char where[] = "config.json";

static const struct {
    const char *name;
    tub_activation activation;
} activations[] = {
    {"gelu", TUB_ACT_GELU},           {"gelu_pytorch_tanh", TUB_ACT_GELU_TANH}, {"gelu_new", TUB_ACT_GELU_TANH},
    {"gelu_fast", TUB_ACT_GELU_TANH}, {"quick_gelu", TUB_ACT_QUICK_GELU},       {"silu", TUB_ACT_SILU},
    {"swish", TUB_ACT_SILU},
};

tub_status tub_config_read_activation(const json_t *json, tub_config *c, tub_error *err)
{
    const char *name;
    TUB_TRY(tub_json_string(json, where, "hidden_act", NULL, &name, err));
    if (!name)
        return TUB_OK;
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
        if (strcmp(activations[i].name, name) == 0) {
            c->activation = activations[i].activation;
            return TUB_OK;
        }
    }
    return tub_fail(err, TUB_ERROR_MODEL,
                    "%s: key \"hidden_act\": \"%.40s\" isn't known: gelu, gelu_pytorch_tanh, "
                    "gelu_new, gelu_fast, quick_gelu and silu are",
                    where, name);
}

tub_status tub_config_read_int(const json_t *json, const char *key, int low, int high, int *value, tub_error *err)
{
    int64_t wide;
    TUB_TRY(tub_json_int(json, where, key, *value, low, high, &wide, err));
    *value = (int)wide;
    return TUB_OK;
}

tub_status tub_config_read_bool(const json_t *json, const char *key, bool *value, tub_error *err)
{
    return tub_json_bool(json, where, key, *value, value, err);
}

tub_status tub_config_read_double(const json_t *json, const char *key, double *value, tub_error *err)
{
    return tub_json_double(json, where, key, *value, value, err);
}

tub_status tub_config_read_mlp(const json_t *json, tub_config *c, tub_error *err)
{
    return tub_config_read_int(json, "intermediate_size", 1, 1 << 17, &c->mlp, err);
}

tub_status tub_config_read_eps(const json_t *json, const char *key, tub_config *c, tub_error *err)
{
    TUB_TRY(tub_config_read_double(json, key, &c->eps, err));
    if (!(c->eps >= 0 && c->eps < 1))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"%s\": must be at least 0 and below 1", where, key);
    return TUB_OK;
}

tub_status tub_config_read_tower(const json_t *json, tub_config *c, tub_error *err)
{
    int channels = 3;
    TUB_TRY(tub_config_read_int(json, "hidden_size", 1, 1 << 15, &c->hidden, err));
    TUB_TRY(tub_config_read_int(json, "num_hidden_layers", 1, TUB_LAYERS_MOST, &c->layers, err));
    TUB_TRY(tub_config_read_int(json, "num_attention_heads", 1, 1024, &c->heads, err));
    TUB_TRY(tub_config_read_int(json, "patch_size", 1, 256, &c->patch, err));
    TUB_TRY(tub_config_read_int(json, "num_channels", 3, 3, &channels, err));
    TUB_TRY(tub_config_read_eps(json, "layer_norm_eps", c, err));
    if (c->hidden % c->heads)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"num_attention_heads\": %d heads don't divide hidden_size %d",
                        where, c->heads, c->hidden);
    return tub_config_read_activation(json, c, err);
}

tub_status tub_config_read_image(const json_t *json, tub_config *c, tub_error *err)
{
    const json_t *value = json_object_get(json, "image_size");
    if (json_is_array(value)) {
        if (json_array_size(value) != 2 || !json_is_integer(json_array_get(value, 0)) ||
            !json_is_integer(json_array_get(value, 1)))
            return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"image_size\": isn't a size or two", where);
        json_int_t height = json_integer_value(json_array_get(value, 0));
        json_int_t width = json_integer_value(json_array_get(value, 1));
        if (height < 1 || height > 1 << 14 || width < 1 || width > 1 << 14)
            return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"image_size\": must be from 1 to %d", where, 1 << 14);
        c->image_height = (int)height;
        c->image_width = (int)width;
    } else {
        TUB_TRY(tub_config_read_int(json, "image_size", 1, 1 << 14, &c->image_height, err));
        c->image_width = c->image_height;
    }
    if (c->image_height < c->patch || c->image_width < c->patch)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"image_size\": is smaller than patch_size", where);
    return TUB_OK;
}

tub_status tub_config_read_square(const json_t *json, tub_config *c, tub_error *err)
{
    TUB_TRY(tub_config_read_image(json, c, err));
    if (c->image_height != c->image_width)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"image_size\": this family's positions are square", where);
    return TUB_OK;
}

const json_t *tub_config_vision(const json_t *json)
{
    const json_t *vision = json_object_get(json, "vision_config");
    return json_is_object(vision) ? vision : json;
}
