// Our own engine as an encoder: checkpoint -> model -> program -> executable of a compute backend.
//
// After opening nothing of the checkpoint stays but what the executable made of it.
#ifndef TUB_NATIVE_ENCODER_H
#define TUB_NATIVE_ENCODER_H

#include "backend.h"
#include "checkpoint_hash.h"
#include "device_list.h"
#include "encoder_impl.h"
#include "model.h"

// What is there before anything is compiled.
typedef struct tub_native_opening {
    const tub_encoder_params *params;
    bool describe;   // nothing is to be compiled from it: the tensors' values aren't read
    unsigned failed; // backends that have been tried in vain, bits by tub_backend_at()'s numbers
    uint64_t number; // no other opening's
    const tub_backend_ops *backend;
    tub_device_list devices; // of the backend's kind
    tub_checkpoint *checkpoint;
    tub_model *model;
    tub_program *program;
    tub_input input;
    tub_hash_job hash; // of the checkpoint, under way, unless a cache may know it
} tub_native_opening;

// Everything but compiling and the model's hash. `o`: zeroed but for the first four, the params are checked; to be
// finished in every case.
tub_status tub_native_prepare(tub_native_opening *o, tub_encoder_info *info, tub_error *err);
// Begins to make the model's hash, if it isn't known or under way.
void tub_native_hash_start(tub_native_opening *o);
// The model's hash, which was made meanwhile. Errors: TUB_ERROR_MODEL.
tub_status tub_native_hash(tub_native_opening *o, tub_encoder_info *info, tub_error *err);
void tub_native_opening_finish(tub_native_opening *o);

// `params`: checked. Ownership and errors: as tub_encoder_open().
tub_status tub_native_encoder_open(const tub_encoder_params *params, tub_encoder **out, tub_error *err);

// Bytes of a narrow value (see program.h) of a run in that type.
size_t tub_native_narrow_bytes(const tub_backend_ops *backend, tub_dtype dtype);
int tub_native_threads(const tub_encoder_params *params);

// The backend and the precision that `params` ask for; `opening`: something will be compiled, so which of the
// processor's is faster may be measured where it isn't remembered, and a GPU that is passed over is told of. `failed`:
// backends not to take, bits by tub_backend_at()'s numbers. Errors: TUB_ERROR_DEVICE naming what there is instead.
tub_status tub_choose_backend(const tub_encoder_params *params, unsigned failed, const tub_backend_ops **backend,
                              tub_dtype *dtype, tub_device_list *devices, bool opening, tub_error *err);
// Whether `params` leave the backend open.
bool tub_backend_is_open(const tub_encoder_params *params);

#endif
