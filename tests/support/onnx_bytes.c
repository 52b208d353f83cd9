#include "onnx_bytes.h"

#include <stdlib.h>
#include <string.h>

void onnx_varint(onnx_bytes *b, uint64_t value)
{
    do {
        b->data[b->size++] = (unsigned char)((value & 127) | (value > 127 ? 128 : 0));
        value >>= 7;
    } while (value);
}

void onnx_number(onnx_bytes *b, unsigned field, uint64_t value)
{
    onnx_varint(b, field << 3);
    onnx_varint(b, value);
}

void onnx_put(onnx_bytes *b, unsigned field, const void *data, size_t size)
{
    onnx_varint(b, field << 3 | 2);
    onnx_varint(b, size);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

void onnx_text(onnx_bytes *b, unsigned field, const char *text)
{
    onnx_put(b, field, text, strlen(text));
}

void onnx_message(onnx_bytes *b, unsigned field, const onnx_bytes *inner)
{
    size_t size = inner->size;
    unsigned char *copy = malloc(size + 1);
    memcpy(copy, inner->data, size);
    if (inner == b)
        b->size = 0;
    onnx_put(b, field, copy, size);
    free(copy);
}

void onnx_entry(onnx_bytes *tensor, const char *key, const char *value)
{
    static onnx_bytes entry;
    entry.size = 0;
    onnx_text(&entry, 1, key);
    onnx_text(&entry, 2, value);
    onnx_message(tensor, 13, &entry);
}

void onnx_external_tensor(onnx_bytes *out, const char *location)
{
    out->size = 0;
    onnx_number(out, 1, 4); // dims
    onnx_number(out, 2, 1); // data_type: float
    onnx_text(out, 8, "weight");
    onnx_entry(out, "location", location);
    onnx_number(out, 14, 1); // data_location: external
}

static void value_info(onnx_bytes *graph, unsigned field, const char *name, int batch, const int *dims, int type)
{
    static onnx_bytes shape, dim, part;
    shape.size = 0;
    for (const int *d = dims; *d >= 0; d++) {
        dim.size = 0;
        if (d == dims && !batch)
            onnx_text(&dim, 2, "batch");
        else
            onnx_number(&dim, 1, (uint64_t)(d == dims ? batch : *d));
        onnx_message(&shape, 1, &dim);
    }
    part.size = 0;
    onnx_number(&part, 1, (uint64_t)type);
    onnx_message(&part, 2, &shape);
    onnx_message(&part, 1, &part); // tensor_type
    dim.size = 0;
    onnx_text(&dim, 1, name);
    onnx_message(&dim, 2, &part);
    onnx_message(graph, field, &dim);
}

static void attribute(onnx_bytes *node, const char *name, const int *values, int count)
{
    static onnx_bytes bytes;
    bytes.size = 0;
    onnx_text(&bytes, 1, name);
    for (int i = 0; i < count; i++)
        onnx_number(&bytes, count > 1 ? 8 : 3, (uint64_t)values[i]);
    onnx_number(&bytes, 20, count > 1 ? 7 : 2); // type: ints or int
    onnx_message(node, 5, &bytes);
}

static void add_places(onnx_bytes *graph, int batch, int frames)
{
    static onnx_bytes node, places;
    float values[16];
    node.size = places.size = 0;
    onnx_text(&node, 1, "even");
    onnx_text(&node, 1, "places");
    onnx_text(&node, 2, "means");
    onnx_text(&node, 4, "Add");
    onnx_message(graph, 1, &node);
    onnx_number(&places, 1, (uint64_t)batch);
    for (int i = 0; i < (frames ? 2 : 1); i++)
        onnx_number(&places, 1, 1);
    onnx_number(&places, 2, 1);
    onnx_text(&places, 8, "places");
    for (int i = 0; i < batch && i < 16; i++)
        values[i] = (float)i;
    onnx_put(&places, 9, values, (size_t)batch * sizeof *values);
    onnx_message(graph, 5, &places);
}

static void add_softmax(onnx_bytes *graph)
{
    static onnx_bytes node;
    const int axis = 0;
    node.size = 0;
    onnx_text(&node, 1, "even");
    onnx_text(&node, 2, "means");
    onnx_text(&node, 4, "Softmax");
    attribute(&node, "axis", &axis, 1);
    onnx_message(graph, 1, &node);
}

void onnx_means_model(onnx_bytes *out, int batch, int frames, int half, int uneven)
{
    static onnx_bytes node, graph, opset;
    int first = frames ? 3 : 2, axes[2] = {first, first + 1}, keep = 0;
    node.size = graph.size = opset.size = out->size = 0;
    onnx_text(&node, 1, "pixel_values");
    onnx_text(&node, 2, uneven ? "even" : "means");
    onnx_text(&node, 4, "ReduceMean");
    attribute(&node, "axes", axes, 2);
    attribute(&node, "keepdims", &keep, 1);
    onnx_message(&graph, 1, &node);
    if (uneven == 1)
        add_places(&graph, batch, frames);
    else if (uneven)
        add_softmax(&graph);
    onnx_text(&graph, 2, "means");
    int type = half == 2 ? 7 : half ? 10 : 1;
    const int clip[] = {0, frames, 3, 4, 4, -1}, frame[] = {0, 3, 4, 4, -1}, tokens[] = {0, frames, 3, -1},
              row[] = {0, 3, -1};
    value_info(&graph, 11, "pixel_values", batch, frames ? clip : frame, type);
    value_info(&graph, 12, "means", batch, frames ? tokens : row, type);
    onnx_number(out, 1, 7); // ir_version
    onnx_message(out, 7, &graph);
    onnx_number(&opset, 2, 13);
    onnx_message(out, 8, &opset);
}

signed char onnx_weight(int k, int n)
{
    return (signed char)((k * 37 + n * 101) % 255 - 127);
}

// A constant of the graph; types: 1 float, 3 int8, 7 int64.
static void constant(onnx_bytes *graph, const char *name, int type, const int *dims, const void *data, size_t bytes)
{
    static onnx_bytes tensor;
    tensor.size = 0;
    for (; *dims > 0; dims++)
        onnx_number(&tensor, 1, (uint64_t)*dims);
    onnx_number(&tensor, 2, (uint64_t)type);
    onnx_text(&tensor, 8, name);
    onnx_put(&tensor, 9, data, bytes);
    onnx_message(graph, 5, &tensor);
}

static void operation(onnx_bytes *graph, const char *kind, const char *a, const char *b, const char *out)
{
    static onnx_bytes node;
    node.size = 0;
    onnx_text(&node, 1, a);
    onnx_text(&node, 1, b);
    onnx_text(&node, 2, out);
    onnx_text(&node, 4, kind);
    onnx_message(graph, 1, &node);
}

void onnx_compressed_model(onnx_bytes *out, int frames)
{
    static onnx_bytes graph, opset;
    signed char weights[48 * 32];
    float scales[32];
    const int shape[] = {48, 32, 0}, columns[] = {32, 0}, three[] = {3, 0};
    const int pixels[] = {0, frames, 3, 4, 4, -1}, rows[] = {0, frames, 32, -1};
    const int64_t sizes[3] = {0, frames, 48};
    for (int i = 0; i < 48 * 32; i++)
        weights[i] = onnx_weight(i / 32, i % 32);
    for (int i = 0; i < 32; i++)
        scales[i] = 1.0f / 128;
    graph.size = opset.size = out->size = 0;
    operation(&graph, "Reshape", "pixel_values", "sizes", "flat");
    operation(&graph, "DequantizeLinear", "weights", "scales", "matrix");
    operation(&graph, "MatMul", "flat", "matrix", "products");
    onnx_text(&graph, 2, "compressed");
    constant(&graph, "weights", 3, shape, weights, sizeof weights);
    constant(&graph, "sizes", 7, three, sizes, sizeof sizes);
    constant(&graph, "scales", 1, columns, scales, sizeof scales);
    value_info(&graph, 11, "pixel_values", 0, pixels, 1);
    value_info(&graph, 12, "products", 0, rows, 1);
    onnx_number(out, 1, 7); // ir_version
    onnx_message(out, 7, &graph);
    onnx_number(&opset, 2, 13);
    onnx_message(out, 8, &opset);
}
