// Converts any layout of a checkpoint to a folder with config.json and model.safetensors.
#include <stdlib.h>
#include <string.h>
#include <tubelet/checkpoint.h>
#include <unistd.h>

#include "atomic_file.h"
#include "checkpoint_impl.h"
#include "fail.h"

enum { DESCRIPTION_MOST = 64 << 20 };

static tub_status refuse_used(const char *folder, tub_error *err)
{
    static const char *const names[] = {"config.json", "model.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = tub_format("%s/%s", folder, names[i]);
        if (!path)
            return tub_fail_memory(err, "a path");
        bool used = access(path, F_OK) == 0;
        tub_free(path);
        if (used)
            return tub_fail(err, TUB_ERROR_OUTPUT, "%s: holds a %s already: name another folder", folder, names[i]);
    }
    return TUB_OK;
}

// Wider types first, so that every tensor is aligned in the file; then by name.
static int by_width(const void *a, const void *b)
{
    const tub_tensor_entry *x = ((const tub_tensor_source *)a)->entry, *y = ((const tub_tensor_source *)b)->entry;
    int64_t n = tub_tensor_count(&x->tensor), m = tub_tensor_count(&y->tensor);
    int64_t width = n ? x->bytes / n : 0, other = m ? y->bytes / m : 0;
    return width != other ? (width < other) - (width > other) : strcmp(x->name, y->name);
}

static tub_status convert_weights(const tub_checkpoint *c, const char *folder, tub_error *err)
{
    char *path = tub_format("%s/model.safetensors", folder);
    tub_tensor_source *sources = tub_calloc(c->item_count, sizeof *sources);
    tub_status status = path && sources ? TUB_OK : tub_fail_memory(err, "the list of tensors");
    if (status == TUB_OK) {
        if (c->item_count)
            memcpy(sources, c->items, c->item_count * sizeof *sources);
        qsort(sources, c->item_count, sizeof *sources, by_width);
        status = tub_safetensors_copy(path, sources, c->item_count, err);
    }
    tub_free(sources);
    tub_free(path);
    return status;
}

// Copies a file byte for byte, if it exists. Descriptions that the checkpoint was opened without are left out, except
// config.json, without which the new folder would be no checkpoint.
static tub_status copy_description(const tub_checkpoint *c, const char *folder, const char *name, tub_error *err)
{
    static const char empty[] = "{}\n";
    char *from = tub_format("%s/%s", c->folder, name), *to = tub_format("%s/%s", folder, name), *text = NULL;
    size_t bytes = 0;
    tub_status status = from && to ? TUB_OK : tub_fail_memory(err, "a path");
    const bool there = status == TUB_OK && c->config_path && access(from, F_OK) == 0;
    const bool wanted = there || strcmp(name, "config.json") == 0;
    if (status == TUB_OK && there)
        status = tub_read_file(from, DESCRIPTION_MOST, &text, &bytes, err);
    if (status == TUB_OK && wanted)
        status = tub_atomic_save(to, there ? text : empty, there ? bytes : strlen(empty), err);
    tub_free(text);
    tub_free(from);
    tub_free(to);
    return status;
}

static tub_status convert(const tub_checkpoint *c, const char *folder, tub_error *err)
{
    static const char *const names[] = {"preprocessor_config.json", "video_preprocessor_config.json",
                                        "processor_config.json",
                                        // Last, because a folder with a config.json counts as a checkpoint.
                                        "config.json"};
    TUB_TRY(refuse_used(folder, err));
    TUB_TRY(tub_make_folder(folder, err));
    TUB_TRY(convert_weights(c, folder, err));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        TUB_TRY(copy_description(c, folder, names[i], err));
    return TUB_OK;
}

tub_status tub_checkpoint_convert(const char *model, const char *folder, tub_error *err)
{
    if (!model || !*model || !folder || !*folder)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "convert: needs a model and a folder");
    tub_checkpoint *c = NULL;
    TUB_TRY(tub_checkpoint_open(model, &c, err));
    tub_status status = convert(c, folder, err);
    tub_checkpoint_close(&c);
    return status;
}
