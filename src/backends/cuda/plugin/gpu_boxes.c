#include "gpu_boxes.h"

#include <dlfcn.h>
#include <stdint.h>

typedef CUresult (*encode_function)(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *, const cuuint64_t *,
                                    const cuuint64_t *, const cuuint32_t *, const cuuint32_t *, CUtensorMapInterleave,
                                    CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

// The function is the driver's, which the runtime has loaded long before.
static encode_function find_encode(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (!driver)
        return NULL;
    const encode_function found = (encode_function)dlsym(driver, "cuTensorMapEncodeTiled");
    dlclose(driver); // the runtime keeps it loaded
    return found;
}

cudaError_t tub_cuda_box_map(CUtensorMap *out, const void *matrix, tub_gpu_type type, int rows, int cols, int box_rows)
{
    const encode_function encode = find_encode();
    const CUtensorMapDataType data_type =
        type == TUB_GPU_F16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
    // Columns come before rows. The bytes from one column to the next aren't asked for.
    const cuuint64_t sizes[] = {(cuuint64_t)cols, (cuuint64_t)rows}, row_bytes[] = {(cuuint64_t)cols * 2};
    const cuuint32_t box[] = {TUB_GPU_BOX_COLUMNS, (cuuint32_t)box_rows}, steps[] = {1, 1};
    if (!encode)
        return cudaErrorNotSupported;
    const CUresult code = encode(out, data_type, 2, (void *)(uintptr_t)matrix, sizes, row_bytes, box, steps,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                 CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    return code == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}
