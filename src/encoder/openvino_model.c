#include "openvino_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

enum { RANK_MOST = 8, OUTPUTS_MOST = 4096 };

// Names that exporters give to an output with one row per item, and to the hidden state.
static const char *const row_names[] = {"pooler_output", "image_embeds", "image_embeddings", "embeddings",
                                        "embedding",     "features",     "feature"};
static const char hidden_state[] = "last_hidden_state", projection[] = "image_embeds";

static tub_status failed(const tub_custom_model *m, tub_error *err)
{
    return tub_openvino_fail(&m->ov, err, TUB_ERROR_MODEL, m->path);
}

// The sizes of a port: min and max of each.
static tub_status read_dims(const tub_custom_model *m, const tub_ov_port *port, const char *what,
                            tub_ov_dimension dims[RANK_MOST], int64_t *rank, tub_error *err)
{
    tub_ov_partial_shape shape = {0};
    if (m->ov.port_get_partial_shape(port, &shape) != 0)
        return failed(m, err);
    bool known = shape.rank.min == shape.rank.max && shape.rank.min >= 0 && shape.rank.min <= RANK_MOST;
    *rank = known ? shape.rank.min : 0;
    for (int64_t i = 0; i < *rank; i++)
        dims[i] = shape.dims[i];
    m->ov.partial_shape_free(&shape);
    if (known)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_MODEL,
                    "%s: its %s has no fixed number of dimensions (at most %d): export it with one", m->path, what,
                    RANK_MOST);
}

static void read_name(const tub_custom_model *m, const tub_ov_port *port, char name[TUB_PORT_NAME])
{
    char *text = NULL;
    name[0] = 0;
    if (m->ov.port_get_any_name(port, &text) != 0 || !text)
        return;
    snprintf(name, TUB_PORT_NAME, "%s", text);
    m->ov.free(text);
}

// `advice`: what to do about another type than these.
static tub_status read_type(const tub_custom_model *m, const tub_ov_port *port, const char *what, const char *advice,
                            tub_dtype *out, tub_error *err)
{
    char name[TUB_PORT_NAME];
    int type = 0;
    if (m->ov.port_get_element_type(port, &type) != 0)
        return failed(m, err);
    *out = tub_openvino_dtype(&m->ov, type);
    if (*out != TUB_DTYPE_AUTO)
        return TUB_OK;
    read_name(m, port, name);
    return tub_fail(err, TUB_ERROR_MODEL, "%s: %s \"%s\" isn't of type f32, f16 or bf16: %s", m->path, what, name,
                    advice);
}

static tub_status not_alone(const tub_custom_model *m, size_t count, tub_error *err)
{
    char list[512] = "", name[TUB_PORT_NAME];
    for (size_t i = 0; i < count; i++) {
        tub_ov_port *port = NULL;
        if (m->ov.model_const_input_by_index(m->model, i, &port) != 0)
            return failed(m, err);
        read_name(m, port, name);
        m->ov.output_const_port_free(port);
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", name);
    }
    return tub_fail(err, TUB_ERROR_MODEL,
                    "%s: has %zu inputs (%s), but pixels are all that there is to give: export the part that takes "
                    "them alone",
                    m->path, count, list);
}

static tub_status read_input(tub_custom_model *m, const tub_encoder_params *params, tub_error *err)
{
    size_t count = 0;
    tub_ov_port *port = NULL;
    tub_ov_dimension dims[RANK_MOST];
    int64_t rank = 0;
    if (m->ov.model_inputs_size(m->model, &count) != 0)
        return failed(m, err);
    if (count != 1)
        return not_alone(m, count, err);
    if (m->ov.model_const_input_by_index(m->model, 0, &port) != 0)
        return failed(m, err);
    tub_status status = read_dims(m, port, "input", dims, &rank, err);
    if (status == TUB_OK)
        status = read_type(m, port, "input", "export it for pixels in floating point", &m->input_type, err);
    m->ov.output_const_port_free(port);
    if (status == TUB_OK)
        status = tub_input_recognise(dims, rank, params->input_layout, m->path, &m->input, err);
    m->group = status == TUB_OK ? (int)tub_dimension_fixed(m->input.items) : 0;
    m->group = m->group ? m->group : 1;
    if (status == TUB_OK && (!tub_dimension_takes(m->input.items, m->group) || m->group > 4096))
        status = tub_fail(err, TUB_ERROR_MODEL, "%s: its batch must be free, or from 1 to 4096", m->path);
    return status;
}

