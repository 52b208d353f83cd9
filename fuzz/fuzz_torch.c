// Files of torch.save: the container, the pickle, and every tensor of the state dict.
#include "fuzz.h"
#include "memory.h"
#include "torch_file.h"

static void read_entries(const tub_tensor_file *f)
{
    for (size_t i = 0; i < f->count; i++) {
        void *memory = tub_alloc_aligned((size_t)f->entries[i].bytes, 1);
        if (memory)
            (void)tub_tensor_file_values(f, &f->entries[i], memory, NULL);
        tub_free(memory);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tub_tensor_file f;
    if (tub_torch_open(fuzz_file(data, size), &f, NULL) != TUB_OK)
        return 0;
    read_entries(&f);
    tub_tensor_file_finish(&f);
    return 0;
}
