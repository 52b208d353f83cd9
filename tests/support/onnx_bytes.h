// Small ONNX files, byte by byte: protobuf without a library, so that it can also be wrong.
#ifndef TEST_ONNX_BYTES_H
#define TEST_ONNX_BYTES_H

#include <stddef.h>
#include <stdint.h>

typedef struct onnx_bytes {
    unsigned char data[1 << 17];
    size_t size;
} onnx_bytes;

void onnx_varint(onnx_bytes *b, uint64_t value);
void onnx_number(onnx_bytes *b, unsigned field, uint64_t value);
void onnx_put(onnx_bytes *b, unsigned field, const void *data, size_t size);
void onnx_text(onnx_bytes *b, unsigned field, const char *text);
// Adds `inner` as a field of `b`. They may be the same: then b becomes a message with itself as its field.
void onnx_message(onnx_bytes *b, unsigned field, const onnx_bytes *inner);

// An external_data entry of a TensorProto (field 13).
void onnx_entry(onnx_bytes *tensor, const char *key, const char *value);
// A TensorProto "weight" whose data is in `location`.
void onnx_external_tensor(onnx_bytes *out, const char *location);

// A model that maps 4x4 pixels to each channel's mean: [N, 3, 4, 4] -> [N, 3], or, with `frames`,
// [N, frames, 3, 4, 4] -> [N, frames, 3]. `batch` 0: free. `half` 1: of type float16; 2: int64. Output "means".
// `uneven` 1: i is added to item i of a batch (not free, not half), as no sound model would do. 2: a softmax over the
// batch comes after the means.
void onnx_means_model(onnx_bytes *out, int batch, int frames, int half, int uneven);

// A model whose weights are kept in 8 bits: [N, frames, 3, 4, 4] -> [N, frames, 32]. Each flattened frame, of 48 inputs
// k, is multiplied by onnx_weight(k, n) / 128 for 32 outputs n.
void onnx_compressed_model(onnx_bytes *out, int frames);
signed char onnx_weight(int k, int n);

#endif
