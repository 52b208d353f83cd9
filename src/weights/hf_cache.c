#include "hf_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "atomic_file.h"
#include "fail.h"
#include "memory.h"

enum { PART_MOST = 96, REVISION_MOST = 256 };

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

static bool is_part(const char *text, size_t length)
{
    return length > 0 && length <= PART_MOST && strspn(text, letters) >= length && text[0] != '.' && text[0] != '-';
}

bool tub_hf_is_name(const char *name)
{
    const char *slash = strchr(name, '/');
    return slash && is_part(name, (size_t)(slash - name)) && is_part(slash + 1, strlen(slash + 1));
}

// A ~ that no shell has expanded, in a settings file or in quotes, is the home folder for huggingface_hub.
static char *expand(const char *place, const char *below)
{
    const char *home = getenv("HOME");
    const bool tilde = home && place[0] == '~' && (!place[1] || place[1] == '/');
    return tub_format("%s%s%s", tilde ? home : "", place + tilde, below);
}

static char *cache_folder(void)
{
    static const struct {
        const char *variable, *below;
    } places[] = {{"HF_HUB_CACHE", ""},
                  {"HUGGINGFACE_HUB_CACHE", ""},
                  {"HF_HOME", "/hub"},
                  {"XDG_CACHE_HOME", "/huggingface/hub"},
                  {"HOME", "/.cache/huggingface/hub"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *value = getenv(places[i].variable);
        if (value && *value)
            return expand(value, places[i].below);
    }
    return tub_format("/.cache/huggingface/hub");
}

// The text of refs/main up to the first white space; NULL if there is no such file or it isn't a revision.
static char *read_revision(const char *model)
{
    char *path = tub_format("%s/refs/main", model), *text = NULL;
    size_t bytes = 0;
    if (!path || tub_read_file(path, REVISION_MOST, &text, &bytes, NULL) != TUB_OK)
        text = NULL;
    tub_free(path);
    if (!text)
        return NULL;
    text[strcspn(text, " \t\r\n")] = 0;
    if (is_part(text, strlen(text)))
        return text;
    tub_free(text);
    return NULL;
}

static char *find_snapshot(const char *model)
{
    char *revision = read_revision(model);
    char *folder = revision ? tub_format("%s/snapshots/%s", model, revision) : NULL;
    struct stat info;
    if (folder && (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode))) {
        tub_free(folder);
        folder = NULL;
    }
    tub_free(revision);
    return folder;
}

// A revision that was downloaded by its hash leaves snapshots, but no refs/main.
static tub_status not_found(const char *name, const char *cache, const char *model, tub_error *err)
{
    char *revision = read_revision(model), *snapshots = tub_format("%s/snapshots", model);
    struct stat info;
    tub_status status;
    if (!revision && snapshots && stat(snapshots, &info) == 0)
        status = tub_fail(err, TUB_ERROR_MODEL,
                          "%s: no such model folder or file, and the Hugging Face cache has no main revision of it: "
                          "name a folder in %s; this downloads the main one: hf download %s",
                          name, snapshots, name);
    else
        status = tub_fail(err, TUB_ERROR_MODEL,
                          "%s: no such model folder or file, and no model of that name in the Hugging Face cache (%s); "
                          "this downloads it: hf download %s",
                          name, cache, name);
    tub_free(revision);
    tub_free(snapshots);
    return status;
}

tub_status tub_hf_find(const char *name, char **folder, tub_error *err)
{
    size_t org = strcspn(name, "/");
    char *cache = cache_folder();
    char *model = cache ? tub_format("%s/models--%.*s--%s", cache, (int)org, name, name + org + 1) : NULL;
    *folder = model ? find_snapshot(model) : NULL;
    tub_status status = TUB_OK;
    if (!model)
        status = tub_fail_memory(err, "a path");
    else if (!*folder)
        status = not_found(name, cache, model, err);
    tub_free(model);
    tub_free(cache);
    return status;
}
