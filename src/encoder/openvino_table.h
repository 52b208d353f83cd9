// The part of OpenVINO's C API that is used, as a table that is filled at run time. Nothing from OpenVINO is needed to
// build, and its libraries (with their own libtbb) stay behind dlopen.
//
// Declared from the documented interface of OpenVINO 2023 to 2026. The numbers of element types differ between
// versions, so the library is asked for them (see openvino_table.c).
#ifndef TUB_OPENVINO_TABLE_H
#define TUB_OPENVINO_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/encoder.h>

typedef struct tub_ov_core tub_ov_core;
typedef struct tub_ov_model tub_ov_model;
typedef struct tub_ov_port tub_ov_port;         // ov_output_const_port_t
typedef struct tub_ov_compiled tub_ov_compiled;
typedef struct tub_ov_request tub_ov_request;
typedef struct tub_ov_tensor tub_ov_tensor;

typedef struct tub_ov_shape {
    int64_t rank;
    int64_t *dims;
} tub_ov_shape;

typedef struct tub_ov_dimension {
    int64_t min, max;       // max -1: no limit
} tub_ov_dimension;

typedef struct tub_ov_partial_shape {
    tub_ov_dimension rank;
    tub_ov_dimension *dims;
} tub_ov_partial_shape;

typedef struct tub_ov_version {
    const char *build, *description;
} tub_ov_version;

enum { TUB_OV_OK = 0, TUB_OV_NOT_READY = -9 }; // of ov_status_e

// X(result, name without "ov_", parameters). An int result is an ov_status_e; 0 is success.
#define TUB_OV_FUNCTIONS(X)                                                                                            \
    X(int, get_openvino_version, (tub_ov_version * version))                                                           \
    X(void, version_free, (tub_ov_version * version))                                                                  \
    X(const char *, get_last_err_msg, (void))                                                                          \
    X(void, free, (const char *text))                                                                                  \
    X(int, core_create, (tub_ov_core * *core))                                                                         \
    X(void, core_free, (tub_ov_core * core))                                                                           \
    X(int, core_set_property, (const tub_ov_core *core, const char *device, ...))                                      \
    X(int, core_read_model, (const tub_ov_core *core, const char *model, const char *weights, tub_ov_model **out))     \
    X(int, core_compile_model,                                                                                         \
      (const tub_ov_core *core, const tub_ov_model *model, const char *device, size_t arguments,                       \
       tub_ov_compiled **out, ...))                                                                                    \
    X(void, model_free, (tub_ov_model * model))                                                                        \
    X(int, model_inputs_size, (const tub_ov_model *model, size_t *count))                                              \
    X(int, model_outputs_size, (const tub_ov_model *model, size_t *count))                                             \
    X(int, model_const_input_by_index, (const tub_ov_model *model, size_t index, tub_ov_port **out))                   \
    X(int, model_const_output_by_index, (const tub_ov_model *model, size_t index, tub_ov_port **out))                  \
    X(int, model_const_output_by_name, (const tub_ov_model *model, const char *name, tub_ov_port **out))               \
    X(int, model_reshape_single_input, (const tub_ov_model *model, tub_ov_partial_shape shape))                        \
    X(int, port_get_any_name, (const tub_ov_port *port, char **name))                                                  \
    X(int, port_get_partial_shape, (const tub_ov_port *port, tub_ov_partial_shape *shape))                             \
    X(int, port_get_element_type, (const tub_ov_port *port, int *type))                                                \
    X(void, output_const_port_free, (tub_ov_port * port))                                                              \
    X(void, partial_shape_free, (tub_ov_partial_shape * shape))                                                        \
    X(void, compiled_model_free, (tub_ov_compiled * compiled))                                                         \
    X(int, compiled_model_get_property, (const tub_ov_compiled *compiled, const char *key, char **value))              \
    X(int, compiled_model_create_infer_request, (const tub_ov_compiled *compiled, tub_ov_request **out))               \
    X(void, infer_request_free, (tub_ov_request * request))                                                            \
    X(int, infer_request_set_input_tensor_by_index,                                                                    \
      (tub_ov_request * request, size_t index, const tub_ov_tensor *tensor))                                           \
    X(int, infer_request_get_output_tensor_by_index,                                                                   \
      (const tub_ov_request *request, size_t index, tub_ov_tensor **out))                                              \
    X(int, infer_request_start_async, (tub_ov_request * request))                                                      \
    X(int, infer_request_wait_for, (tub_ov_request * request, int64_t milliseconds))                                   \
    X(int, infer_request_cancel, (tub_ov_request * request))                                                           \
    X(int, tensor_create, (int type, tub_ov_shape shape, tub_ov_tensor **out))                                         \
    X(int, tensor_get_byte_size, (const tub_ov_tensor *tensor, size_t *bytes))                                         \
    X(int, tensor_data, (const tub_ov_tensor *tensor, void **data))                                                    \
    X(void, tensor_free, (tub_ov_tensor * tensor))

#define TUB_OV_MEMBER(result, name, parameters) result(*name) parameters;

typedef struct tub_openvino {
    void *library;
    int bf16, f16, f32;         // numbers of element types
    char version[24];           // "2026.4.1"
    TUB_OV_FUNCTIONS(TUB_OV_MEMBER)
} tub_openvino;

// Finds and loads the library. Looks at the environment's TUBELET_OPENVINO (a library, or a folder that contains one:
// the wheel's, a virtual environment, an archive), the system's library path, `openvino` beside the executable or
// libtubelet, and the active Python environment.
// Errors: TUB_ERROR_DEVICE, naming `make deps-openvino` and `pip install openvino`.
tub_status tub_openvino_load(tub_openvino *out, tub_error *err);
// The library itself stays in memory, since it has threads. Accepts a table that was never loaded.
void tub_openvino_unload(tub_openvino *ov);

// Our type for one of theirs; TUB_DTYPE_AUTO for all except the three. And back.
tub_dtype tub_openvino_dtype(const tub_openvino *ov, int type);
int tub_openvino_type(const tub_openvino *ov, tub_dtype dtype);

// Reports the library's last error as the failure `status` of `what`: its own text, in one line, without its file
// names.
tub_status tub_openvino_fail(const tub_openvino *ov, tub_error *err, tub_status status, const char *what);

#endif
