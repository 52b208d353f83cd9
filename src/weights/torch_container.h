// What the two containers of torch.save have in common: an object, and the places of its storages in the file.
#ifndef TUB_TORCH_CONTAINER_H
#define TUB_TORCH_CONTAINER_H

#include "tensor_file.h"
#include "torch_pickle.h"
#include "zip_file.h"

// A storage of a legacy file.
typedef struct tub_torch_place {
    const tub_torch_storage *storage;
    int64_t offset;             // in the file
    bool found;
} tub_torch_place;

typedef struct tub_torch_container {
    const tub_tensor_file *file;
    uint8_t *text;              // the pickle; in a legacy file also everything before it
    tub_pickle pickle;
    tub_pickle_value object;
    tub_zip zip;
    const tub_zip_entry *root;  // of a ZIP file: "<any>/data.pkl"; NULL in a legacy one
    tub_torch_place *places;    // of a legacy file, by key
    size_t place_count;
} tub_torch_container;

// `c->file` is set, the rest zero. Finish it in every case. Errors: TUB_ERROR_MODEL, TUB_ERROR_MEMORY.
tub_status tub_torch_open_zip(tub_torch_container *c, tub_error *err);
tub_status tub_torch_open_legacy(tub_torch_container *c, tub_error *err);
void tub_torch_container_finish(tub_torch_container *c);

// The place of a storage. Errors: TUB_ERROR_MODEL (there is no such storage, or its size isn't what the pickle says).
tub_status tub_torch_locate_zip(const tub_torch_container *c, const tub_torch_storage *s, int64_t *offset,
                                tub_error *err);
tub_status tub_torch_locate_legacy(const tub_torch_container *c, const tub_torch_storage *s, int64_t *offset,
                                   tub_error *err);

// Reads these bytes of the file and prepares the pickle machine for them.
tub_status tub_torch_load_pickle(tub_torch_container *c, int64_t offset, int64_t bytes, tub_error *err);

// Lists the state dict's tensors as entries of `out`. Errors: TUB_ERROR_MODEL, TUB_ERROR_MEMORY.
tub_status tub_torch_list(tub_torch_container *c, tub_tensor_file *out, tub_error *err);

// A pickle's text, for "%.*s".
#define TUB_PICKLE_SHOWN(v) ((v)->length < 80 ? (int)(v)->length : 80), (v)->text

#endif
