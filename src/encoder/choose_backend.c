#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "native_encoder.h"

static bool is_auto(const char *name)
{
    return !name || !name[0] || strcmp(name, "auto") == 0;
}

static void list_backends(char *out, size_t bytes)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; tub_backend_at(i) && at < bytes; i++)
        at += (size_t)snprintf(out + at, bytes - at, "%s%s", i ? ", " : "", tub_backend_at(i)->name);
}

static tub_status check_device(const char *device, tub_error *err)
{
    if (is_auto(device) || strcmp(device, "cpu") == 0)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_DEVICE,
                    "device \"%.60s\": this build computes on the processor only: use --device cpu", device);
}

static tub_status resolve(const tub_backend_ops *backend, tub_dtype asked, tub_dtype *dtype, tub_error *err)
{
    *dtype = asked == TUB_DTYPE_AUTO ? backend->best_dtype() : asked;
    return backend->supports(*dtype, err);
}

tub_status tub_choose_backend(const tub_encoder_params *params, const tub_backend_ops **backend, tub_dtype *dtype,
                              tub_error *err)
{
    TUB_TRY(check_device(params->device, err));
    tub_status first = TUB_OK;
    for (size_t i = 0; (*backend = tub_backend_at(i)); i++) {
        if (!is_auto(params->backend)) {
            if (strcmp((*backend)->name, params->backend) == 0)
                return resolve(*backend, params->dtype, dtype, err);
            continue;
        }
        // What the best backend said is what is told if none can do it.
        tub_status status = resolve(*backend, params->dtype, dtype, first == TUB_OK ? err : NULL);
        if (status == TUB_OK)
            return TUB_OK;
        first = first == TUB_OK ? status : first;
    }
    if (first != TUB_OK)
        return first;
    if (!is_auto(params->backend) && strcmp(params->backend, "openvino") == 0)
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "backend \"openvino\": runs .onnx and .xml models; for this one leave --backend out");
    char known[128];
    list_backends(known, sizeof known);
    return tub_fail(err, TUB_ERROR_DEVICE, "backend \"%.60s\": isn't in this build, which has %s",
                    params->backend ? params->backend : "auto", known);
}
