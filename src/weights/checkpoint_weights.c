// Which files of a folder are its weights, and what is in them.
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint_impl.h"
#include "fail.h"
#include "safetensors.h"
#include "torch_file.h"

enum { SHARDS_MOST = 512 };

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length > tail && strcmp(name + length - tail, ending) == 0;
}

bool tub_checkpoint_is_torch_name(const char *name)
{
    return has_ending(name, ".pt") || has_ending(name, ".pth") || has_ending(name, ".bin");
}

static tub_status open_file(const char *path, tub_tensor_file *out, tub_error *err)
{
    return tub_checkpoint_is_torch_name(path) ? tub_torch_open(path, out, err) : tub_safetensors_open(path, out, err);
}

// A shard's name must be that of a file in the folder itself: no path, nothing hidden.
static bool is_plain_name(const char *name)
{
    return name[0] && name[0] != '.' && !strchr(name, '/') && !strchr(name, '\\');
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// The distinct file names of a weight_map, sorted; borrowed from the map.
static tub_status shard_names(const char *index, const json_t *map, const char ***out, size_t *count, tub_error *err)
{
    const char **names = tub_calloc(json_object_size(map), sizeof *names);
    if (!names)
        return tub_fail_memory(err, "the list of shards");
    *out = names;
    const char *tensor;
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (!name || !is_plain_name(name))
            return tub_fail(err, TUB_ERROR_MODEL,
                            "%s: tensor \"%s\": its file \"%.80s\" isn't the plain name of a file in "
                            "this folder",
                            index, tensor, name ? name : "");
        names[n++] = name;
    }
    qsort(names, n, sizeof *names, by_text);
    *count = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[*count - 1]) != 0)
            names[(*count)++] = names[i];
    if (*count > SHARDS_MOST)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: names more than %d files", index, SHARDS_MOST);
    return TUB_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tub_tensor_source *)a)->entry->name, ((const tub_tensor_source *)b)->entry->name);
}

static tub_status list_items(tub_checkpoint *c, tub_error *err)
{
    size_t count = 0;
    for (size_t f = 0; f < c->file_count; f++)
        count += c->files[f].count;
    c->items = tub_calloc(count, sizeof *c->items);
    if (!c->items)
        return tub_fail_memory(err, "the list of tensors");
    for (size_t f = 0; f < c->file_count; f++)
        for (size_t i = 0; i < c->files[f].count; i++)
            c->items[c->item_count++] = (tub_tensor_source){&c->files[f], &c->files[f].entries[i]};
    qsort(c->items, c->item_count, sizeof *c->items, by_name);
    return TUB_OK;
}

// aria2 gives a file its full size before it has its bytes, which are zeros until then, and keeps a second file beside
// it.
static tub_status check_download(const char *path, tub_error *err)
{
    char *control = tub_format("%s.aria2", path);
    if (!control)
        return tub_fail_memory(err, "a path");
    bool unfinished = access(control, F_OK) == 0;
    tub_free(control);
    if (!unfinished)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_MODEL,
                    "%s: its download isn't finished, as %s.aria2 beside it says: let aria2c -c go on", path,
                    tub_file_name(path));
}

static tub_status open_files(tub_checkpoint *c, const char *const *names, size_t count, tub_error *err)
{
    c->files = tub_calloc(count, sizeof *c->files);
    if (!c->files)
        return tub_fail_memory(err, "the list of weight files");
    for (size_t i = 0; i < count; i++) {
        char *path = tub_format("%s/%s", c->folder, names[i]);
        if (!path)
            return tub_fail_memory(err, "a path");
        tub_status status = tub_checkpoint_check_link(path, err);
        if (status == TUB_OK)
            status = check_download(path, err);
        if (status == TUB_OK)
            status = open_file(path, &c->files[i], err);
        tub_free(path);
        TUB_TRY(status);
        c->file_count++;
    }
    return list_items(c, err);
}

