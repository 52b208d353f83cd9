// Prints the safetensors reader's verdict on files, for tools/safetensors_verdict.py, which asks the reference the
// same.
//
// stdin: files, each as 8 bytes of length (little-endian) and its bytes. stdout: a line for each, "accept" or
// "refuse: why". If a file is accepted, all its tensors are read.
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "memory.h"
#include "safetensors.h"

enum { MOST = 1 << 24 };

static tub_status read_all(const tub_tensor_file *f, tub_error *err)
{
    tub_status status = TUB_OK;
    for (size_t i = 0; i < f->count && status == TUB_OK; i++) {
        void *values = tub_alloc_aligned((size_t)f->entries[i].bytes, 1);
        if (values)
            status = tub_tensor_file_values(f, &f->entries[i], values, err);
        tub_free(values);
    }
    return status;
}

static void say(const uint8_t *data, size_t size)
{
    tub_tensor_file f;
    tub_error err;
    tub_status status = tub_safetensors_open(fuzz_file(data, size), &f, &err);
    if (status == TUB_OK) {
        status = read_all(&f, &err);
        tub_tensor_file_finish(&f);
    }
    if (status == TUB_OK)
        puts("accept");
    else
        printf("refuse: %s\n", err.text);
}

int main(void)
{
    uint8_t *data = malloc(MOST), length[8];
    while (data && fread(length, 1, 8, stdin) == 8) {
        uint64_t size = 0;
        for (int i = 7; i >= 0; i--)
            size = size << 8 | length[i];
        if (size > MOST || fread(data, 1, size, stdin) != size)
            return 2;
        say(data, size);
    }
    free(data);
    return data ? 0 : 2;
}
