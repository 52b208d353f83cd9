#include "checkpoint_folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_impl.h"
#include "fail.h"
#include "hf_cache.h"

enum { DESCRIPTION_MOST = 8 << 20 };

enum { TARGET_MOST = 200 };

// A link to a missing file counts as being there, too.
static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

bool tub_checkpoint_has(const tub_checkpoint *c, const char *name)
{
    char *path = tub_format("%s/%s", c->folder, name);
    bool there = path && is_there(path);
    tub_free(path);
    return there;
}

tub_status tub_checkpoint_check_link(const char *path, tub_error *err)
{
    char target[TARGET_MOST + 1];
    ssize_t length = readlink(path, target, TARGET_MOST);
    if (length < 0 || access(path, F_OK) == 0 || errno != ENOENT)
        return TUB_OK;
    target[length] = 0;
    return tub_fail(err, TUB_ERROR_MODEL,
                    "%s: links to %s, which isn't there: copy the folder with what its links point to (cp -rL), or "
                    "download it again",
                    path, target);
}

// A description has a few kilobytes; parsed, it takes many times its size.
static tub_status check_size(const char *path, tub_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && info.st_size > DESCRIPTION_MOST)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: has %lld bytes, more than %d", path, (long long)info.st_size,
                        DESCRIPTION_MOST);
    return TUB_OK;
}

// Loads FOLDER/name; *out stays NULL if there is no such file.
static tub_status load_json(const tub_checkpoint *c, const char *name, json_t **out, tub_error *err)
{
    char *path = tub_format("%s/%s", c->folder, name);
    if (!path)
        return tub_fail_memory(err, "a path");
    tub_status status = TUB_OK;
    if (is_there(path)) {
        status = tub_checkpoint_check_link(path, err);
        if (status == TUB_OK)
            status = check_size(path, err);
        if (status == TUB_OK)
            status = tub_json_load(path, TUB_ERROR_MODEL, out, err);
        if (status == TUB_OK && !json_is_object(*out))
            status = tub_fail(err, TUB_ERROR_MODEL, "%s: isn't a JSON object", path);
    }
    tub_free(path);
    return status;
}

// The original scripts' files have no config: their contents tell what they are.
static tub_status do_without_config(tub_checkpoint *c, bool is_file, tub_error *err)
{
    char *name = NULL;
    if (!is_file)
        TUB_TRY(tub_checkpoint_torch_file(c->folder, &name, err));
    if (!is_file && !name && tub_checkpoint_has(c, "snapshots"))
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: is a model's place in the Hugging Face cache: name a folder in its snapshots, or the "
                        "model, as org/name",
                        c->path);
    if (!is_file && !name)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: no config.json in this folder: a model is a folder with config.json and "
                        "model.safetensors, or a .safetensors, .pt, .pth or .bin file",
                        c->path);
    tub_free(name);
    c->config = json_object();
    return c->config ? TUB_OK : tub_fail_memory(err, "a config");
}

static tub_status load_descriptions(tub_checkpoint *c, bool is_file, tub_error *err)
{
    TUB_TRY(load_json(c, "config.json", &c->config, err));
    if (!c->config)
        return do_without_config(c, is_file, err);
    c->config_path = tub_format("%s/config.json", c->folder);
    if (!c->config_path)
        return tub_fail_memory(err, "a path");
    TUB_TRY(load_json(c, "preprocessor_config.json", &c->preprocessor, err));
    TUB_TRY(load_json(c, "video_preprocessor_config.json", &c->video_preprocessor, err));
    return load_json(c, "processor_config.json", &c->processor, err);
}

// What `name` stands for: a folder, a file, or a model in the Hugging Face cache.
static tub_status find_place(tub_checkpoint *c, const char *name, bool *is_file, tub_error *err)
{
    struct stat info;
    *is_file = false;
    if (stat(name, &info) == 0) {
        *is_file = !S_ISDIR(info.st_mode);
        c->path = tub_strdup(name);
    } else if (errno == ENOENT && tub_hf_is_name(name)) {
        TUB_TRY(tub_hf_find(name, &c->path, err));
    } else {
        return tub_fail(err, TUB_ERROR_MODEL, "%s: no such model folder or file: %s", name, strerror(errno));
    }
    const char *slash = *is_file ? strrchr(name, '/') : NULL;
    if (slash)
        c->folder = tub_format("%.*s", slash == name ? 1 : (int)(slash - name), name);
    else
        c->folder = tub_strdup(*is_file ? "." : c->path);
    return c->path && c->folder ? TUB_OK : tub_fail_memory(err, "a path");
}

