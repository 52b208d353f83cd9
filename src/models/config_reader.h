// Reads the keys of config.json that most families share. `c` has the class defaults, which the file's values replace.
// Errors: TUB_ERROR_MODEL naming the key.
#ifndef TUB_CONFIG_READER_H
#define TUB_CONFIG_READER_H

#include "model.h"

enum { TUB_LAYERS_MOST = 100 };

// hidden_size, num_hidden_layers, num_attention_heads, patch_size, num_channels (3), hidden_act, layer_norm_eps
tub_status tub_config_read_tower(const json_t *json, tub_config *c, tub_error *err);
// hidden_act
tub_status tub_config_read_activation(const json_t *json, tub_config *c, tub_error *err);
// intermediate_size
tub_status tub_config_read_mlp(const json_t *json, tub_config *c, tub_error *err);
// image_size: one number, or [height, width]
tub_status tub_config_read_image(const json_t *json, tub_config *c, tub_error *err);
// Likewise; the image must be square.
tub_status tub_config_read_square(const json_t *json, tub_config *c, tub_error *err);
// The part of a config that describes the vision tower: its "vision_config", or the whole config.
const json_t *tub_config_vision(const json_t *json);
// An epsilon with another name than layer_norm_eps.
tub_status tub_config_read_eps(const json_t *json, const char *key, tub_config *c, tub_error *err);
tub_status tub_config_read_int(const json_t *json, const char *key, int low, int high, int *value, tub_error *err);
tub_status tub_config_read_bool(const json_t *json, const char *key, bool *value, tub_error *err);
tub_status tub_config_read_double(const json_t *json, const char *key, double *value, tub_error *err);

#endif
