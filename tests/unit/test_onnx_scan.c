// The walk over ONNX files finds every place where a tensor may be, and no bytes lead it astray.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "onnx_bytes.h"
#include "onnx_scan.h"
#include "temp_folder.h"

static onnx_bytes file, tensor;

typedef struct seen {
    int visits;
    char location[128], tensor[128];
    uint64_t offset, length;
    tub_status answer;
} seen;

static tub_status visit(void *user, const tub_onnx_external *e, tub_error *err)
{
    (void)err;
    seen *s = user;
    s->visits++;
    snprintf(s->location, sizeof s->location, "%s", e->location);
    snprintf(s->tensor, sizeof s->tensor, "%s", e->tensor);
    s->offset = e->offset;
    s->length = e->length;
    return s->answer;
}

static tub_status scan(const onnx_bytes *b, size_t size, seen *s, tub_error *err)
{
    // A copy of the exact size, so that a sanitizer sees a read past its end.
    unsigned char *exact = test_malloc(size + 1);
    memcpy(exact, b->data, size);
    *s = (seen){.answer = s->answer};
    const tub_onnx_source source = {.data = exact, .size = size, .name = "m.onnx"};
    tub_status status = tub_onnx_scan(&source, visit, s, err);
    test_free(exact);
    return status;
}

// The tensor as the innermost field of a chain of fields, from the model downwards.
static void wrap(onnx_bytes *out, const onnx_bytes *inner, const unsigned *chain)
{
    int depth = 0;
    while (chain[depth])
        depth++;
    *out = *inner;
    while (depth-- > 0)
        onnx_message(out, chain[depth], out);
}

static void refused(const onnx_bytes *b, const char *why)
{
    tub_error err = {0};
    seen s = {0};
    assert_int_equal(scan(b, b->size, &s, &err), TUB_ERROR_MODEL);
    if (!strstr(err.text, why))
        fail_msg("\"%s\" doesn't say \"%s\"", err.text, why);
    assert_non_null(strstr(err.text, "m.onnx"));
}

static void every_place_is_seen(void **state)
{
    (void)state;
    static const unsigned places[][12] = {
        {7, 5},                   // graph.initializer
        {7, 15, 1},               // graph.sparse_initializer.values
        {7, 15, 2},               // ... .indices
        {7, 1, 5, 5},             // graph.node.attribute.t
        {7, 1, 5, 10},            // ... .tensors
        {7, 1, 5, 22, 1},         // ... .sparse_tensor.values
        {7, 1, 5, 23, 2},         // ... .sparse_tensors.indices
        {7, 1, 5, 6, 5},          // a subgraph's initializer
        {7, 1, 5, 11, 5},         // one of several subgraphs'
        {7, 1, 5, 6, 1, 5, 6, 5}, // a subgraph's subgraph's
        {7, 1, 5, 6, 1, 5, 5},    // a constant in a subgraph
        {25, 7, 5, 5},            // a function's constant
        {25, 11, 5},              // a function's default attribute
        {25, 7, 5, 6, 5},         // a function's subgraph
        {20, 1, 5},               // training_info.initialization
        {20, 2, 1, 5, 5},         // training_info.algorithm
    };
    onnx_external_tensor(&tensor, "weights.bin");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        seen s = {0};
        wrap(&file, &tensor, places[i]);
        onnx_put(&file, 7, "", 0); // a model has a graph
        assert_int_equal(scan(&file, file.size, &s, NULL), TUB_OK);
        if (s.visits != 1)
            fail_msg("place %zu: %d visits", i, s.visits);
        assert_string_equal(s.location, "weights.bin");
        assert_string_equal(s.tensor, "weight");
    }
}

static void other_fields_are_passed_by(void **state)
{
    (void)state;
    static const unsigned places[][8] = {{7, 10}, {7, 11}, {7, 13, 5}, {7, 1, 3}, {7, 1, 5, 4}, {7, 5, 9}};
    onnx_external_tensor(&tensor, "weights.bin");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        seen s = {0};
        wrap(&file, &tensor, places[i]);
        assert_int_equal(scan(&file, file.size, &s, NULL), TUB_OK);
        assert_int_equal(s.visits, 0);
    }
    // Numbers of all wire types come before it.
    seen s = {0};
    file.size = 0;
    onnx_number(&file, 1, UINT64_MAX);
    onnx_varint(&file, 30 << 3 | 1);
    memset(file.data + file.size, 0xff, 8);
    file.size += 8;
    onnx_varint(&file, 31 << 3 | 5);
    memset(file.data + file.size, 0xff, 4);
    file.size += 4;
    onnx_message(&tensor, 5, &tensor);
    onnx_message(&file, 7, &tensor);
    assert_int_equal(scan(&file, file.size, &s, NULL), TUB_OK);
    assert_int_equal(s.visits, 1);
}

