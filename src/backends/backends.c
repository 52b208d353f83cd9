#include "backend.h"

static const tub_backend_ops *const backends[] = {
    &tub_backend_cuda,
    &tub_backend_native,
#ifdef TUB_WITH_ONEDNN
    &tub_backend_onednn,
#endif
    &tub_backend_reference,
};

const tub_backend_ops *tub_backend_at(size_t i)
{
    return i < sizeof backends / sizeof *backends ? backends[i] : NULL;
}
