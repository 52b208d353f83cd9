// Custom models as encoders: ONNX and OpenVINO IR through OpenVINO, which is found at run time.
//
// The user supplies what such a model doesn't tell: which of its outputs is the feature (`output`), what its input's
// dimensions are (`input_layout`), and what pixels it takes (a preprocessor_config.json beside it, or options).
// Files are checked only as far as onnx_files.h goes: OpenVINO parses the graph itself.
#ifndef TUB_OPENVINO_ENCODER_H
#define TUB_OPENVINO_ENCODER_H

#include "encoder_impl.h"

// `params`: checked. `file`: from tub_custom_find(). Ownership and errors: as tub_encoder_open().
tub_status tub_openvino_encoder_open(const tub_encoder_params *params, const char *file, tub_encoder **out,
                                     tub_error *err);

#endif
