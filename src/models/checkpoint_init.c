// Random checkpoints: the families' own binding, run to create instead of to load.
#include <stdlib.h>
#include <string.h>
#include <tubelet/checkpoint.h>
#include <unistd.h>

#include "atomic_file.h"
#include "fail.h"
#include "json.h"
#include "model.h"
#include "preprocess.h"
#include "safetensors.h"

enum { IMAGE_USUAL = 224, NAMES_MOST = 256 };

static tub_status unknown_family(const char *what, tub_error *err)
{
    char known[NAMES_MOST] = "";
    for (size_t i = 0; tub_architecture_at(i); i++) {
        const char *name = tub_architecture_at(i)->name;
        if (strlen(known) + strlen(name) + 3 > sizeof known)
            break;
        if (i)
            strcat(known, ", ");
        strcat(known, name);
    }
    return tub_fail(err, TUB_ERROR_ARGUMENT, "\"%.60s\": no such family: there are %s", what, known);
}

// "FAMILY" or "FAMILY:SIZE".
static tub_status find(const char *what, const tub_architecture **family, const tub_size **size, tub_error *err)
{
    const char *colon = strchr(what, ':');
    size_t length = colon ? (size_t)(colon - what) : strlen(what);
    const tub_architecture *a;
    for (size_t i = 0; (a = tub_architecture_at(i)); i++)
        if (strlen(a->name) == length && strncmp(a->name, what, length) == 0)
            break;
    if (!a)
        return unknown_family(what, err);
    *family = a;
    for (*size = a->sizes; (*size)->name; (*size)++)
        if (!colon || strcmp((*size)->name, colon + 1) == 0)
            return TUB_OK;
    return tub_fail(err, TUB_ERROR_ARGUMENT, "\"%.60s\": %s has no such size: there are %s", what, a->name,
                    a->size_names);
}

static tub_status save_json(const char *folder, const char *name, json_t *json, tub_error *err)
{
    char *text = json ? tub_json_text(json, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15)) : NULL;
    char *path = tub_format("%s/%s", folder, name), *line = text ? tub_format("%s\n", text) : NULL;
    tub_status status;
    if (!path || !line)
        status = tub_fail_memory(err, name);
    else
        status = tub_atomic_save(path, line, strlen(line), err);
    free(text);
    tub_free(line);
    tub_free(path);
    json_decref(json);
    return status;
}

static tub_status save_weights(const tub_architecture *a, tub_config *c, const char *folder, uint64_t seed,
                               tub_error *err)
{
    tub_arena arena;
    tub_binder *b = NULL;
    tub_arena_init(&arena);
    void *weights = tub_calloc(1, a->weights_bytes);
    char *path = tub_format("%s/model.safetensors", folder);
    tub_status status = weights && path ? tub_binder_create(seed, &arena, &b, err) : tub_fail_memory(err, "a model");
    if (status == TUB_OK) {
        size_t count;
        a->bind(b, c, weights);
        status = tub_binder_end(b, err);
        const tub_tensor *tensors = tub_binder_created(b, &count);
        if (status == TUB_OK)
            status = tub_safetensors_write(path, tensors, count, err);
    }
    tub_binder_free(&b);
    tub_free(path);
    tub_free(weights);
    tub_arena_finish(&arena);
    return status;
}

static tub_status save_preprocessor(const tub_architecture *a, const tub_config *c, const char *folder, tub_error *err)
{
    if (!a->processor)
        return TUB_OK;
    // Frame models take any size; large published ones are run at 224 as well.
    int height = c->image_height < IMAGE_USUAL ? c->image_height : IMAGE_USUAL;
    int width = c->image_width < IMAGE_USUAL ? c->image_width : IMAGE_USUAL;
    return save_json(folder, "preprocessor_config.json", tub_preprocess_make(a->processor, height, width), err);
}

static tub_status refuse_used(const char *folder, tub_error *err)
{
    char *path = tub_format("%s/config.json", folder);
    if (!path)
        return tub_fail_memory(err, "a path");
    bool used = access(path, F_OK) == 0;
    tub_free(path);
    return used ? tub_fail(err, TUB_ERROR_OUTPUT, "%s: holds a config.json already: name another folder", folder)
                : TUB_OK;
}

tub_status tub_checkpoint_init(const char *what, const char *folder, uint64_t seed, tub_error *err)
{
    if (!what || !folder || !*folder)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "init: needs a family and a folder");
    const tub_architecture *a = NULL;
    const tub_size *size = NULL;
    TUB_TRY(find(what, &a, &size, err));
    TUB_TRY(refuse_used(folder, err));
    TUB_TRY(tub_make_folder(folder, err));
    json_t *json = a->make_config(size);
    if (!json)
        return tub_fail_memory(err, "config.json");
    tub_config config;
    tub_status status = a->read_config(json, &config, err);
    if (status == TUB_OK)
        status = save_weights(a, &config, folder, seed, err);
    if (status == TUB_OK)
        status = save_preprocessor(a, &config, folder, err);
    // Last, because a folder with a config.json counts as a checkpoint.
    if (status == TUB_OK)
        return save_json(folder, "config.json", json, err);
    json_decref(json);
    return status;
}
