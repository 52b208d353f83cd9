#include "onnx_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "memory.h"
#include "onnx_scan.h"

enum { EXTERNAL_MOST = 4096 };

static bool has_ending(const char *name, const char *ending)
{
    size_t n = strlen(name), e = strlen(ending);
    return n > e && strcasecmp(name + n - e, ending) == 0;
}

static bool is_model_name(const char *name)
{
    return has_ending(name, ".onnx") || has_ending(name, ".xml");
}

static bool is_regular(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

// The only model file in a folder. *out stays NULL if there is none.
static tub_status find_in_folder(const char *folder, DIR *list, char **out, tub_error *err)
{
    for (struct dirent *entry; (entry = readdir(list));) {
        if (entry->d_name[0] == '.' || !is_model_name(entry->d_name))
            continue;
        if (*out)
            return tub_fail(err, TUB_ERROR_MODEL, "%s: several models in this folder, %s and %s: give one file's path",
                            folder, strrchr(*out, '/') + 1, entry->d_name);
        *out = tub_format("%s/%s", folder, entry->d_name);
        if (!*out)
            return tub_fail_memory(err, "a path");
    }
    return *out ? TUB_OK : TUB_END;
}

static bool is_checkpoint_name(const char *name)
{
    return has_ending(name, ".safetensors") || has_ending(name, ".pt") || has_ending(name, ".pth") ||
           strncmp(name, "model.safetensors.", 18) == 0 || strncmp(name, "pytorch_model.", 14) == 0;
}

// Exporters put config.json beside the model, but their folders have no checkpoint.
static tub_status find_beside_config(const char *folder, DIR *list, tub_error *err)
{
    char name[NAME_MAX + 1] = "";
    for (struct dirent *entry; (entry = readdir(list));) {
        if (is_checkpoint_name(entry->d_name))
            return TUB_END;
        if (entry->d_name[0] != '.' && is_model_name(entry->d_name))
            snprintf(name, sizeof name, "%s", entry->d_name);
    }
    if (!name[0])
        return TUB_END;
    return tub_fail(err, TUB_ERROR_MODEL,
                    "%s: its config.json has no checkpoint beside it, but a custom model, %s: give that file's path",
                    folder, name);
}

static tub_status look_into(const char *folder, char **out, tub_error *err)
{
    char *config = tub_format("%s/config.json", folder);
    if (!config)
        return tub_fail_memory(err, "a path");
    bool checkpoint = access(config, F_OK) == 0;
    tub_free(config);
    DIR *list = opendir(folder);
    if (!list)
        return TUB_END;
    tub_status status = checkpoint ? find_beside_config(folder, list, err) : find_in_folder(folder, list, out, err);
    closedir(list);
    if (status != TUB_OK) {
        tub_free(*out);
        *out = NULL;
    }
    return status;
}

tub_status tub_custom_find(const char *path, char **file, tub_error *err)
{
    *file = NULL;
    struct stat info;
    bool there = stat(path, &info) == 0;
    if (there && S_ISDIR(info.st_mode))
        return look_into(path, file, err);
    if (!is_model_name(path))
        return TUB_END;
    if (!there || !S_ISREG(info.st_mode))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: %s", path, there ? "isn't a file" : strerror(errno));
    *file = tub_strdup(path);
    return *file ? TUB_OK : tub_fail_memory(err, "a path");
}

typedef struct listing {
    tub_custom_files *files;
    char root[PATH_MAX]; // the folder, resolved
} listing;

// Whether the name, judged by its text alone, can't lead out of the folder. The marker is another runtime's word for
// "memory at this address", and OpenVINO obeys it.
static bool is_local_name(const char *location)
{
    if (!location[0] || location[0] == '/' || strchr(location, '\\') || strstr(location, "_ORT_MEM_ADDR_"))
        return false;
    for (const char *part = location; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == 0))
            return false;
    }
    return true;
}

static bool is_within(const char *root, const char *path)
{
    size_t n = strlen(root);
    return strncmp(root, path, n) == 0 && (path[n] == '/' || (n == 1 && root[0] == '/'));
}

static tub_status remember(tub_custom_files *files, const char *path, tub_error *err)
{
    // A file's tensors follow one another, so the newest file is the likeliest.
    for (size_t i = files->external_count; i-- > 0;)
        if (strcmp(files->external[i], path) == 0)
            return TUB_OK;
    if (files->external_count == EXTERNAL_MOST)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: its external data is in more than %d files", files->model,
                        EXTERNAL_MOST);
    void *array = files->external;
    bool grown = tub_grow(&array, &files->external_capacity, files->external_count + 1, sizeof *files->external);
    files->external = array;
    char *copy = grown ? tub_strdup(path) : NULL;
    if (!copy)
        return tub_fail_memory(err, "the list of files");
    files->external[files->external_count++] = copy;
    return TUB_OK;
}

