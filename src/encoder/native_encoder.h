// Our own engine as an encoder: checkpoint -> model -> program -> executable of a compute backend.
//
// After opening nothing of the checkpoint stays but what the executable made of it.
#ifndef TUB_NATIVE_ENCODER_H
#define TUB_NATIVE_ENCODER_H

#include "backend.h"
#include "encoder_impl.h"

// `params`: checked. Ownership and errors: as tub_encoder_open().
tub_status tub_native_encoder_open(const tub_encoder_params *params, tub_encoder **out, tub_error *err);

// The backend and the precision that `params` ask for. Errors: TUB_ERROR_DEVICE naming what there is instead.
tub_status tub_choose_backend(const tub_encoder_params *params, const tub_backend_ops **backend, tub_dtype *dtype,
                              tub_error *err);

#endif
