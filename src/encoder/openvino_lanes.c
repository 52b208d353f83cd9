#include "openvino_lanes.h"

#include <string.h>

#include "fail.h"
#include "half.h"
#include "memory.h"
#include "pixel_plan.h"

enum { PATIENCE = 50 }; // milliseconds between checks for a stop

static tub_status failed(const tub_lanes *l, tub_error *err)
{
    return tub_openvino_fail(&l->model->ov, err, TUB_ERROR_DEVICE, l->model->path);
}

static tub_status open_lane(const tub_lanes *l, tub_request_lane *lane, tub_error *err)
{
    const tub_custom_model *m = l->model;
    const tub_ov_shape shape = {m->rank, (int64_t *)m->dims};
    if (m->ov.compiled_model_create_infer_request(m->compiled, &lane->request) != 0 ||
        m->ov.tensor_create(tub_openvino_type(&m->ov, m->input_type), shape, &lane->input) != 0 ||
        m->ov.tensor_data(lane->input, &lane->pixels) != 0 ||
        m->ov.infer_request_set_input_tensor_by_index(lane->request, 0, lane->input) != 0)
        return failed(l, err);
    return TUB_OK;
}

// Fills in one item's pixels in the order of the model's input.
static void fill_item(const tub_lanes *l, const void *const *frames, float *out)
{
    for (int t = 0; t < l->frames; t++)
        for (int c = 0; c < 3; c++) {
            float *to = out + tub_input_plane(l->model->input.layout, l->frames, l->plane, t, c);
            if (l->pixels_are_float) {
                memcpy(to, (const float *)frames[t] + (size_t)c * l->plane, l->plane * sizeof *to);
                continue;
            }
            const unsigned char *from = (const unsigned char *)frames[t] + c;
            for (size_t i = 0; i < l->plane; i++)
                to[i] = l->table[c][from[3 * i]];
        }
}

static void narrow(const tub_lanes *l, void *out)
{
    size_t values = l->item_values * (size_t)l->model->group;
    uint16_t *to = out;
    for (size_t i = 0; i < values; i++)
        to[i] = l->model->input_type == TUB_BF16 ? tub_to_bf16(l->scratch[i]) : tub_to_f16(l->scratch[i]);
}

static tub_status start(const tub_lanes *l, tub_request_lane *lane, const tub_lanes_batch *batch, int first,
                        tub_error *err)
{
    bool direct = l->model->input_type == TUB_F32;
    float *pixels = direct ? lane->pixels : l->scratch;
    lane->first = first;
    lane->items = batch->items - first < l->take ? batch->items - first : l->take;
    for (int i = 0; i < l->model->group; i++) {
        // A short batch is filled up with the first item, as any pixels would do.
        int item = first + (i < lane->items ? i : 0);
        fill_item(l, batch->frames + (size_t)item * (size_t)l->frames, pixels + (size_t)i * l->item_values);
    }
    if (!direct)
        narrow(l, lane->pixels);
    if (l->model->ov.infer_request_start_async(lane->request) != 0)
        return failed(l, err);
    lane->busy = true;
    return TUB_OK;
}

static size_t form_values(const tub_output_form *form)
{
    return (size_t)form->tokens * (size_t)form->dim;
}

// An output of a finished inference as float32, valid until the next use of the scratch or the request. Free `holder`
// after use.
static tub_status read_output(const tub_lanes *l, const tub_request_lane *lane, const tub_custom_output *output,
                              tub_ov_tensor **holder, const float **out, tub_error *err)
{
    const tub_openvino *ov = &l->model->ov;
    size_t values = form_values(&output->form) * (size_t)l->model->group, bytes = 0;
    void *data = NULL;
    if (ov->infer_request_get_output_tensor_by_index(lane->request, output->index, holder) != 0 ||
        ov->tensor_get_byte_size(*holder, &bytes) != 0 || ov->tensor_data(*holder, &data) != 0)
        return failed(l, err);
    if (bytes != values * tub_dtype_bytes(output->type))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: output \"%s\" came in another size than it said", l->model->path,
                        output->name);
    *out = data;
    if (output->type != TUB_F32) {
        tub_to_float(l->scratch, data, output->type, values);
        *out = l->scratch;
    }
    return TUB_OK;
}

