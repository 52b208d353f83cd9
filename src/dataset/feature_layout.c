#include "feature_layout.h"

#include <string.h>

#include "fail.h"

static tub_status unreadable(tub_error *err, const char *path, const char *key)
{
    return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: its `files.%s` can't be read: choose another output folder", path,
                    key);
}

static tub_status read_there(const json_t *files, const char *path, tub_layout *out, tub_error *err)
{
    const char *container = json_string_value(json_object_get(files, "container"));
    const char *dtype = json_string_value(json_object_get(files, "dtype"));
    out->name = json_string_value(json_object_get(files, "name"));
    out->key = json_string_value(json_object_get(files, "key"));
    if (tub_container_parse(container, &out->container, NULL) != TUB_OK)
        return unreadable(err, path, "container");
    if (!dtype || (strcmp(dtype, "float32") && strcmp(dtype, "float16")))
        return unreadable(err, path, "dtype");
    out->dtype = strcmp(dtype, "float16") ? TUB_F32 : TUB_F16;
    if (!out->name || tub_layout_check(out, NULL) != TUB_OK)
        return unreadable(err, path, "name");
    return TUB_OK;
}

tub_status tub_layout_complete(tub_layout *layout, const json_t *root, const char *path, tub_error *err)
{
    tub_layout there = {.name = "{stem}", .container = TUB_CONTAINER_NPY, .dtype = TUB_F32};
    const json_t *files = json_object_get(root, "files");
    if (files)
        TUB_TRY(read_there(files, path, &there, err));
    if (!layout->name)
        layout->name = there.name;
    if (!layout->container) // a key asks for a .npz
        layout->container = layout->key ? TUB_CONTAINER_NPZ : there.container;
    if (!layout->dtype)
        layout->dtype = there.dtype;
    if (!layout->key && layout->container == TUB_CONTAINER_NPZ)
        layout->key = there.key ? there.key : "feats";
    return tub_layout_check(layout, err);
}

json_t *tub_layout_json(const tub_layout *l)
{
    return json_pack("{s:s, s:s, s:s?, s:s}", "name", l->name, "container", tub_container_name(l->container), "key",
                     l->key, "dtype", l->dtype == TUB_F16 ? "float16" : "float32");
}

bool tub_layout_has_crops(const tub_layout *layout)
{
    return layout->container == TUB_CONTAINER_NPZ && strcmp(layout->key, "feature") == 0;
}

const char *tub_layout_extension(const tub_layout *layout)
{
    return layout->container == TUB_CONTAINER_NPZ ? ".npz" : ".npy";
}
