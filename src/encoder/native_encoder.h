// Our own engine as an encoder: checkpoint -> model -> program -> executable of a compute backend.
//
// After opening, only what the executable made from the checkpoint stays.
#ifndef TUB_NATIVE_ENCODER_H
#define TUB_NATIVE_ENCODER_H

#include "backend.h"
#include "checkpoint_hash.h"
#include "device_list.h"
#include "encoder_impl.h"
#include "model.h"

// The state of an opening before anything is compiled.
typedef struct tub_native_opening {
    const tub_encoder_params *params;
    bool describe;   // nothing will be compiled: the tensors' values aren't read
    unsigned failed; // backends that were tried and failed, as bits by tub_backend_at()'s numbers
    uint64_t number; // unique among all openings
    const tub_backend_ops *backend;
    tub_device_list devices; // of the backend's kind
    tub_checkpoint *checkpoint;
    tub_model *model;
    tub_program *program;
    tub_input input;
    tub_hash_job hash; // of the checkpoint, running unless a cache may know the hash
} tub_native_opening;

// Does everything except compiling and the model's hash. `o` is zeroed except for the first four members, and its
// params are checked. Finish it in every case.
tub_status tub_native_prepare(tub_native_opening *o, tub_encoder_info *info, tub_error *err);
// Starts to compute the model's hash, if it isn't known or running.
void tub_native_hash_start(tub_native_opening *o);
// Waits for the model's hash, which was computed meanwhile. Errors: TUB_ERROR_MODEL.
tub_status tub_native_hash(tub_native_opening *o, tub_encoder_info *info, tub_error *err);
void tub_native_opening_finish(tub_native_opening *o);

// `params`: checked. Ownership and errors: as tub_encoder_open().
tub_status tub_native_encoder_open(const tub_encoder_params *params, tub_encoder **out, tub_error *err);

// Bytes of a narrow value (see program.h) in a run of that type.
size_t tub_native_narrow_bytes(const tub_backend_ops *backend, tub_dtype dtype);
int tub_native_threads(const tub_encoder_params *params);

// The backend and the precision that `params` ask for. `opening`: something will be compiled, so if it isn't remembered
// which of the processor's backends is faster, this may be measured, and a GPU that isn't used is logged. `failed`:
// backends not to take, as bits by tub_backend_at()'s numbers. Errors: TUB_ERROR_DEVICE naming the alternatives.
tub_status tub_choose_backend(const tub_encoder_params *params, unsigned failed, const tub_backend_ops **backend,
                              tub_dtype *dtype, tub_device_list *devices, bool opening, tub_error *err);
// Whether `params` leave the backend open.
bool tub_backend_is_open(const tub_encoder_params *params);

#endif
