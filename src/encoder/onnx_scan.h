// Finds where an ONNX file says that weights are in other files: walks over its protobuf bytes and reads nothing else.
//
// Files are untrusted. A tensor's external_data names a file. Names that lead out of the model's folder have been used
// to read other files (CVE-2022-25882, CVE-2024-27318). So every name is checked before a library opens the model:
// initializers, sparse ones, constants in attributes, subgraphs to any depth, functions, training graphs.
//
// The walk is bounded: it goes forward once, holds one small window of the file, and descends at most TUB_ONNX_DEPTH
// messages, protobuf's own limit.
#ifndef TUB_ONNX_SCAN_H
#define TUB_ONNX_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <tubelet/status.h>

enum { TUB_ONNX_DEPTH = 100, TUB_ONNX_LOCATION = 1024, TUB_ONNX_NAME = 80 };

// Bytes to walk over: memory, or a file if `data` is NULL.
typedef struct tub_onnx_source {
    const unsigned char *data;
    int fd;
    uint64_t size;
    const char *name; // of the file, for messages
} tub_onnx_source;

// What a tensor's external_data says. Valid during the visit.
typedef struct tub_onnx_external {
    const char *tensor;        // its name, truncated if it is long; "" if it has none
    const char *location;      // "" if it isn't given
    uint64_t offset, length;   // length 0: to the end of the file
} tub_onnx_external;

typedef tub_status (*tub_onnx_visit)(void *user, const tub_onnx_external *external, tub_error *err);

// Visits every tensor with external data, in the order of the file. If a visit fails, ends with its status.
// Errors: TUB_ERROR_MODEL naming the byte where the file stops making sense: truncated, a length beyond its message,
// a wire type that ONNX doesn't have, messages nested too deeply, an external_data entry that repeats itself, no graph.
tub_status tub_onnx_scan(const tub_onnx_source *source, tub_onnx_visit visit, void *user, tub_error *err);

#endif
