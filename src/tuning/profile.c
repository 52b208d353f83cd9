// Profiles: one JSON file per machine and model.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tubelet/checkpoint.h>
#include <tubelet/machine.h>

#include "atomic_file.h"
#include "fail.h"
#include "hash.h"
#include "json.h"
#include "machine_hash.h"
#include "memory.h"
#include "params.h"
#include "profile_folder.h"
#include "tune_impl.h"

enum { NUMBER_MOST = 65536 };

void tub_profile_model(const tub_encoder_info *info, char out[40])
{
    char text[256], hash[TUB_HASH_TEXT];
    snprintf(text, sizeof text, "%s|%d|%dx%d", info->model_hash, info->frames, info->height, info->width);
    tub_hash_bytes(text, strlen(text), hash);
    snprintf(out, 40, "%s", hash);
}

static bool file_of(const char *machine, const char *model, char *out, size_t size)
{
    char folder[1024];
    return tub_profile_folder(folder, sizeof folder) &&
           snprintf(out, size, "%s/%.*s-%.*s.json", folder, TUB_PROFILE_PREFIX, machine, TUB_PROFILE_PREFIX, model) <
               (int)size;
}

static tub_status read_text(const json_t *object, const char *path, const char *key, char *out, size_t size,
                            tub_error *err)
{
    const char *text = NULL;
    TUB_TRY(tub_json_string(object, path, key, "", &text, err));
    snprintf(out, size, "%s", text);
    return TUB_OK;
}

static tub_status read_number(const json_t *object, const char *path, const char *key, int *out, tub_error *err)
{
    int64_t number = 0;
    TUB_TRY(tub_json_int(object, path, key, 0, 0, NUMBER_MOST, &number, err));
    *out = (int)number;
    return TUB_OK;
}

static tub_status read_profile(const json_t *root, const char *path, tub_profile *out, tub_error *err)
{
    char dtype[24], build[TUB_PROFILE_BUILD];
    const json_t *settings = json_object_get(root, "settings");
    snprintf(out->path, sizeof out->path, "%s", path);
    TUB_TRY(read_text(root, path, "machine", out->machine, sizeof out->machine, err));
    TUB_TRY(read_text(root, path, "model", out->model, sizeof out->model, err));
    TUB_TRY(read_text(root, path, "name", out->name, sizeof out->name, err));
    TUB_TRY(read_text(root, path, "build", out->build, sizeof out->build, err));
    tub_profile_build(build);
    out->other_build = strcmp(build, out->build) != 0;
    TUB_TRY(tub_json_double(root, path, "rate", 0, &out->rate, err));
    TUB_TRY(tub_json_double(root, path, "default_rate", 0, &out->default_rate, err));
    TUB_TRY(read_text(settings, path, "dtype", dtype, sizeof dtype, err));
    TUB_TRY(tub_dtype_parse(dtype, &out->dtype, err));
    TUB_TRY(read_text(settings, path, "backend", out->backend, sizeof out->backend, err));
    TUB_TRY(read_number(settings, path, "batch", &out->batch, err));
    TUB_TRY(read_number(settings, path, "decode_threads", &out->decode_threads, err));
    return read_number(settings, path, "prefetch", &out->prefetch, err);
}

tub_status tub_profile_read(const char *path, tub_profile *out, tub_error *err)
{
    TUB_TRY(tub_check_given("path", path, err));
    TUB_TRY(tub_check_given("out", out, err));
    json_t *root = NULL;
    *out = (tub_profile){0};
    TUB_TRY(tub_json_load(path, TUB_ERROR_INPUT, &root, err));
    tub_error why = {0};
    tub_status status = json_is_object(root) && json_is_object(json_object_get(root, "settings"))
                            ? read_profile(root, path, out, &why)
                            : tub_fail(&why, TUB_ERROR_INPUT, "%s: isn't a profile", path);
    json_decref(root);
    if (status == TUB_OK)
        return TUB_OK;
    bool named = strncmp(why.text, path, strlen(path)) == 0;
    return tub_fail(err, TUB_ERROR_INPUT, "%s%s%s: remove it, or tune again", named ? "" : path, named ? "" : ": ",
                    why.text);
}

static int is_profile(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name), end = strlen(".json");
    return entry->d_name[0] != '.' && length > end && !strcmp(entry->d_name + length - end, ".json");
}

