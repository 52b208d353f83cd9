#include "openvino_output.h"

#include <limits.h>
#include <string.h>

#include "fail.h"
#include "openvino_layout.h"

enum { VALUES_MOST = 1 << 28 };

tub_status tub_output_form_read(const int64_t *dims, int64_t rank, int group, const char *where, tub_output_form *out,
                                tub_error *err)
{
    char text[160];
    tub_ov_dimension shown[8] = {{0}};
    for (int64_t i = 0; i < rank && i < 8; i++)
        shown[i] = (tub_ov_dimension){dims[i], dims[i]};
    tub_dimensions_text(shown, rank < 8 ? rank : 8, text, sizeof text);
    if (rank < 2 || rank > 5 || dims[0] != group)
        return tub_fail(
            err, TUB_ERROR_MODEL,
            "%s: gives %s for %d item%s: a row [N, D], tokens [N, tokens, D] or a map [N, D, H, W] is needed "
            "(--output chooses among a model's outputs)",
            where, text, group, group == 1 ? "" : "s");
    int64_t values = 1;
    for (int64_t i = 1; i < rank; i++) {
        if (dims[i] < 1 || dims[i] > VALUES_MOST / values)
            return tub_fail(err, TUB_ERROR_MODEL, "%s: its shape %s is out of range", where, text);
        values *= dims[i];
    }
    int64_t dim = rank == 3 ? dims[2] : dims[1];
    *out = (tub_output_form){.tokens = (int)(values / dim), .dim = (int)dim, .is_map = rank > 3, .is_row = rank == 2};
    return TUB_OK;
}

tub_status tub_output_check_pool(const tub_output_form *form, tub_pool pool, const char *where, tub_error *err)
{
    bool row = pool == TUB_POOL_DEFAULT || pool == TUB_POOL_POOLER || pool == TUB_POOL_PROJECTION;
    if (form->is_row && !row)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: is one row an item, there is nothing to take the %s of: leave --pool out, or choose an "
                        "output of tokens with --output",
                        where, tub_pool_name(pool));
    if (!form->is_row && row && pool != TUB_POOL_DEFAULT)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: isn't one row an item: use --pool mean, cls or patch-mean, or choose another output with "
                        "--output",
                        where);
    if ((form->is_map || form->tokens < 2) && (pool == TUB_POOL_CLS || pool == TUB_POOL_PATCH_MEAN))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: has no class token: use --pool mean", where);
    return TUB_OK;
}

const char *tub_output_feature(const tub_output_form *form, tub_pool pool)
{
    if (form->is_row)
        return "the model's output";
    if (form->is_map)
        return "mean over the positions of the model's output";
    if (pool == TUB_POOL_CLS)
        return "first token of the model's output";
    return pool == TUB_POOL_PATCH_MEAN ? "mean over the tokens of the model's output but the first"
                                       : "mean over the tokens of the model's output";
}

void tub_output_pool(const tub_output_form *form, tub_pool pool, const float *data, float *row)
{
    size_t dim = (size_t)form->dim, tokens = (size_t)form->tokens;
    size_t step = form->is_map ? 1 : dim, across = form->is_map ? tokens : 1;
    size_t first = pool == TUB_POOL_PATCH_MEAN ? 1 : 0;
    if (form->is_row || pool == TUB_POOL_CLS) {
        memcpy(row, data, dim * sizeof *row);
        return;
    }
    for (size_t d = 0; d < dim; d++) {
        double sum = 0;
        for (size_t t = first; t < tokens; t++)
            sum += (double)data[d * across + t * step];
        row[d] = (float)(sum / (double)(tokens - first));
    }
}

void tub_output_tokens(const tub_output_form *form, const float *data, float *tokens)
{
    size_t dim = (size_t)form->dim, count = (size_t)form->tokens;
    if (!form->is_map) {
        memcpy(tokens, data, dim * count * sizeof *tokens);
        return;
    }
    for (size_t t = 0; t < count; t++)
        for (size_t d = 0; d < dim; d++)
            tokens[t * dim + d] = data[d * count + t];
}