static tub_status collect_rows(const tub_lanes *l, const tub_request_lane *lane, const tub_lanes_batch *batch,
                               tub_error *err)
{
    const tub_output_form *form = &l->model->row.form;
    tub_ov_tensor *holder = NULL;
    const float *data = NULL;
    tub_status status = read_output(l, lane, &l->model->row, &holder, &data, err);
    for (int i = 0; i < lane->items && status == TUB_OK; i++)
        tub_output_pool(form, l->pool, data + (size_t)i * form_values(form),
                        batch->rows + (size_t)(lane->first + i) * (size_t)form->dim);
    if (holder)
        l->model->ov.tensor_free(holder);
    return status;
}

static tub_status collect_tokens(const tub_lanes *l, const tub_request_lane *lane, const tub_lanes_batch *batch,
                                 tub_error *err)
{
    const tub_output_form *form = &l->model->tokens.form;
    tub_ov_tensor *holder = NULL;
    const float *data = NULL;
    tub_status status = read_output(l, lane, &l->model->tokens, &holder, &data, err);
    for (int i = 0; i < lane->items && status == TUB_OK; i++)
        tub_output_tokens(form, data + (size_t)i * form_values(form),
                          batch->tokens + (size_t)(lane->first + i) * form_values(form));
    if (holder)
        l->model->ov.tensor_free(holder);
    return status;
}

static bool is_stopped(const tub_lanes_batch *batch)
{
    return batch->stop && atomic_load(batch->stop);
}

static tub_status wait_for(const tub_lanes *l, tub_request_lane *lane, const tub_lanes_batch *batch, tub_error *err)
{
    int code;
    while ((code = l->model->ov.infer_request_wait_for(lane->request, PATIENCE)) == TUB_OV_NOT_READY)
        if (is_stopped(batch))
            l->model->ov.infer_request_cancel(lane->request);
    lane->busy = false;
    if (is_stopped(batch))
        return tub_fail(err, TUB_ERROR_CANCELLED, "interrupted");
    return code == TUB_OV_OK ? TUB_OK : failed(l, err);
}

// Waits for a lane. Takes its results, unless something failed before.
static tub_status finish_lane(const tub_lanes *l, tub_request_lane *lane, const tub_lanes_batch *batch,
                              tub_status before, tub_error *err)
{
    if (!lane->busy)
        return before;
    tub_status status = wait_for(l, lane, batch, before == TUB_OK ? err : NULL);
    before = before == TUB_OK ? status : before;
    if (before == TUB_OK)
        before = collect_rows(l, lane, batch, err);
    return before == TUB_OK && batch->tokens ? collect_tokens(l, lane, batch, err) : before;
}

tub_status tub_lanes_run(tub_lanes *l, const tub_lanes_batch *batch, tub_error *err)
{
    tub_status status = TUB_OK;
    int turn = 0;
    for (int first = 0; first < batch->items && status == TUB_OK; first += l->take) {
        tub_request_lane *lane = &l->lane[turn++ % l->count];
        status = finish_lane(l, lane, batch, status, err);
        if (status == TUB_OK)
            status = start(l, lane, batch, first, err);
    }
    for (int i = 0; i < l->count; i++)
        status = finish_lane(l, &l->lane[i], batch, status, err);
    return status;
}

// What probe_places() works with: the pixels of two items, and a batch of them.
typedef struct trial {
    float *pixels;
    const void **frames;
    float *rows, *tokens;     // of the batch
    float *row[2], *token[2]; // of each item when all items are the same
} trial;

static void free_trial(trial *t)
{
    tub_free(t->pixels);
    tub_free(t->frames);
    tub_free(t->rows);
    tub_free(t->tokens);
}

static tub_status alloc_trial(const tub_lanes *l, trial *t, tub_error *err)
{
    size_t values = form_values(&l->model->tokens.form), dim = (size_t)l->model->row.form.dim;
    size_t group = (size_t)l->model->group;
    *t = (trial){.pixels = tub_alloc_aligned(2 * l->item_values, sizeof *t->pixels),
                 .frames = tub_calloc(group * (size_t)l->frames, sizeof *t->frames),
                 .rows = tub_calloc(group + 2, dim * sizeof *t->rows),
                 .tokens = tub_calloc(group + 2, values * sizeof *t->tokens)};
    if (!t->pixels || !t->frames || !t->rows || !t->tokens)
        return tub_fail_memory(err, "a batch to try");
    for (size_t i = 0; i < 2; i++) {
        t->row[i] = t->rows + (group + i) * dim;
        t->token[i] = t->tokens + (group + i) * values;
    }
    unsigned state = 1;
    for (size_t i = 0; i < 2 * l->item_values; i++) {
        state = state * 1664525u + 1013904223u;
        // The second one has a larger range. This reveals values that are scaled by a batch's largest value.
        t->pixels[i] = ((float)(state >> 8) / (float)(1 << 23) - 1) * (i < l->item_values ? 1 : 2);
    }
    return TUB_OK;
}