const char *tub_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Index and shards must agree in both directions: the index lists what a shard holds, and the reverse.
static tub_status check_index(const tub_checkpoint *c, const char *index, const json_t *map, tub_error *err)
{
    size_t held = 0;
    for (size_t f = 0; f < c->file_count; f++) {
        for (size_t i = 0; i < c->files[f].count; i++) {
            const char *tensor = c->files[f].entries[i].name;
            const char *file = json_string_value(json_object_get(map, tensor));
            if (!file || strcmp(file, tub_file_name(c->files[f].path)) != 0)
                return tub_fail(err, TUB_ERROR_MODEL, "%s: holds tensor \"%s\", which %s %s%s", c->files[f].path,
                                tensor, tub_file_name(index), file ? "says is in " : "doesn't name", file ? file : "");
            held++;
        }
    }
    if (held == json_object_size(map))
        return TUB_OK;
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)map, tensor, value)
    {
        if (tub_checkpoint_find(c, tensor) < 0)
            return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\" is missing from %s", index, tensor,
                            json_string_value(value));
    }
    return tub_fail(err, TUB_ERROR_MODEL, "%s: doesn't agree with its files", index);
}

static tub_status open_shards(tub_checkpoint *c, const char *index_path, tub_error *err)
{
    json_t *index = NULL;
    TUB_TRY(tub_json_load(index_path, TUB_ERROR_MODEL, &index, err));
    const json_t *map = json_object_get(index, "weight_map");
    const char **names = NULL;
    size_t count = 0;
    tub_status status = TUB_OK;
    if (!json_is_object(map) || json_object_size(map) == 0)
        status = tub_fail(err, TUB_ERROR_MODEL, "%s: no weight_map", index_path);
    if (status == TUB_OK)
        status = shard_names(index_path, map, &names, &count, err);
    if (status == TUB_OK)
        status = open_files(c, names, count, err);
    if (status == TUB_OK)
        status = check_index(c, index_path, map, err);
    tub_free(names);
    json_decref(index);
    return status;
}

static tub_status several(const char *folder, const char *one, const char *other, tub_error *err)
{
    bool in_order = strcmp(one, other) < 0;
    return tub_fail(err, TUB_ERROR_MODEL, "%s: which file is the model? There are %s and %s: name one of them", folder,
                    in_order ? one : other, in_order ? other : one);
}

tub_status tub_checkpoint_torch_file(const char *folder, char **name, tub_error *err)
{
    *name = NULL;
    DIR *entries = opendir(folder);
    if (!entries)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: can't be read: %s", folder, strerror(errno));
    tub_status status = TUB_OK;
    for (const struct dirent *e; status == TUB_OK && (e = readdir(entries));) {
        if (e->d_name[0] == '.' || !(has_ending(e->d_name, ".pt") || has_ending(e->d_name, ".pth")))
            continue;
        if (*name)
            status = several(folder, *name, e->d_name, err);
        else if (!(*name = tub_strdup(e->d_name)))
            status = tub_fail_memory(err, "a file's name");
    }
    closedir(entries);
    if (status != TUB_OK) {
        tub_free(*name);
        *name = NULL;
    }
    return status;
}

static tub_status open_torch(tub_checkpoint *c, tub_error *err)
{
    char *name = NULL;
    TUB_TRY(tub_checkpoint_torch_file(c->folder, &name, err));
    tub_status status;
    if (name)
        status = open_files(c, (const char *[]){name}, 1, err);
    else
        status = tub_fail(err, TUB_ERROR_MODEL,
                          "%s: no model.safetensors, model.safetensors.index.json, pytorch_model.bin, .pt or .pth file "
                          "in this folder: download the rest, or name its file of weights",
                          c->path);
    tub_free(name);
    return status;
}

tub_status tub_checkpoint_open_weights(tub_checkpoint *c, const char *only, tub_error *err)
{
    static const char *const usual[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                        "pytorch_model.bin.index.json"};
    for (size_t i = 0; !only && i < sizeof usual / sizeof *usual; i++)
        if (tub_checkpoint_has(c, usual[i]))
            only = usual[i];
    if (!only)
        return open_torch(c, err);
    if (!has_ending(only, ".index.json"))
        return open_files(c, &only, 1, err);
    char *index = tub_format("%s/%s", c->folder, only);
    if (!index)
        return tub_fail_memory(err, "a path");
    tub_status status = open_shards(c, index, err);
    tub_free(index);
    return status;
}
