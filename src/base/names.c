// Names of the public enumerations, and the version.
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <tubelet/encoder.h>
#include <tubelet/extractor.h>
#include <tubelet/status.h>
#include <tubelet/transform.h>

#include "fail.h"
#include "params.h"

typedef struct name_row {
    int value;
    const char *name;
} name_row;

static const name_row statuses[] = {
    {TUB_OK, "ok"},
    {TUB_AGAIN, "not yet"},
    {TUB_END, "end"},
    {TUB_ERROR_ARGUMENT, "bad argument"},
    {TUB_ERROR_MEMORY, "out of memory"},
    {TUB_ERROR_INPUT, "input not readable"},
    {TUB_ERROR_OUTPUT, "output not writable"},
    {TUB_ERROR_VIDEO, "video not decodable"},
    {TUB_ERROR_MODEL, "model rejected"},
    {TUB_ERROR_DEVICE, "device error"},
    {TUB_ERROR_CANCELLED, "cancelled"},
    {TUB_ERROR_INTERNAL, "internal error"},
    {0, NULL},
};

static const name_row dtypes[] = {{TUB_DTYPE_AUTO, "auto"}, {TUB_F32, "f32"}, {TUB_BF16, "bf16"}, {TUB_F16, "f16"},
                                  {TUB_I64, "i64"},         {TUB_U8, "u8"},   {TUB_TF32, "tf32"}, {TUB_INT8, "int8"},
                                  {TUB_FP8, "fp8"},         {0, NULL}};

static const name_row precisions[] = {
    {TUB_DTYPE_AUTO, "auto"}, {TUB_F32, "f32"}, {TUB_BF16, "bf16"}, {TUB_F16, "f16"}, {TUB_TF32, "tf32"}, {TUB_INT8, "int8"}, {TUB_FP8, "fp8"}, {0, NULL}};

static const name_row pools[] = {
    {TUB_POOL_DEFAULT, "default"}, {TUB_POOL_POOLER, "pooler"},         {TUB_POOL_CLS, "cls"},
    {TUB_POOL_MEAN, "mean"},       {TUB_POOL_PATCH_MEAN, "patch-mean"}, {TUB_POOL_PROJECTION, "projection"},
    {0, NULL}};

static const name_row positions[] = {{TUB_POSITIONS_INDEX, "index"},
                                     {TUB_POSITIONS_SPREAD, "spread"},
                                     {TUB_POSITIONS_VIDEO, "video"},
                                     {0, NULL}};

static const name_row decoders[] = {
    {TUB_DECODER_AUTO, "auto"}, {TUB_DECODER_CPU, "cpu"}, {TUB_DECODER_NVDEC, "nvdec"}, {TUB_DECODER_BOTH, "both"}, {0, NULL}};

static const name_row resizers[] = {
    {TUB_RESIZER_AUTO, "auto"}, {TUB_RESIZER_CPU, "cpu"}, {TUB_RESIZER_GPU, "gpu"}, {0, NULL}};

static const name_row bases[] = {
    {TUB_TRANSFORM_MODEL, "model"}, {TUB_TRANSFORM_OPENTAD, "opentad"}, {TUB_TRANSFORM_NONE, "none"}, {0, NULL}};

static const name_row interpolations[] = {
    {TUB_NEAREST, "nearest"}, {TUB_BILINEAR, "bilinear"}, {TUB_BICUBIC, "bicubic"}, {0, NULL}};

static const char *name_of(const name_row *rows, int value)
{
    for (; rows->name; rows++)
        if (rows->value == value)
            return rows->name;
    return "unknown";
}

// `wanted`: the caller's `out`, which takes the value.
static tub_status parse(const name_row *rows, const char *what, const char *name, const void *wanted, int *out,
                        tub_error *err)
{
    TUB_TRY(tub_check_given("out", wanted, err));
    char known[256] = "";
    size_t used = 0;
    for (; rows->name; rows++) {
        if (name && strcmp(rows->name, name) == 0) {
            *out = rows->value;
            return TUB_OK;
        }
        int n = snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", rows->name);
        used += n > 0 && used + (size_t)n < sizeof known ? (size_t)n : 0;
    }
    return tub_fail(err, TUB_ERROR_ARGUMENT, "unknown %s \"%s\"; known are: %s", what, name ? name : "", known);
}

const char *tub_version(void)
{
    return TUB_VERSION;
}

const char *tub_status_name(tub_status status)
{
    return name_of(statuses, status);
}

const char *tub_dtype_name(tub_dtype dtype)
{
    return name_of(dtypes, (int)dtype);
}

tub_status tub_dtype_parse(const char *name, tub_dtype *out, tub_error *err)
{
    int value;
    TUB_TRY(parse(precisions, "precision", name, out, &value, err));
    *out = (tub_dtype)value;
    return TUB_OK;
}

const char *tub_pool_name(tub_pool pool)
{
    return name_of(pools, (int)pool);
}

tub_status tub_pool_parse(const char *name, tub_pool *out, tub_error *err)
{
    int value;
    TUB_TRY(parse(pools, "pooling", name, out, &value, err));
    *out = (tub_pool)value;
    return TUB_OK;
}

const char *tub_positions_name(tub_positions value)
{
    return name_of(positions, (int)value);
}

tub_status tub_decoder_parse(const char *name, tub_decoder *out, tub_error *err)
{
    int value = 0;
    TUB_TRY(parse(decoders, "decoder", name, out, &value, err));
    *out = (tub_decoder)value;
    return TUB_OK;
}

const char *tub_decoder_name(tub_decoder decoder)
{
    return name_of(decoders, decoder);
}

tub_status tub_resizer_parse(const char *name, tub_resizer *out, tub_error *err)
{
    int value = 0;
    TUB_TRY(parse(resizers, "resizer", name, out, &value, err));
    *out = (tub_resizer)value;
    return TUB_OK;
}

const char *tub_resizer_name(tub_resizer resizer)
{
    return name_of(resizers, resizer);
}

tub_status tub_positions_parse(const char *name, tub_positions *out, tub_error *err)
{
    int value;
    TUB_TRY(parse(positions, "frame positions", name, out, &value, err));
    *out = (tub_positions)value;
    return TUB_OK;
}

const char *tub_transform_base_name(tub_transform_base base)
{
    return name_of(bases, (int)base);
}

tub_status tub_transform_base_parse(const char *name, tub_transform_base *out, tub_error *err)
{
    int value;
    TUB_TRY(parse(bases, "transform", name, out, &value, err));
    *out = (tub_transform_base)value;
    return TUB_OK;
}

const char *tub_interpolation_name(tub_interpolation interpolation)
{
    return name_of(interpolations, (int)interpolation);
}

tub_status tub_interpolation_parse(const char *name, tub_interpolation *out, tub_error *err)
{
    int value;
    TUB_TRY(parse(interpolations, "interpolation", name, out, &value, err));
    *out = (tub_interpolation)value;
    return TUB_OK;
}
