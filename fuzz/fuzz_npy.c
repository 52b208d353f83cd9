// .npy files: the header alone, then the whole file.
#include <tubelet/npy.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tub_array array;
    int64_t bytes;
    const char *path = fuzz_file(data, size);
    (void)tub_npy_stat(path, &array, &bytes, NULL);
    if (tub_npy_read(path, &array, NULL) == TUB_OK)
        tub_array_finish(&array);
    return 0;
}
