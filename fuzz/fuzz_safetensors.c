// safetensors files: the header and every tensor that it lists.
#include "fuzz.h"
#include "memory.h"
#include "safetensors.h"

static void read_entries(const tub_tensor_file *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const tub_tensor_entry *e = &s->entries[i];
        if (e->tensor.dtype == TUB_DTYPE_AUTO || e->bytes > 1 << 20)
            continue;
        void *memory = tub_alloc_aligned((size_t)e->bytes, 1);
        if (memory)
            (void)tub_tensor_file_values(s, e, memory, NULL);
        tub_free(memory);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tub_tensor_file s;
    if (tub_safetensors_open(fuzz_file(data, size), &s, NULL) != TUB_OK)
        return 0;
    read_entries(&s);
    tub_tensor_file_finish(&s);
    return 0;
}
