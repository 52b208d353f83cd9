#include "settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "fail.h"
#include "folder_lock.h"
#include "json.h"
#include "memory.h"

// The form in which values are compared and hashed. Numbers of 15 digits survive reading and printing.
static char *canonical(const json_t *value)
{
    return tub_json_text(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

tub_status tub_settings_hash(tub_settings *s, const char *path, tub_error *err)
{
    const json_t *settings = json_object_get(s->root, "settings"), *model = json_object_get(s->root, "model");
    const char *hash = json_string_value(json_object_get(model, "hash"));
    if (!json_is_object(settings) || !hash)
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "%s: not one of this program's files (no `settings`, no `model`): choose another output folder",
                        path);
    char *text = canonical(settings);
    if (!text)
        return tub_fail_memory(err, "the settings");
    tub_hash_bytes(text, strlen(text), s->settings);
    snprintf(s->model, sizeof s->model, "%s", hash);
    tub_free(text);
    return TUB_OK;
}

static tub_status load(const char *path, tub_settings *out, tub_error *err)
{
    if (access(path, R_OK) != 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? TUB_OK
                   : tub_fail(err, TUB_ERROR_OUTPUT, "%s: can't be read: %s", path, strerror(errno));
    // A failing disk doesn't make it someone else's file.
    TUB_TRY(tub_json_load_as(path, TUB_ERROR_OUTPUT, TUB_ERROR_ARGUMENT, &out->root, err));
    return tub_settings_hash(out, path, err);
}

static char *features_path(const char *folder)
{
    return tub_format("%s/features.json", folder);
}

tub_status tub_settings_load(const char *folder, tub_settings *out, tub_error *err)
{
    *out = (tub_settings){0};
    char *path = features_path(folder);
    tub_status status = path ? load(path, out, err) : tub_fail_memory(err, "the settings");
    tub_free(path);
    if (status != TUB_OK)
        tub_settings_finish(out);
    return status;
}

void tub_settings_finish(tub_settings *s)
{
    json_decref(s->root);
    *s = (tub_settings){0};
}

typedef struct tub_differences {
    char *text;
    size_t bytes, used;
    int count;
    bool unknown; // memory was short
} tub_differences;

static void note(tub_differences *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(tub_differences *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(d->text + d->used, d->bytes - d->used, format, args);
    va_end(args);
    d->used += length > 0 ? (size_t)length : 0;
    if (d->used >= d->bytes)
        d->used = d->bytes - 1;
}

static char *show(const json_t *value)
{
    if (!value)
        return tub_strdup("nothing");
    return json_is_string(value) ? tub_strdup(json_string_value(value)) : canonical(value);
}

static void compare_value(tub_differences *d, const char *name, const json_t *there, const json_t *asked)
{
    char *a = show(there), *b = show(asked);
    d->unknown |= !a || !b;
    if (a && b && (strcmp(a, b) || !there != !asked)) {
        note(d, "%s%s: %s there, %s asked", d->count ? "; " : "", name, a, b);
        d->count++;
    }
    tub_free(a);
    tub_free(b);
}

static void compare_object(tub_differences *d, const char *prefix, const json_t *there, const json_t *asked)
{
    json_t *all = json_object();
    d->unknown |= !all || (json_is_object(asked) && json_object_update(all, (json_t *)asked)) ||
                  (json_is_object(there) && json_object_update_missing(all, (json_t *)there));
    const char *key;
    json_t *value;
    json_object_foreach(all, key, value)
    {
        const json_t *a = json_object_get(there, key), *b = json_object_get(asked, key);
        char name[128];
        snprintf(name, sizeof name, "%s%s", prefix, key);
        if (json_is_object(a) && json_is_object(b)) {
            snprintf(name, sizeof name, "%s%s.", prefix, key);
            compare_object(d, name, a, b);
        } else {
            compare_value(d, name, a, b);
        }
    }
    json_decref(all);
}

// Folders that say nothing about their files have the usual ones.
static void compare_files(tub_differences *d, const json_t *there, const json_t *asked)
{
    tub_layout usual = {0};
    tub_layout_complete(&usual, NULL, "", NULL);
    json_t *files = tub_layout_json(&usual);
    const json_t *a = json_object_get(there, "files"), *b = json_object_get(asked, "files");
    compare_object(d, "files ", a ? a : files, b ? b : files);
    json_decref(files);
}

int tub_settings_compare(const json_t *there, const json_t *asked, char *text, size_t bytes)
{
    tub_differences d = {.text = text, .bytes = bytes};
    text[0] = '\0';
    compare_object(&d, "", json_object_get(there, "settings"), json_object_get(asked, "settings"));
    compare_object(&d, "model ", json_object_get(there, "model"), json_object_get(asked, "model"));
    compare_files(&d, there, asked);
    return d.unknown ? -1 : d.count;
}

static tub_status save(const char *path, const tub_settings *asked, tub_error *err)
{
    char *text = tub_json_text(asked->root, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    char *whole = text ? tub_format("%s\n", text) : NULL;
    tub_status status = whole ? tub_atomic_save(path, whole, strlen(whole), err) : tub_fail_memory(err, path);
    tub_free(text);
    tub_free(whole);
    return status;
}

const char *tub_settings_stamp(const tub_settings *s)
{
    const char *stamp = json_string_value(json_object_get(json_object_get(s->root, "about"), "model_stamp"));
    return stamp ? stamp : "";
}

// Keeps the new stamp: the same model is at another place, or was copied again.
static tub_status keep_stamp(const char *path, const tub_settings *there, const tub_settings *asked, tub_error *err)
{
    const char *stamp = tub_settings_stamp(asked);
    json_t *about = json_object_get(there->root, "about");
    if (!stamp[0] || !about || !strcmp(stamp, tub_settings_stamp(there)))
        return TUB_OK;
    if (json_object_set_new(about, "model_stamp", json_string(stamp)) != 0)
        return tub_fail_memory(err, path);
    return save(path, there, err);
}

static tub_status agree(const char *folder, const char *path, const tub_settings *asked, bool write, tub_error *err)
{
    tub_settings there = {0};
    tub_status status = load(path, &there, err);
    if (status == TUB_OK && !there.root && write) {
        status = save(path, asked, err);
        if (status == TUB_OK)
            status = load(path, &there, err);
    }
    char text[640];
    const int differences =
        status == TUB_OK && there.root ? tub_settings_compare(there.root, asked->root, text, sizeof text) : 0;
    if (differences < 0)
        status = tub_fail_memory(err, path);
    else if (differences)
        status = tub_fail(err, TUB_ERROR_ARGUMENT,
                          "%s holds features of another model or other settings (%s): ask for the same, or choose "
                          "another output folder",
                          folder, text);
    else if (status == TUB_OK && write)
        status = keep_stamp(path, &there, asked, err);
    tub_settings_finish(&there);
    return status;
}

tub_status tub_settings_agree(const char *folder, const tub_settings *asked, bool write, tub_error *err)
{
    char *path = features_path(folder);
    if (!path)
        return tub_fail_memory(err, "the settings");
    int lock = write ? tub_folder_lock(folder) : -1; // shards may start together
    tub_status status = agree(folder, path, asked, write, err);
    tub_folder_unlock(lock);
    tub_free(path);
    return status;
}
