#include "checkpoint_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "safetensors.h"

enum { SHARDS_MOST = 512 };

typedef struct item {
    const tub_safetensors *file;
    const tub_safetensors_entry *entry;
} item;

struct tub_checkpoint {
    char *path;
    json_t *config, *preprocessor, *video_preprocessor, *processor; // the last three may be NULL
    tub_safetensors *files;                                         // in the order of their names
    size_t file_count;
    item *items; // of all files, in the order of their names
    size_t item_count;
};

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

// Loads FOLDER/name; *out stays NULL where there is no such file.
static tub_status load_json(const tub_checkpoint *c, const char *name, json_t **out, tub_error *err)
{
    char *path = tub_format("%s/%s", c->path, name);
    if (!path)
        return tub_fail_memory(err, "a path");
    tub_status status = TUB_OK;
    if (exists(path)) {
        status = tub_json_load(path, TUB_ERROR_MODEL, out, err);
        if (status == TUB_OK && !json_is_object(*out))
            status = tub_fail(err, TUB_ERROR_MODEL, "%s: isn't a JSON object", path);
    }
    tub_free(path);
    return status;
}

static tub_status load_descriptions(tub_checkpoint *c, tub_error *err)
{
    struct stat info;
    if (stat(c->path, &info) != 0)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: no such model folder: %s", c->path, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: isn't a folder: a model is a folder with config.json and "
                        "model.safetensors",
                        c->path);
    TUB_TRY(load_json(c, "config.json", &c->config, err));
    if (!c->config)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: no config.json in this folder: a model is a folder with config.json and "
                        "model.safetensors",
                        c->path);
    TUB_TRY(load_json(c, "preprocessor_config.json", &c->preprocessor, err));
    TUB_TRY(load_json(c, "video_preprocessor_config.json", &c->video_preprocessor, err));
    return load_json(c, "processor_config.json", &c->processor, err);
}

// A shard is named by a file of the folder itself: no path, nothing hidden.
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
    return strcmp(((const item *)a)->entry->name, ((const item *)b)->entry->name);
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
            c->items[c->item_count++] = (item){&c->files[f], &c->files[f].entries[i]};
    qsort(c->items, c->item_count, sizeof *c->items, by_name);
    return TUB_OK;
}

static tub_status open_files(tub_checkpoint *c, const char *const *names, size_t count, tub_error *err)
{
    c->files = tub_calloc(count, sizeof *c->files);
    if (!c->files)
        return tub_fail_memory(err, "the list of weight files");
    for (size_t i = 0; i < count; i++) {
        char *path = tub_format("%s/%s", c->path, names[i]);
        if (!path)
            return tub_fail_memory(err, "a path");
        tub_status status = tub_safetensors_open(path, &c->files[i], err);
        tub_free(path);
        TUB_TRY(status);
        c->file_count++;
    }
    return list_items(c, err);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Index and shards agree both ways: what a shard holds is said to be there, and the reverse.
static tub_status check_index(const tub_checkpoint *c, const char *index, const json_t *map, tub_error *err)
{
    size_t held = 0;
    for (size_t f = 0; f < c->file_count; f++) {
        for (size_t i = 0; i < c->files[f].count; i++) {
            const char *tensor = c->files[f].entries[i].name;
            const char *file = json_string_value(json_object_get(map, tensor));
            if (!file || strcmp(file, base_name(c->files[f].path)) != 0)
                return tub_fail(err, TUB_ERROR_MODEL, "%s: holds tensor \"%s\", which %s %s%s", c->files[f].path,
                                tensor, base_name(index), file ? "says is in " : "doesn't name", file ? file : "");
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

static tub_status open_weights(tub_checkpoint *c, tub_error *err)
{
    char *single = tub_format("%s/model.safetensors", c->path);
    char *index = tub_format("%s/model.safetensors.index.json", c->path);
    tub_status status;
    if (!single || !index)
        status = tub_fail_memory(err, "a path");
    else if (exists(single))
        status = open_files(c, (const char *[]){"model.safetensors"}, 1, err);
    else if (exists(index))
        status = open_shards(c, index, err);
    else
        status = tub_fail(err, TUB_ERROR_MODEL,
                          "%s: no model.safetensors and no model.safetensors.index.json in this folder "
                          "(other weight files aren't read: save the model as safetensors)",
                          c->path);
    tub_free(single);
    tub_free(index);
    return status;
}

tub_status tub_checkpoint_open(const char *folder, tub_checkpoint **out, tub_error *err)
{
    *out = NULL;
    tub_checkpoint *c = tub_calloc(1, sizeof *c);
    if (!c || !(c->path = tub_strdup(folder))) {
        tub_free(c);
        return tub_fail_memory(err, "a checkpoint");
    }
    tub_status status = load_descriptions(c, err);
    if (status == TUB_OK)
        status = open_weights(c, err);
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
        tub_safetensors_finish(&c->files[i]);
    tub_free(c->files);
    tub_free(c->items);
    json_decref(c->config);
    json_decref(c->preprocessor);
    json_decref(c->video_preprocessor);
    json_decref(c->processor);
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

const json_t *tub_checkpoint_preprocessor(const tub_checkpoint *c, bool video)
{
    const json_t *image = c->preprocessor, *clip = c->video_preprocessor;
    // Newer files nest them in the processor's.
    if (!image)
        image = json_object_get(c->processor, "image_processor");
    if (!clip)
        clip = json_object_get(c->processor, "video_processor");
    return video ? (clip ? clip : image) : (image ? image : clip);
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
    const item *it = &c->items[i];
    const char *name = tub_arena_strdup(arena, it->entry->name);
    void *data = tub_arena_alloc(arena, (size_t)it->entry->bytes, 1);
    if (!name || !data)
        return tub_fail_memory(err, "a tensor");
    TUB_TRY(tub_safetensors_read(it->file, it->entry, data, err));
    *out = it->entry->tensor;
    out->name = name;
    out->data = data;
    return TUB_OK;
}

static tub_status hash_file(tub_hash *hash, const char *path, tub_error *err)
{
    enum { CHUNK = 1 << 20 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *chunk = tub_alloc_aligned(CHUNK, 1);
    ssize_t got = fd >= 0 && chunk ? 1 : -1;
    while (got > 0) {
        do
            got = read(fd, chunk, CHUNK);
        while (got < 0 && errno == EINTR);
        if (got > 0)
            tub_hash_update(hash, chunk, (size_t)got);
    }
    tub_status status =
        got < 0 ? tub_fail(err, TUB_ERROR_MODEL, "%s: can't be read: %s", path, strerror(errno)) : TUB_OK;
    tub_free(chunk);
    if (fd >= 0)
        close(fd);
    return status;
}

tub_status tub_checkpoint_hash(const tub_checkpoint *c, char out[TUB_HASH_TEXT], tub_error *err)
{
    char *config = tub_format("%s/config.json", c->path);
    tub_hash *hash = tub_hash_create();
    tub_status status = config && hash ? TUB_OK : tub_fail_memory(err, "a checksum");
    if (status == TUB_OK)
        status = hash_file(hash, config, err);
    for (size_t i = 0; i < c->file_count && status == TUB_OK; i++)
        status = hash_file(hash, c->files[i].path, err);
    if (status == TUB_OK)
        tub_hash_text(hash, out);
    tub_hash_destroy(&hash);
    tub_free(config);
    return status;
}
