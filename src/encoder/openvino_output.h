// What a custom model's output means: one row per item, depending on its shape and the pool.
//
//   [N, D]            the row itself; there is one token
//   [N, tokens, D]    tokens; the row is their mean, the first one, or the mean of the others
//   [N, D, H, W]      a map, channels first (also [N, D, T, H, W]): its positions are the tokens
#ifndef TUB_OPENVINO_OUTPUT_H
#define TUB_OPENVINO_OUTPUT_H

#include <tubelet/encoder.h>

typedef struct tub_output_form {
    int tokens, dim;
    bool is_map;            // [D, tokens] in memory
    bool is_row;            // [N, D]: nothing to pool
} tub_output_form;

// `dims`: the output's, for `group` items. Errors: TUB_ERROR_MODEL, beginning with `where`.
tub_status tub_output_form_read(const int64_t *dims, int64_t rank, int group, const char *where, tub_output_form *out,
                                tub_error *err);

// Checks that the pool is possible. Errors: TUB_ERROR_MODEL naming the pools that are.
tub_status tub_output_check_pool(const tub_output_form *form, tub_pool pool, const char *where, tub_error *err);
// What the row is, in words. Static memory.
const char *tub_output_feature(const tub_output_form *form, tub_pool pool);

// Computes an item's row, `dim` values, from its output. Sums are in double, in the order of the tokens.
void tub_output_pool(const tub_output_form *form, tub_pool pool, const float *data, float *row);
// Copies an item's tokens as [tokens, dim].
void tub_output_tokens(const tub_output_form *form, const float *data, float *tokens);

#endif