static tub_status open_checkpoint(tub_checkpoint *c, const char *name, tub_error *err)
{
    bool is_file;
    TUB_TRY(find_place(c, name, &is_file, err));
    const char *only = is_file ? tub_file_name(c->path) : NULL, *ending = is_file ? strrchr(only, '.') : NULL;
    if (is_file && !tub_checkpoint_is_torch_name(only) && (!ending || strcmp(ending, ".safetensors") != 0))
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: isn't a folder, nor a .safetensors, .pt, .pth or .bin file: a model is a folder with "
                        "config.json and model.safetensors, or such a file",
                        c->path);
    TUB_TRY(load_descriptions(c, is_file, err));
    return tub_checkpoint_open_weights(c, only, err);
}

tub_status tub_checkpoint_open(const char *name, tub_checkpoint **out, tub_error *err)
{
    *out = NULL;
    tub_checkpoint *c = tub_calloc(1, sizeof *c);
    if (!c)
        return tub_fail_memory(err, "a checkpoint");
    tub_status status = open_checkpoint(c, name, err);
    if (status == TUB_OK)
        *out = c;
    else
        tub_checkpoint_close(&c);
    return status;
}

void tub_checkpoint_close(tub_checkpoint **checkpoint)
{
    if (!checkpoint || !*checkpoint)
        return;
    tub_checkpoint *c = *checkpoint;
    for (size_t i = 0; i < c->file_count; i++)
        tub_tensor_file_finish(&c->files[i]);
    tub_free(c->files);
    tub_free(c->items);
    json_decref(c->config);
    json_decref(c->preprocessor);
    json_decref(c->video_preprocessor);
    json_decref(c->processor);
    tub_free(c->config_path);
    tub_free(c->folder);
    tub_free(c->path);
    tub_free(c);
    *checkpoint = NULL;
}

const char *tub_checkpoint_path(const tub_checkpoint *c)
{
    return c->path;
}

const json_t *tub_checkpoint_config(const tub_checkpoint *c)
{
    return c->config;
}

// What processor_config.json nests under `key`; NULL if it isn't there, as in older files.
static const json_t *nested(const tub_checkpoint *c, const char *key)
{
    const json_t *value = json_object_get(c->processor, key);
    return json_is_null(value) ? NULL : value;
}

const json_t *tub_checkpoint_preprocessor(const tub_checkpoint *c, bool video)
{
    // As in transformers, the nested object takes precedence over a separate file, which may be from an older version.
    const json_t *image = nested(c, "image_processor"), *clip = nested(c, "video_processor");
    if (!image)
        image = c->preprocessor;
    if (!clip)
        clip = c->video_preprocessor;
    return video ? (clip ? clip : image) : (image ? image : clip);
}

bool tub_checkpoint_file(const tub_checkpoint *c, size_t i, const char **path, int64_t *bytes)
{
    if (c->config_path && i == 0) {
        struct stat status;
        *path = c->config_path;
        *bytes = stat(c->config_path, &status) == 0 ? (int64_t)status.st_size : 0;
        return true;
    }
    i -= c->config_path != NULL;
    if (i >= c->file_count)
        return false;
    *path = c->files[i].path;
    *bytes = c->files[i].file_bytes;
    return true;
}

size_t tub_checkpoint_count(const tub_checkpoint *c)
{
    return c->item_count;
}

void tub_checkpoint_tensor(const tub_checkpoint *c, size_t i, tub_tensor *out)
{
    *out = c->items[i].entry->tensor;
}

long tub_checkpoint_find(const tub_checkpoint *c, const char *name)
{
    size_t low = 0, high = c->item_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, c->items[middle].entry->name);
        if (order == 0)
            return (long)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

tub_status tub_checkpoint_read(const tub_checkpoint *c, size_t i, tub_arena *arena, tub_tensor *out, tub_error *err)
{
    const tub_tensor_source *it = &c->items[i];
    *out = it->entry->tensor;
    out->name = tub_arena_strdup(arena, it->entry->name);
    out->data = tub_tensor_file_in_place(it->file, it->entry);
    if (out->name && out->data && tub_arena_keep(arena, tub_file_map_hold(it->file->map), tub_file_map_release))
        return TUB_OK;
    void *data = tub_arena_alloc(arena, (size_t)it->entry->bytes, 1);
    out->data = data;
    if (!out->name || !data)
        return tub_fail_memory(err, "a tensor");
    return tub_tensor_file_values(it->file, it->entry, data, err);
}

tub_status tub_checkpoint_unchanged(const tub_checkpoint *c, tub_error *err)
{
    for (size_t i = 0; i < c->file_count; i++)
        TUB_TRY(tub_tensor_file_unchanged(&c->files[i], err));
    return TUB_OK;
}
