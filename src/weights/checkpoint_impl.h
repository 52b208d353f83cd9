// The inside of a checkpoint: for the files that open it.
#ifndef TUB_CHECKPOINT_IMPL_H
#define TUB_CHECKPOINT_IMPL_H

#include "checkpoint_folder.h"
#include "safetensors.h"

struct tub_checkpoint {
    char *path;             // as it is named in messages: the folder, or the file
    char *folder;           // the folder with its files
    char *config_path;      // NULL: there is no config.json, `config` is empty
    json_t *config, *preprocessor, *video_preprocessor, *processor; // the last three may be NULL
    tub_tensor_file *files; // in the order of their names
    size_t file_count;
    tub_tensor_source *items; // of all files, in the order of their names
    size_t item_count;
};

// Opens the weights in c->folder, whatever their layout; `only`: just this file in it. Errors: TUB_ERROR_MODEL.
tub_status tub_checkpoint_open_weights(tub_checkpoint *c, const char *only, tub_error *err);

// The name of the only torch.save file that could be a folder's weights (freed with tub_free()), or NULL if there is
// none. Errors: TUB_ERROR_MODEL if there are several.
tub_status tub_checkpoint_torch_file(const char *folder, char **name, tub_error *err);

const char *tub_file_name(const char *path);    // what follows its last slash
bool tub_checkpoint_is_torch_name(const char *name);
bool tub_checkpoint_has(const tub_checkpoint *c, const char *name);     // a file in its folder, or a link to one
// Refuses a link to a file that doesn't exist, for example of a cached model that was copied without its blobs.
tub_status tub_checkpoint_check_link(const char *path, tub_error *err);

#endif