static tub_status read_output(const tub_custom_model *m, size_t index, tub_custom_output *out, int64_t *rank,
                              tub_error *err)
{
    tub_ov_port *port = NULL;
    tub_ov_dimension dims[RANK_MOST];
    *out = (tub_custom_output){.index = index};
    if (m->ov.model_const_output_by_index(m->model, index, &port) != 0)
        return failed(m, err);
    read_name(m, port, out->name);
    tub_status status = read_dims(m, port, "output", dims, rank, err);
    m->ov.output_const_port_free(port);
    return status;
}

// The output with this name (a tensor may have several names). `count`: there is none.
static size_t find_output(const tub_custom_model *m, size_t count, const char *name)
{
    tub_ov_port *port = NULL;
    char wanted[TUB_PORT_NAME];
    if (m->ov.model_const_output_by_name(m->model, name, &port) != 0 || !port)
        return count;
    read_name(m, port, wanted);
    m->ov.output_const_port_free(port);
    for (size_t i = 0; i < count; i++) {
        tub_custom_output output;
        int64_t rank;
        if (read_output(m, i, &output, &rank, NULL) == TUB_OK && strcmp(output.name, wanted) == 0)
            return i;
    }
    return count;
}

static tub_status no_such_output(const tub_custom_model *m, size_t count, const char *name, tub_error *err)
{
    char list[512] = "";
    for (size_t i = 0; i < count; i++) {
        tub_custom_output output;
        int64_t rank;
        size_t used = strlen(list);
        if (read_output(m, i, &output, &rank, NULL) == TUB_OK)
            snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", output.name);
    }
    return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: has no output \"%.80s\": it has %s", m->path, name, list);
}

// A pool over tokens needs tokens. Otherwise an output that is already a row is preferred.
static tub_status pick_row(const tub_custom_model *m, size_t count, const tub_encoder_params *params, size_t *out,
                           tub_error *err)
{
    if (params->output && params->output[0]) {
        *out = find_output(m, count, params->output);
        return *out < count ? TUB_OK : no_such_output(m, count, params->output, err);
    }
    bool tokens = params->pool == TUB_POOL_CLS || params->pool == TUB_POOL_MEAN || params->pool == TUB_POOL_PATCH_MEAN;
    *out = find_output(m, count,
                       tokens                                ? hidden_state
                       : params->pool == TUB_POOL_PROJECTION ? projection
                                                             : row_names[0]);
    for (size_t i = 0; !tokens && *out == count && i < sizeof row_names / sizeof *row_names; i++)
        *out = find_output(m, count, row_names[i]);
    *out = *out < count ? *out : 0;
    return TUB_OK;
}

static tub_status choose_outputs(tub_custom_model *m, const tub_encoder_params *params, tub_error *err)
{
    size_t count = 0, row = 0;
    int64_t rank = 0;
    if (m->ov.model_outputs_size(m->model, &count) != 0)
        return failed(m, err);
    if (count < 1 || count > OUTPUTS_MOST)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: has %zu outputs", m->path, count);
    TUB_TRY(pick_row(m, count, params, &row, err));
    TUB_TRY(read_output(m, row, &m->row, &rank, err));
    m->tokens = m->row;
    size_t hidden = rank == 2 ? find_output(m, count, hidden_state) : count;
    return hidden < count ? read_output(m, hidden, &m->tokens, &rank, err) : TUB_OK;
}

tub_status tub_custom_model_read(const tub_custom_files *files, const tub_encoder_params *params, tub_custom_model *m,
                                 tub_error *err)
{
    *m = (tub_custom_model){.path = files->model};
    TUB_TRY(tub_openvino_load(&m->ov, err));
    if (m->ov.core_create(&m->core) != 0)
        return tub_openvino_fail(&m->ov, err, TUB_ERROR_DEVICE, "no device");
    // A mapped file that becomes shorter ends the process. Versions that don't know the key map nothing.
    m->ov.core_set_property(m->core, "", "ENABLE_MMAP", "NO");
    // Without this, OpenVINO also rounds what is multiplied with 8-bit weights to 8 bits, whatever precision is asked
    // for.
    m->ov.core_set_property(m->core, "CPU", "DYNAMIC_QUANTIZATION_GROUP_SIZE", "0");
    if (m->ov.core_read_model(m->core, files->model, files->weights, &m->model) != 0)
        return failed(m, err);
    TUB_TRY(read_input(m, params, err));
    return choose_outputs(m, params, err);
}