// The first place gets the item `first`, all others get `rest`.
static tub_status try_items(tub_lanes *l, const trial *t, int first, int rest, tub_error *err)
{
    int group = l->model->group;
    for (int i = 0; i < group * l->frames; i++)
        t->frames[i] = t->pixels + (size_t)(i < l->frames ? first : rest) * l->item_values +
                       (size_t)(i % l->frames) * 3 * l->plane;
    bool is_float = l->pixels_are_float;
    l->pixels_are_float = true;
    tub_status status = tub_lanes_run(l, &(tub_lanes_batch){t->frames, group, t->rows, t->tokens, NULL}, err);
    l->pixels_are_float = is_float;
    return status;
}

static bool all_alike(const float *data, const float *first, const float *rest, int items, size_t values)
{
    for (int i = 0; i < items; i++)
        if (memcmp(i ? rest : first, data + (size_t)i * values, values * sizeof *data) != 0)
            return false;
    return true;
}

// Whether the results are the same to the last bit in every place, whatever is in the other places.
static tub_status probe_places(tub_lanes *l, bool *alike, tub_error *err)
{
    size_t values = form_values(&l->model->tokens.form), dim = (size_t)l->model->row.form.dim;
    trial t;
    *alike = true;
    tub_status status = alloc_trial(l, &t, err);
    for (int turn = 0; turn < 3 && status == TUB_OK && *alike; turn++) {
        int first = turn & 1, rest = turn > 0; // only 0; only 1; 0 among 1
        status = try_items(l, &t, first, rest, err);
        if (status == TUB_OK && turn < 2) {
            memcpy(t.row[turn], t.rows, dim * sizeof *t.rows);
            memcpy(t.token[turn], t.tokens, values * sizeof *t.tokens);
        }
        *alike = status == TUB_OK && all_alike(t.rows, t.row[first], t.row[rest], l->model->group, dim) &&
                 all_alike(t.tokens, t.token[first], t.token[rest], l->model->group, values);
    }
    free_trial(&t);
    return status;
}

static tub_status alloc_scratch(tub_lanes *l, tub_error *err)
{
    const tub_custom_model *m = l->model;
    size_t most = l->item_values, rows = form_values(&m->row.form), tokens = form_values(&m->tokens.form);
    if (m->input_type == TUB_F32 && m->row.type == TUB_F32 && m->tokens.type == TUB_F32)
        return TUB_OK;
    most = rows > most ? rows : most;
    most = tokens > most ? tokens : most;
    l->scratch = tub_alloc_aligned((size_t)m->group, most * sizeof *l->scratch);
    return l->scratch ? TUB_OK : tub_fail_memory(err, "an inference's pixels");
}

tub_status tub_lanes_open(const tub_custom_model *model, const tub_encoder_info *info, tub_pool pool, tub_lanes *out,
                          tub_error *err)
{
    *out = (tub_lanes){.model = model,
                       .take = model->group,
                       .frames = info->frames,
                       .plane = (size_t)info->height * (size_t)info->width,
                       .pixels_are_float = info->pixels_are_float,
                       .pool = pool};
    out->item_values = out->plane * 3 * (size_t)info->frames;
    for (int c = 0; c < 3; c++)
        tub_transform_table(&info->transform, c, out->table[c]);
    out->lane = tub_calloc((size_t)model->streams, sizeof *out->lane);
    if (!out->lane)
        return tub_fail_memory(err, "the inferences");
    out->count = model->streams;
    TUB_TRY(alloc_scratch(out, err));
    for (int i = 0; i < out->count; i++)
        TUB_TRY(open_lane(out, &out->lane[i], err));
    bool alike = true;
    if (model->group > 1)
        TUB_TRY(probe_places(out, &alike, err));
    out->take = alike ? model->group : 1;
    return TUB_OK;
}

void tub_lanes_finish(tub_lanes *l)
{
    for (int i = 0; i < l->count; i++) {
        if (l->lane[i].request)
            l->model->ov.infer_request_free(l->lane[i].request);
        if (l->lane[i].input)
            l->model->ov.tensor_free(l->lane[i].input);
    }
    tub_free(l->lane);
    tub_free(l->scratch);
    *l = (tub_lanes){0};
}