// The files of the folder, sorted; 0 if there are none or no folder.
static int list_profiles(struct dirent ***out)
{
    char folder[1024];
    int count = tub_profile_folder(folder, sizeof folder) ? scandir(folder, out, is_profile, alphasort) : 0;
    return count > 0 ? count : 0;
}

static void free_list(struct dirent **list, int count)
{
    for (int i = 0; i < count; i++)
        free(list[i]);
    if (count > 0)
        free(list);
}

tub_status tub_profile_at(size_t i, tub_profile *out, tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    char machine[40], folder[1024], path[2048] = "";
    struct dirent **list = NULL;
    int count = list_profiles(&list);
    if (count > 0)
        tub_machine_hash(machine);
    for (int k = 0; k < count && !*path; k++)
        if (!strncmp(list[k]->d_name, machine, TUB_PROFILE_PREFIX) && i-- == 0 &&
            tub_profile_folder(folder, sizeof folder))
            snprintf(path, sizeof path, "%s/%s", folder, list[k]->d_name);
    free_list(list, count);
    return *path ? tub_profile_read(path, out, err) : TUB_END;
}

tub_status tub_profile_find(const tub_encoder_params *params, tub_profile *out, tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    tub_profile any;
    char machine[40], model[40], path[2048];
    tub_description *d = NULL;
    *out = (tub_profile){0};
    if (tub_profile_at(0, &any, NULL) == TUB_END)
        return TUB_END;
    TUB_TRY(tub_describe(params, &d, err));
    tub_profile_model(&tub_description_get_info(d)->encoder, model);
    tub_description_close(&d);
    tub_machine_hash(machine);
    struct stat about;
    if (!file_of(machine, model, path, sizeof path) || stat(path, &about) != 0)
        return TUB_END;
    TUB_TRY(tub_profile_read(path, out, err));
    return strcmp(out->machine, machine) || strcmp(out->model, model) ? TUB_END : TUB_OK;
}

static json_t *table(const tub_tuning *t)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < t->count; i++) {
        const tub_tune_row *r = &t->entries[i].row;
        json_array_append_new(rows, json_pack("{s:s, s:s, s:i, s:i, s:i, s:s, s:f, s:i, s:b, s:b}", "backend",
                                              r->backend, "dtype", tub_dtype_name(r->dtype), "batch", r->batch,
                                              "decode_threads", r->decode_threads, "prefetch", r->prefetch, "decoder",
                                              tub_decoder_name(r->decoder), "rate", r->rate, "runs", r->runs, "default",
                                              (int)r->is_default, "winner", (int)r->is_winner));
    }
    return rows;
}

static char *profile_text(const tub_tuning *t)
{
    const tub_profile *p = &t->profile;
    json_t *name = json_string(p->name); // NULL if it isn't UTF-8
    json_t *root = json_pack("{s:s, s:s, s:s, s:s, s:o, s:f, s:f, s:{s:s, s:s, s:i, s:i, s:i}, s:o}", "tubelet",
                             tub_version(), "build", p->build, "machine", p->machine, "model", p->model, "name",
                             name ? name : json_string("?"), "rate", p->rate, "default_rate", p->default_rate,
                             "settings", "dtype", tub_dtype_name(p->dtype), "backend", p->backend, "batch", p->batch,
                             "decode_threads", p->decode_threads, "prefetch", p->prefetch, "table", table(t));
    char *text = root ? tub_json_text(root, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(root);
    return text;
}

tub_status tub_tuning_save(tub_tuning *t, tub_error *err)
{
    TUB_TRY(tub_check_given("the tuning", t, err));
    tub_profile *p = &t->profile;
    char folder[1024];
    tub_machine_hash(p->machine);
    tub_profile_build(p->build);
    if (!tub_profile_folder(folder, sizeof folder) || !file_of(p->machine, p->model, p->path, sizeof p->path))
        return tub_fail(err, TUB_ERROR_OUTPUT, "no place for the profile: set HOME or XDG_CACHE_HOME to a folder");
    TUB_TRY(tub_make_folder(folder, err));
    char *text = profile_text(t);
    tub_status status = text ? tub_atomic_save(p->path, text, strlen(text), err) : tub_fail_memory(err, "a profile");
    free(text);
    return status;
}