static void offset_and_length_are_read(void **state)
{
    (void)state;
    seen s = {0};
    onnx_external_tensor(&tensor, "a/b");
    onnx_entry(&tensor, "offset", "4096");
    onnx_entry(&tensor, "length", "1234567890123");
    onnx_entry(&tensor, "checksum", "x");
    wrap(&file, &tensor, (const unsigned[]){7, 5, 0});
    assert_int_equal(scan(&file, file.size, &s, NULL), TUB_OK);
    assert_int_equal(s.offset, 4096);
    assert_int_equal(s.length, 1234567890123);
    // If there is no location, the visitor decides.
    tensor.size = 0;
    onnx_entry(&tensor, "offset", "1");
    wrap(&file, &tensor, (const unsigned[]){7, 5, 0});
    assert_int_equal(scan(&file, file.size, &s, NULL), TUB_OK);
    assert_int_equal(s.visits, 1);
    assert_string_equal(s.location, "");
}

static void a_visitors_refusal_ends_it(void **state)
{
    (void)state;
    seen s = {.answer = TUB_ERROR_DEVICE};
    static onnx_bytes graph;
    graph.size = 0;
    onnx_external_tensor(&tensor, "a");
    onnx_message(&graph, 5, &tensor);
    onnx_message(&graph, 5, &tensor);
    wrap(&file, &graph, (const unsigned[]){7, 0});
    assert_int_equal(scan(&file, file.size, &s, NULL), TUB_ERROR_DEVICE);
    assert_int_equal(s.visits, 1);
    s.answer = TUB_OK;
    assert_int_equal(scan(&file, file.size, &s, NULL), TUB_OK);
    assert_int_equal(s.visits, 2);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    seen s = {0};
    onnx_external_tensor(&tensor, "weights.bin");
    onnx_entry(&tensor, "length", "12");
    wrap(&file, &tensor, (const unsigned[]){7, 1, 5, 6, 5, 0});
    for (size_t size = 0; size < file.size; size++)
        assert_int_equal(scan(&file, size, &s, NULL), TUB_ERROR_MODEL);
    assert_int_equal(scan(&file, file.size, &s, NULL), TUB_OK);
}

static void hostile_lengths_are_refused(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {8, UINT32_MAX, (uint64_t)1 << 63, UINT64_MAX, UINT64_MAX - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        file.size = 0;
        onnx_varint(&file, 7 << 3 | 2);
        onnx_varint(&file, lengths[i]);
        refused(&file, "length beyond");
    }
    // Within the file, but beyond the message that it is in.
    static onnx_bytes graph;
    graph.size = 0;
    onnx_varint(&graph, 5 << 3 | 2);
    onnx_varint(&graph, 20);
    file.size = 0;
    onnx_message(&file, 7, &graph);
    onnx_text(&file, 2, "some producer's name, longer than that");
    refused(&file, "length beyond");
    // A fixed-size number that its message is too short for.
    graph.size = 0;
    onnx_varint(&graph, 3 << 3 | 1);
    file.size = 0;
    onnx_message(&file, 7, &graph);
    onnx_text(&file, 2, "more than eight bytes");
    refused(&file, "middle of a number");
}

static void what_protobuf_has_not_is_refused(void **state)
{
    (void)state;
    static const unsigned char wires[] = {3, 4, 6, 7};
    for (size_t i = 0; i < sizeof wires; i++) {
        file.size = 0;
        onnx_varint(&file, 7u << 3 | wires[i]);
        onnx_varint(&file, 0);
        refused(&file, "wire type");
    }
    file.size = 0;
    onnx_number(&file, 0, 1);
    refused(&file, "field number");
    file.size = 0;
    onnx_varint(&file, (uint64_t)UINT32_MAX + 8);
    refused(&file, "field number");
    memset(file.data, 0x80, 16);
    file.size = 16;
    refused(&file, "64 bits");
    file.size = 0;
    refused(&file, "at byte 0");
    file.size = 0;
    onnx_number(&file, 1, 7);
    onnx_text(&file, 2, "pytorch");
    refused(&file, "no graph");
    static const char text[] = "<?xml version=\"1.0\"?><net/>";
    memcpy(file.data, text, sizeof text);
    file.size = sizeof text;
    refused(&file, "isn't a sound ONNX file");
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    onnx_external_tensor(&tensor, "a");
    for (int levels = 20; levels <= 60; levels += 40) {
        seen s = {0};
        tub_error err = {0};
        file = tensor;
        onnx_message(&file, 5, &file);
        for (int i = 0; i < levels; i++) {
            onnx_message(&file, 6, &file);
            onnx_message(&file, 5, &file);
            onnx_message(&file, 1, &file);
        }
        onnx_message(&file, 7, &file);
        assert_int_equal(scan(&file, file.size, &s, &err), levels == 20 ? TUB_OK : TUB_ERROR_MODEL);
        assert_int_equal(s.visits, levels == 20);
        assert_true(levels == 20 || strstr(err.text, "nested"));
    }
}