// Determines the output's type and form, now that all sizes are known.
static tub_status settle_output(const tub_custom_model *m, tub_custom_output *out, tub_error *err)
{
    char where[512];
    tub_ov_port *port = NULL;
    tub_ov_dimension dims[RANK_MOST];
    int64_t rank = 0, sizes[RANK_MOST] = {0};
    snprintf(where, sizeof where, "%s: output \"%s\"", m->path, out->name);
    if (m->ov.model_const_output_by_index(m->model, out->index, &port) != 0)
        return failed(m, err);
    tub_status status = read_dims(m, port, "output", dims, &rank, err);
    if (status == TUB_OK)
        status = read_type(m, port, "output", "choose another one with --output", &out->type, err);
    m->ov.output_const_port_free(port);
    for (int64_t i = 0; i < rank && status == TUB_OK; i++) {
        sizes[i] = tub_dimension_fixed(dims[i]);
        if (!sizes[i])
            status = tub_fail(err, TUB_ERROR_MODEL,
                              "%s: its size isn't known before it runs: export it with fixed sizes", where);
    }
    return status == TUB_OK ? tub_output_form_read(sizes, rank, m->group, where, &out->form, err) : status;
}

static tub_status settle_outputs(tub_custom_model *m, tub_pool pool, tub_error *err)
{
    TUB_TRY(settle_output(m, &m->row, err));
    char where[512];
    snprintf(where, sizeof where, "%s: output \"%s\"", m->path, m->row.name);
    TUB_TRY(tub_output_check_pool(&m->row.form, pool, where, err));
    // A hidden state that can't be read is no reason to refuse the row.
    if (m->tokens.index == m->row.index || settle_output(m, &m->tokens, NULL) != TUB_OK)
        m->tokens = m->row;
    return TUB_OK;
}

static tub_status read_property(const tub_custom_model *m, const char *key, char *out, size_t bytes, tub_error *err)
{
    char *text = NULL;
    if (m->ov.compiled_model_get_property(m->compiled, key, &text) != 0 || !text)
        return failed(m, err);
    snprintf(out, bytes, "%s", text);
    m->ov.free(text);
    return TUB_OK;
}

// If the processor lacks the precision that is asked for, OpenVINO silently takes another.
static tub_status check_precision(const tub_custom_model *m, tub_dtype dtype, tub_error *err)
{
    char got[32];
    const char *wanted = tub_dtype_name(dtype);
    TUB_TRY(read_property(m, "INFERENCE_PRECISION_HINT", got, sizeof got, err));
    if (strcmp(got, wanted) == 0)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_DEVICE, "dtype %s: on this processor OpenVINO would compute in %s: use --dtype %s",
                    wanted, got, strcmp(got, "bf16") == 0 ? "bf16 or f32" : "f32");
}

tub_status tub_custom_model_compile(tub_custom_model *m, const tub_custom_shape *shape, tub_pool pool, tub_error *err)
{
    m->rank = tub_input_dims(&m->input, m->group, shape->frames, shape->height, shape->width, m->dims);
    tub_ov_dimension dims[5];
    for (int i = 0; i < m->rank; i++)
        dims[i] = (tub_ov_dimension){m->dims[i], m->dims[i]};
    const tub_ov_partial_shape fixed = {{m->rank, m->rank}, dims};
    if (m->ov.model_reshape_single_input(m->model, fixed) != 0)
        return failed(m, err);
    TUB_TRY(settle_outputs(m, pool, err));
    char threads[16], streams[32];
    snprintf(threads, sizeof threads, "%d", shape->threads);
    // Pinned threads of several processes would share a few processors.
    const char *const pinning = "NO", *dtype = tub_dtype_name(shape->dtype);
    if (m->ov.core_compile_model(m->core, m->model, "CPU", 8, &m->compiled, "INFERENCE_PRECISION_HINT", dtype,
                                 "NUM_STREAMS", threads, "INFERENCE_NUM_THREADS", threads, "ENABLE_CPU_PINNING",
                                 pinning) != 0)
        return failed(m, err);
    m->ov.model_free(m->model);
    m->model = NULL;
    TUB_TRY(check_precision(m, shape->dtype, err));
    TUB_TRY(read_property(m, "NUM_STREAMS", streams, sizeof streams, err));
    int count = atoi(streams);
    m->streams = count < 1 ? 1 : count < shape->threads ? count : shape->threads;
    return TUB_OK;
}

void tub_custom_model_finish(tub_custom_model *m)
{
    if (m->compiled)
        m->ov.compiled_model_free(m->compiled);
    if (m->model)
        m->ov.model_free(m->model);
    if (m->core)
        m->ov.core_free(m->core);
    tub_openvino_unload(&m->ov);
    *m = (tub_custom_model){0};
}
