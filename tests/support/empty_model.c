#include "empty_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model.h"
#include "temp_folder.h"

static const tub_architecture *find(const char *what, tub_size *size)
{
    const size_t length = strcspn(what, ":");
    const tub_architecture *a;
    for (size_t i = 0; (a = tub_architecture_at(i)); i++)
        if (strlen(a->name) == length && strncmp(a->name, what, length) == 0)
            break;
    assert_non_null(a);
    const tub_size *s = a->sizes;
    while (s->name && strcmp(s->name, what + length + 1) != 0)
        s++;
    assert_non_null(s->name);
    *size = *s;
    return a;
}

static json_t *shape_of(const tub_tensor *t)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->rank; i++)
        json_array_append_new(shape, json_integer(t->dims[i]));
    return shape;
}

// Writes the header; the rest of the file is a hole, which reads as zeros.
static void write_weights(const char *path, const tub_tensor *tensors, size_t count)
{
    json_t *header = json_object();
    json_int_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const json_int_t end = at + (json_int_t)(tub_tensor_count(&tensors[i]) * (int64_t)sizeof(float));
        json_object_set_new(
            header, tensors[i].name,
            json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape_of(&tensors[i]), "data_offsets", at, end));
        at = end;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    const uint64_t bytes = strlen(text);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(&bytes, sizeof bytes, 1, f), 1);
    assert_int_equal(fwrite(text, bytes, 1, f), 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(truncate(path, (off_t)(sizeof bytes + bytes) + (off_t)at), 0);
    free(text);
    json_decref(header);
}

void test_empty_model(const char *what, int layers, const char *folder)
{
    tub_size size;
    tub_config config;
    tub_arena arena;
    tub_binder *b;
    tub_error err = {0};
    size_t count;
    const tub_architecture *a = find(what, &size);
    assert_int_equal(mkdir(folder, 0700), 0);
    size.layers = layers;
    json_t *json = a->make_config(&size);
    assert_int_equal(a->read_config(json, &config, &err), TUB_OK);
    void *weights = calloc(1, a->weights_bytes);
    assert_non_null(weights);
    tub_arena_init(&arena);
    assert_int_equal(tub_binder_measure(&arena, &b, &err), TUB_OK);
    a->bind(b, &config, weights);
    assert_int_equal(tub_binder_end(b, &err), TUB_OK);
    const tub_tensor *tensors = tub_binder_created(b, &count);
    write_weights(test_path(folder, "model.safetensors"), tensors, count);
    assert_int_equal(json_dump_file(json, test_path(folder, "config.json"), 0), 0);
    json_decref(json);
    tub_binder_free(&b);
    tub_arena_finish(&arena);
    free(weights);
}