static tub_status check_external(void *user, const tub_onnx_external *e, tub_error *err)
{
    listing *l = user;
    tub_custom_files *files = l->files;
    char resolved[PATH_MAX];
    struct stat info;
    if (!is_local_name(e->location))
        return tub_fail(
            err, TUB_ERROR_MODEL,
            "%s: tensor \"%s\": its external data \"%.200s\" isn't a file in the model's own folder: refused",
            files->model, e->tensor, e->location);
    char *path = tub_format("%s/%s", files->folder, e->location);
    if (!path)
        return tub_fail_memory(err, "a path");
    bool found = realpath(path, resolved) && stat(resolved, &info) == 0;
    tub_free(path);
    if (!found || !S_ISREG(info.st_mode))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": no file \"%.200s\" with its external data",
                        files->model, e->tensor, e->location);
    if (!is_within(l->root, resolved))
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: tensor \"%s\": its external data \"%.200s\" is a link that leaves the model's folder: "
                        "refused (put the file itself there)",
                        files->model, e->tensor, e->location);
    uint64_t size = (uint64_t)info.st_size;
    if (e->offset > size || e->length > size - e->offset)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: tensor \"%s\": its external data lies beyond the end of \"%.200s\"",
                        files->model, e->tensor, e->location);
    return remember(files, resolved, err);
}

static tub_status list_external(tub_custom_files *files, tub_error *err)
{
    listing l = {.files = files};
    if (!realpath(files->folder, l.root))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: %s", files->folder, strerror(errno));
    int fd = open(files->model, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return tub_fail(err, TUB_ERROR_MODEL, "%s: can't be read: %s", files->model, strerror(error));
    }
    const tub_onnx_source source = {.fd = fd, .size = (uint64_t)info.st_size, .name = files->model};
    tub_status status = tub_onnx_scan(&source, check_external, &l, err);
    close(fd);
    return status;
}

// If a file isn't in this format, OpenVINO tries every format it knows and prints each one's complaints.
static tub_status check_ir(const tub_custom_files *files, tub_error *err)
{
    char begin[4096];
    int fd = open(files->model, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, begin, sizeof begin) : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (got < 0)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: can't be read: %s", files->model, strerror(error));
    if (!memmem(begin, (size_t)got, "<net", 4))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: isn't a model of OpenVINO IR: it has no <net>", files->model);
    return TUB_OK;
}

static tub_status find_weights(tub_custom_files *files, tub_error *err)
{
    TUB_TRY(check_ir(files, err));
    int stem = (int)(strlen(files->model) - strlen(".xml"));
    files->weights = tub_format("%.*s.bin", stem, files->model);
    if (!files->weights)
        return tub_fail_memory(err, "a path");
    if (!is_regular(files->weights))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: no %s beside it", files->model, files->weights);
    return TUB_OK;
}

tub_status tub_custom_files_open(const char *file, tub_custom_files *out, tub_error *err)
{
    const char *slash = strrchr(file, '/');
    *out = (tub_custom_files){.is_onnx = has_ending(file, ".onnx")};
    out->model = tub_strdup(file);
    out->folder = slash ? tub_format("%.*s", (int)(slash - file) + (slash == file), file) : tub_strdup(".");
    if (!out->model || !out->folder)
        return tub_fail_memory(err, "a path");
    return out->is_onnx ? list_external(out, err) : find_weights(out, err);
}

void tub_custom_files_finish(tub_custom_files *files)
{
    for (size_t i = 0; i < files->external_count; i++)
        tub_free(files->external[i]);
    tub_free(files->external);
    tub_free(files->model);
    tub_free(files->weights);
    tub_free(files->folder);
    *files = (tub_custom_files){0};
}

// External files are hashed in the order in which the model names them, so that the folder's location doesn't matter.
tub_status tub_custom_files_hash(const tub_custom_files *files, tub_hash *hash, tub_error *err)
{
    TUB_TRY(tub_hash_file(hash, files->model, TUB_ERROR_MODEL, err));
    if (files->weights)
        TUB_TRY(tub_hash_file(hash, files->weights, TUB_ERROR_MODEL, err));
    for (size_t i = 0; i < files->external_count; i++)
        TUB_TRY(tub_hash_file(hash, files->external[i], TUB_ERROR_MODEL, err));
    return TUB_OK;
}
