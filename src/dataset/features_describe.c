#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "annotations.h"
#include "fail.h"
#include "feature_folder.h"
#include "params.h"

// The rate that all lines tell; 0: they differ or don't tell.
static double common_fps(const tub_told_list *told)
{
    const double apart = 0.005;
    double fps = told->count ? told->items[0].fps : 0;
    for (size_t i = 0; i < told->count; i++)
        if (!(fabs(told->items[i].fps - fps) <= apart) || told->items[i].fps == 0)
            return 0;
    return fps;
}

static void take_folder(const tub_feature_folder *f, tub_features_info *out)
{
    const tub_layout *layout = &f->place.layout;
    tub_grid grid = {0};
    tub_feature_folder_grid(f, &grid);
    *out = (tub_features_info){
        .stride = grid.stride,
        .offset = grid.offset,
        .num_frames = grid.num_frames,
        .native = f->sampling.fps == 0,
        .fps = f->sampling.fps > 0 ? f->sampling.fps : common_fps(&f->told),
        .dim = f->dim,
        .files = (int64_t)f->listing.count,
        .fixed_rows = f->fixed_rows,
        .container = layout->container,
    };
    snprintf(out->key, sizeof out->key, "%s", layout->key ? layout->key : "");
    for (size_t i = 0; i < f->told.count; i++)
        if (f->told.items[i].rows > out->most_rows)
            out->most_rows = f->told.items[i].rows;
}

// Splits the template into prefix and suffix, around the word that stands for the video.
static tub_status affix_of_template(const char *name, tub_features_info *out, tub_error *err)
{
    if (tub_layout_has_split(name))
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "the files' names (%s) have their split: annotations must tell which there are", name);
    const char *open = strchr(name, '{'), *close = strchr(name, '}');
    tub_affix *affix = &out->affixes[0];
    out->affix_count = 1;
    snprintf(affix->prefix, sizeof affix->prefix, "%.*s", (int)(open - name), name);
    snprintf(affix->suffix, sizeof affix->suffix, "%s", close + 1);
    return TUB_OK;
}

typedef struct tub_match {
    const tub_feature_folder *folder;
    const char *id;
    char prefix[TUB_AFFIX], suffix[TUB_AFFIX];
} tub_match;

// If the name has a file, takes the text around the id in the name. The template's own text isn't searched for the id.
static bool try_name(void *user, const char *name)
{
    tub_match *m = user;
    char file[PATH_MAX + 8];
    const tub_layout *layout = &m->folder->place.layout;
    snprintf(file, sizeof file, "%s%s", name, tub_layout_extension(layout));
    if (tub_stem_map_get(&m->folder->listing.map, file) == (size_t)TUB_NO_STEM)
        return false;
    const char *word = strstr(layout->name, "{stem}") ? strstr(layout->name, "{stem}") : strstr(layout->name, "{bare}");
    size_t tail = strlen(word) - strlen("{stem}"), id = strlen(m->id), length = strlen(name);
    if (tail + id > length || strncmp(name + length - tail - id, m->id, id) != 0)
        return false; // the id has a "v_" that the file lacks, which no prefix can make up for
    snprintf(m->prefix, sizeof m->prefix, "%.*s", (int)(length - tail - id), name);
    snprintf(m->suffix, sizeof m->suffix, "%s", name + length - tail);
    return true;
}

static tub_status add_affix(const tub_match *m, const char *split, tub_features_info *out, tub_error *err)
{
    for (int i = 0; i < out->affix_count; i++) {
        const tub_affix *a = &out->affixes[i];
        if (strcmp(a->split, split) != 0)
            continue;
        if (strcmp(a->prefix, m->prefix) == 0 && strcmp(a->suffix, m->suffix) == 0)
            return TUB_OK;
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "files are called in two ways, %s%s%s and %s...%s: no one prefix finds them all", m->prefix,
                        m->id, m->suffix, a->prefix, a->suffix);
    }
    enum { MOST = sizeof out->affixes / sizeof *out->affixes };
    if (out->affix_count == MOST)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "the annotations have more than %d splits", MOST);
    tub_affix *a = &out->affixes[out->affix_count++];
    snprintf(a->split, sizeof a->split, "%s", split);
    memcpy(a->prefix, m->prefix, sizeof a->prefix);
    memcpy(a->suffix, m->suffix, sizeof a->suffix);
    return TUB_OK;
}

static tub_status affix_of_ids(const tub_feature_folder *f, const char *path, tub_features_info *out, tub_error *err)
{
    tub_video_facts facts;
    bool split = tub_layout_has_split(f->place.layout.name);
    tub_status status = tub_video_facts_read(path, &facts, err);
    for (size_t i = 0; status == TUB_OK && i < facts.count; i++) {
        const tub_fact *fact = &facts.items[i];
        tub_match m = {.folder = f, .id = fact->id};
        if (tub_annotations_names(&f->place.layout, fact->id, fact->split, try_name, &m))
            status = add_affix(&m, split && fact->split ? fact->split : "", out, err);
    }
    if (status == TUB_OK && !out->affix_count)
        status =
            tub_fail(err, TUB_ERROR_ARGUMENT, "%s: no file in %s can be found by an id of it (the first is %.100s)",
                     path, f->place.folder, facts.count ? facts.items[0].id : "");
    tub_video_facts_finish(&facts);
    return status;
}

static tub_status describe(const tub_feature_folder *f, const char *annotations, tub_features_info *out, tub_error *err)
{
    if (!f->settings.root)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: no features.json in it says what these features are",
                        f->place.folder);
    if (!f->sampling.clip_length || !f->dim)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s/features.json: its windows or its dimension can't be read",
                        f->place.folder);
    take_folder(f, out);
    return annotations ? affix_of_ids(f, annotations, out, err) : affix_of_template(f->place.layout.name, out, err);
}

tub_status tub_features_describe(const char *folder, const char *annotations, tub_features_info *out, tub_error *err)
{
    TUB_TRY(tub_check_given("folder", folder, err));
    TUB_TRY(tub_check_given("out", out, err));
    tub_feature_folder f;
    tub_status status = tub_feature_folder_open(folder, false, &f, err);
    if (status == TUB_OK)
        status = describe(&f, annotations, out, err);
    tub_feature_folder_finish(&f);
    return status;
}
