#include "onnx_scan.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"

enum { WINDOW = 16384, VARINT_MOST = 10, DECIMAL_MOST = 20 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef enum kind { OTHER, MODEL, TRAINING, GRAPH, NODE, ATTRIBUTE, FUNCTION, TENSOR, SPARSE, EXTERNAL } kind;

// The fields of onnx.proto that lead to a tensor; all others are skipped.
static const struct {
    kind in;
    unsigned field;
    kind to;
} edges[] = {
    {MODEL, 7, GRAPH},         // graph
    {MODEL, 20, TRAINING},     // training_info
    {MODEL, 25, FUNCTION},     // functions
    {TRAINING, 1, GRAPH},      // initialization
    {TRAINING, 2, GRAPH},      // algorithm
    {GRAPH, 1, NODE},          // node
    {GRAPH, 5, TENSOR},        // initializer
    {GRAPH, 15, SPARSE},       // sparse_initializer
    {NODE, 5, ATTRIBUTE},      // attribute
    {ATTRIBUTE, 5, TENSOR},    // t
    {ATTRIBUTE, 6, GRAPH},     // g
    {ATTRIBUTE, 10, TENSOR},   // tensors
    {ATTRIBUTE, 11, GRAPH},    // graphs
    {ATTRIBUTE, 22, SPARSE},   // sparse_tensor
    {ATTRIBUTE, 23, SPARSE},   // sparse_tensors
    {FUNCTION, 7, NODE},       // node
    {FUNCTION, 11, ATTRIBUTE}, // attribute_proto
    {TENSOR, 13, EXTERNAL},    // external_data
    {SPARSE, 1, TENSOR},       // values
    {SPARSE, 2, TENSOR},       // indices
};

enum { MODEL_GRAPH = 7, TENSOR_NAME = 8, ENTRY_KEY = 1, ENTRY_VALUE = 2 };

typedef struct span {
    uint64_t at, bytes;
    int times; // how often the field occurred
} span;

// What is known of the tensor being read.
typedef struct tensor {
    span name;
    bool external, located;
    char location[TUB_ONNX_LOCATION];
    uint64_t offset, length;
} tensor;

typedef struct scan {
    const tub_onnx_source *source;
    tub_onnx_visit visit;
    void *user;
    tub_error *err;
    uint64_t at; // position in the file
    bool graph;  // one was met
    unsigned char window[WINDOW];
    uint64_t window_at, window_bytes;
} scan;

static tub_status wrong(scan *s, const char *what)
{
    return tub_fail(s->err, TUB_ERROR_MODEL, "%s: isn't a sound ONNX file: %s at byte %llu", s->source->name, what,
                    (unsigned long long)s->at);
}

static tub_status read_at(scan *s, uint64_t at, void *out, size_t bytes)
{
    if (s->source->data) {
        memcpy(out, s->source->data + at, bytes);
        return TUB_OK;
    }
    for (size_t done = 0; done < bytes;) {
        ssize_t n = pread(s->source->fd, (char *)out + done, bytes - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return tub_fail(s->err, TUB_ERROR_MODEL, "%s: can't be read: %s", s->source->name,
                            n < 0 ? strerror(errno) : "it became shorter");
        done += (size_t)n;
    }
    return TUB_OK;
}

static tub_status next_byte(scan *s, uint64_t end, unsigned char *out)
{
    if (s->at >= end)
        return wrong(s, "it ends in the middle of a number");
    if (s->at < s->window_at || s->at - s->window_at >= s->window_bytes) {
        uint64_t left = s->source->size - s->at;
        s->window_bytes = 0;
        TUB_TRY(read_at(s, s->at, s->window, left < WINDOW ? (size_t)left : WINDOW));
        s->window_at = s->at;
        s->window_bytes = left < WINDOW ? left : WINDOW;
    }
    *out = s->window[s->at - s->window_at];
    s->at++;
    return TUB_OK;
}

static tub_status varint(scan *s, uint64_t end, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < VARINT_MOST; i++) {
        unsigned char byte = 0;
        TUB_TRY(next_byte(s, end, &byte));
        if (i == VARINT_MOST - 1 && byte > 1)
            break;
        *out |= (uint64_t)(byte & 127) << (7 * i);
        if (byte < 128)
            return TUB_OK;
    }
    return wrong(s, "a number of more than 64 bits");
}

typedef struct field {
    unsigned number; // of its kind; 0: the field has no bytes
    uint64_t bytes;
} field;

// Reads the next field of a message that ends at `end`. If it is a field of bytes, s->at is at the first one; other
// fields are skipped.
static tub_status next_field(scan *s, uint64_t end, field *out)
{
    uint64_t tag, skip, value;
    *out = (field){0};
    TUB_TRY(varint(s, end, &tag));
    if (tag > UINT32_MAX || tag >> 3 == 0)
        return wrong(s, "a field number out of range");
    int wire = (int)(tag & 7);
    if (wire == WIRE_VARINT)
        return varint(s, end, &value);
    if (wire == WIRE_BYTES) {
        out->number = (unsigned)(tag >> 3);
        TUB_TRY(varint(s, end, &out->bytes));
        return out->bytes > end - s->at ? wrong(s, "a length beyond its message") : TUB_OK;
    }
    skip = wire == WIRE_64 ? 8 : wire == WIRE_32 ? 4 : 0;
    if (!skip)
        return wrong(s, "a wire type that ONNX doesn't have");
    if (skip > end - s->at)
        return wrong(s, "it ends in the middle of a number");
    s->at += skip;
    return TUB_OK;
}

static tub_status read_number(scan *s, span value, uint64_t *out)
{
    char digits[DECIMAL_MOST];
    if (value.bytes == 0 || value.bytes >= DECIMAL_MOST)
        return wrong(s, "an offset or length of external data that is no number");
    TUB_TRY(read_at(s, value.at, digits, (size_t)value.bytes));
    *out = 0;
    for (uint64_t i = 0; i < value.bytes; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return wrong(s, "an offset or length of external data that is no number");
        *out = *out * 10 + (uint64_t)(digits[i] - '0');
    }
    return TUB_OK;
}

static tub_status read_location(scan *s, span value, tensor *t)
{
    // If a location is given twice, other readers might take the other one.
    if (t->located)
        return wrong(s, "a tensor with two locations of external data");
    if (value.bytes >= sizeof t->location)
        return wrong(s, "a location of external data that is too long");
    TUB_TRY(read_at(s, value.at, t->location, (size_t)value.bytes));
    t->location[value.bytes] = 0;
    t->located = true;
    if (memchr(t->location, 0, (size_t)value.bytes))
        return wrong(s, "a location of external data with a NUL in it");
    return TUB_OK;
}

static tub_status entry(scan *s, uint64_t end, tensor *t)
{
    span key = {0}, value = {0};
    while (s->at < end) {
        field f;
        TUB_TRY(next_field(s, end, &f));
        span *known = f.number == ENTRY_KEY ? &key : f.number == ENTRY_VALUE ? &value : NULL;
        if (known)
            *known = (span){s->at, f.bytes, known->times + 1};
        s->at += f.bytes;
    }
    if (key.times > 1 || value.times > 1)
        return wrong(s, "an entry of external data that says a thing twice");
    t->external = true;
    char name[16] = "";
    if (key.bytes < sizeof name)
        TUB_TRY(read_at(s, key.at, name, (size_t)key.bytes));
    if (strcmp(name, "location") == 0)
        return read_location(s, value, t);
    if (strcmp(name, "offset") == 0)
        return read_number(s, value, &t->offset);
    return strcmp(name, "length") == 0 ? read_number(s, value, &t->length) : TUB_OK;
}

static tub_status report(scan *s, const tensor *t)
{
    char name[TUB_ONNX_NAME] = "";
    size_t bytes = t->name.bytes < sizeof name ? (size_t)t->name.bytes : sizeof name - 1;
    TUB_TRY(read_at(s, t->name.at, name, bytes));
    const tub_onnx_external external = {name, t->located ? t->location : "", t->offset, t->length};
    return s->visit(s->user, &external, s->err);
}

static kind destination(kind in, unsigned number)
{
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        if (edges[i].in == in && edges[i].field == number)
            return edges[i].to;
    return OTHER;
}

static tub_status message(scan *s, kind in, uint64_t end, int depth);

// Separate from message(), so that only tensors need its room on the stack.
static tub_status tensor_message(scan *s, uint64_t end)
{
    tensor t = {0};
    while (s->at < end) {
        field f;
        TUB_TRY(next_field(s, end, &f));
        if (destination(TENSOR, f.number) == EXTERNAL) {
            TUB_TRY(entry(s, s->at + f.bytes, &t));
            continue;
        }
        if (f.number == TENSOR_NAME)
            t.name = (span){s->at, f.bytes, 1};
        s->at += f.bytes;
    }
    return t.external ? report(s, &t) : TUB_OK;
}

static tub_status message(scan *s, kind in, uint64_t end, int depth)
{
    if (depth > TUB_ONNX_DEPTH)
        return wrong(s, "messages nested too deeply");
    while (s->at < end) {
        field f;
        TUB_TRY(next_field(s, end, &f));
        kind to = destination(in, f.number);
        s->graph |= in == MODEL && f.number == MODEL_GRAPH;
        if (to == OTHER)
            s->at += f.bytes;
        else if (to == TENSOR)
            TUB_TRY(tensor_message(s, s->at + f.bytes));
        else
            TUB_TRY(message(s, to, s->at + f.bytes, depth + 1));
    }
    return TUB_OK;
}

tub_status tub_onnx_scan(const tub_onnx_source *source, tub_onnx_visit visit, void *user, tub_error *err)
{
    scan s = {.source = source, .visit = visit, .user = user, .err = err};
    if (source->size == 0)
        return wrong(&s, "it ends");
    TUB_TRY(message(&s, MODEL, source->size, 1));
    return s.graph ? TUB_OK : wrong(&s, "it has no graph and ends");
}