static void ambiguous_entries_are_refused(void **state)
{
    (void)state;
    static onnx_bytes entry;
    static const unsigned chain[] = {7, 5, 0};
    onnx_external_tensor(&tensor, "weights.bin");
    onnx_entry(&tensor, "location", "/etc/passwd");
    wrap(&file, &tensor, chain);
    refused(&file, "two locations");
    for (unsigned twice = 1; twice <= 2; twice++) {
        entry.size = tensor.size = 0;
        onnx_text(&entry, 1, "location");
        onnx_text(&entry, 2, "weights.bin");
        onnx_text(&entry, twice, twice == 1 ? "checksum" : "/etc/passwd");
        onnx_message(&tensor, 13, &entry);
        wrap(&file, &tensor, chain);
        refused(&file, "twice");
    }
    entry.size = tensor.size = 0;
    onnx_text(&entry, 1, "location");
    onnx_put(&entry, 2, "weights\0.bin", 12);
    onnx_message(&tensor, 13, &entry);
    wrap(&file, &tensor, chain);
    refused(&file, "NUL");
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    static const char *const numbers[] = {"", "-1", "1e3", "0x10", " 1", "99999999999999999999"};
    static const unsigned chain[] = {7, 5, 0};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        onnx_external_tensor(&tensor, "weights.bin");
        onnx_entry(&tensor, i % 2 ? "offset" : "length", numbers[i]);
        wrap(&file, &tensor, chain);
        refused(&file, "no number");
    }
    char longest[TUB_ONNX_LOCATION + 1];
    memset(longest, 'a', sizeof longest - 1);
    longest[TUB_ONNX_LOCATION] = 0;
    onnx_external_tensor(&tensor, longest);
    wrap(&file, &tensor, chain);
    refused(&file, "too long");
    longest[TUB_ONNX_LOCATION - 1] = 0;
    seen s = {0};
    onnx_external_tensor(&tensor, longest);
    wrap(&file, &tensor, chain);
    assert_int_equal(scan(&file, file.size, &s, NULL), TUB_OK);
}

// Bytes changed, removed and inserted, in a fixed sequence: there is an answer, and no read past the end (sanitizers).
static void mutations_have_an_answer(void **state)
{
    (void)state;
    static onnx_bytes sound;
    int refusals = 0;
    uint32_t random = 1;
    onnx_external_tensor(&tensor, "weights.bin");
    onnx_entry(&tensor, "length", "12");
    wrap(&sound, &tensor, (const unsigned[]){7, 1, 5, 6, 5, 0});
    for (int round = 0; round < 20000; round++) {
        seen s = {0};
        file.size = sound.size;
        memcpy(file.data, sound.data, sound.size);
        for (int i = 0; i <= round % 4; i++) {
            random = random * 1664525u + 1013904223u;
            size_t at = (random >> 8) % file.size;
            int what = (int)(random >> 30);
            if (what == 0) {
                memmove(file.data + at, file.data + at + 1, file.size - at - 1);
                file.size--;
            } else if (what == 1) {
                memmove(file.data + at + 1, file.data + at, file.size - at);
                file.size++;
            } else {
                file.data[at] = what == 2 ? (unsigned char)random : (unsigned char)(file.data[at] ^ 1u << (random & 7));
            }
        }
        tub_status status = scan(&file, file.size, &s, NULL);
        assert_true(status == TUB_OK || status == TUB_ERROR_MODEL);
        refusals += status != TUB_OK;
    }
    assert_in_range(refusals, 2000, 19999);
}

// A value before its key, and a tensor after weights that are larger than the window.
static void a_file_reads_as_memory_does(void **state)
{
    (void)state;
    static onnx_bytes graph, entry, weights;
    static unsigned char raw[50000];
    entry.size = tensor.size = weights.size = graph.size = file.size = 0;
    memset(raw, 0xff, sizeof raw);
    onnx_put(&weights, 9, raw, sizeof raw);
    onnx_message(&graph, 5, &weights);
    onnx_text(&entry, 2, "late.bin");
    onnx_text(&entry, 1, "location");
    onnx_message(&tensor, 13, &entry);
    onnx_message(&graph, 5, &tensor);
    onnx_message(&file, 7, &graph);
    seen in_memory = {0}, in_file = {0};
    assert_int_equal(scan(&file, file.size, &in_memory, NULL), TUB_OK);
    char *folder = test_folder_make();
    const char *path = test_path(folder, "m.onnx");
    test_write_file(path, file.data, file.size);
    int fd = open(path, O_RDONLY);
    tub_onnx_source source = {.fd = fd, .size = file.size, .name = path};
    assert_int_equal(tub_onnx_scan(&source, visit, &in_file, NULL), TUB_OK);
    assert_memory_equal(&in_memory, &in_file, sizeof in_file);
    assert_string_equal(in_file.location, "late.bin");
    // The file has become shorter than stated.
    source.size += 100;
    assert_int_equal(tub_onnx_scan(&source, visit, &in_file, NULL), TUB_ERROR_MODEL);
    close(fd);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_is_seen),
        cmocka_unit_test(other_fields_are_passed_by),
        cmocka_unit_test(offset_and_length_are_read),
        cmocka_unit_test(a_visitors_refusal_ends_it),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(hostile_lengths_are_refused),
        cmocka_unit_test(what_protobuf_has_not_is_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(ambiguous_entries_are_refused),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(mutations_have_an_answer),
        cmocka_unit_test(a_file_reads_as_memory_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
