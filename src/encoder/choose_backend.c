#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "measured_backend.h"
#include "native_encoder.h"

static bool is_auto(const char *name)
{
    return !name || !name[0] || strcmp(name, "auto") == 0;
}

static bool is_cpu(const tub_backend_ops *backend)
{
    return strcmp(backend->device, "cpu") == 0;
}

static void list_backends(char *out, size_t bytes)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; tub_backend_at(i) && at < bytes; i++)
        at += (size_t)snprintf(out + at, bytes - at, "%s%s", i ? ", " : "", tub_backend_at(i)->name);
}

// Checks that the devices asked for are of the backend's kind, and finds out which they are.
static tub_status resolve_devices(const tub_backend_ops *backend, tub_device_list *devices, tub_error *err)
{
    int there = 1;
    if (!backend->count)
        return TUB_OK;
    TUB_TRY(backend->count(&there, err));
    return tub_device_list_resolve(devices, there, err);
}

static tub_status resolve(const tub_backend_ops *backend, tub_dtype asked, tub_device_list *devices, tub_dtype *dtype,
                          tub_error *err)
{
    TUB_TRY(resolve_devices(backend, devices, err));
    *dtype = asked == TUB_DTYPE_AUTO ? backend->best_dtype() : asked;
    return backend->supports(*dtype, err);
}

static bool is_asked_for(const tub_encoder_params *params, const tub_backend_ops *backend,
                         const tub_device_list *devices)
{
    if (!is_auto(params->backend))
        return strcmp(backend->name, params->backend) == 0;
    return devices->is_auto || devices->is_cpu == is_cpu(backend);
}

static tub_status none(const tub_encoder_params *params, const tub_device_list *devices, tub_error *err)
{
    char known[128];
    if (!is_auto(params->backend) && strcmp(params->backend, "openvino") == 0)
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "backend \"openvino\": runs .onnx and .xml models; for this one leave --backend out");
    list_backends(known, sizeof known);
    if (is_auto(params->backend) && !devices->is_auto)
        return tub_fail(err, TUB_ERROR_DEVICE, "device \"%.60s\": no backend of this build runs there: %s are in it",
                        params->device, known);
    return tub_fail(err, TUB_ERROR_DEVICE, "backend \"%.60s\": isn't in this build, which has %s",
                    params->backend ? params->backend : "auto", known);
}

// Another of the processor's backends, if it was measured to be faster.
static const tub_backend_ops *measured(const tub_encoder_params *params, const tub_backend_ops *first, tub_dtype dtype,
                                       unsigned failed, bool measure)
{
    tub_candidates c = {.backends = {first}, .count = 1, .dtype = dtype};
    for (size_t i = 0; tub_backend_at(i) && c.count < TUB_CANDIDATES; i++) {
        const tub_backend_ops *other = tub_backend_at(i);
        if (other != first && !(failed & 1u << i) && is_cpu(other) && other != &tub_backend_reference &&
            other->supports(dtype, NULL) == TUB_OK)
            c.backends[c.count++] = other;
    }
    return tub_measured_backend(&c, measure, &params->log);
}

// A present device that isn't used costs most of the speed, so that is worth a line. An absent one isn't.
static void tell_passed_over(const tub_encoder_params *params, const tub_backend_ops *backend, const tub_error *why)
{
    const int shown = backend->shown ? backend->shown() : 0;
    if (shown > 0)
        tub_warn(&params->log, "%d GPU%s there, but not used: %s", shown, shown == 1 ? " is" : "s are", why->text);
}

// The compute capability that a GPU needs for a type in which only GPUs compute; NULL: processors may compute in it
// too.
static const char *capability(tub_dtype dtype)
{
    return dtype == TUB_FP8 ? "9.0" : dtype == TUB_TF32 ? "8.0 or later" : dtype == TUB_F16 ? "7.0 or later" : NULL;
}

// If only GPUs compute in a type, a processor's backend knows just that it doesn't. This error says what does.
static tub_status refuse(tub_dtype dtype, tub_status status, tub_error *err)
{
    if (!capability(dtype))
        return status;
    return tub_fail(err, status,
                    "%s is computed by NVIDIA GPUs of compute capability %s, and none is used here (tubelet doctor "
                    "says why): take `--dtype auto` or `--dtype f32`",
                    tub_dtype_name(dtype), capability(dtype));
}

bool tub_backend_is_open(const tub_encoder_params *params)
{
    return is_auto(params->backend);
}

tub_status tub_choose_backend(const tub_encoder_params *params, unsigned failed, const tub_backend_ops **backend,
                              tub_dtype *dtype, tub_device_list *devices, bool opening, tub_error *err)
{
    tub_device_list asked;
    tub_status first = TUB_OK;
    TUB_TRY(tub_device_list_parse(params->device, &asked, err));
    for (size_t i = 0; (*backend = tub_backend_at(i)); i++) {
        if ((failed & 1u << i) || !is_asked_for(params, *backend, &asked))
            continue;
        if (!is_auto(params->backend) && !asked.is_auto && asked.is_cpu != is_cpu(*backend))
            return tub_fail(err, TUB_ERROR_DEVICE, "backend \"%s\" doesn't run on device \"%.60s\"", (*backend)->name,
                            params->device);
        *devices = asked;
        // If nothing was asked for, the error of the processor's backends counts.
        const bool passes = !is_cpu(*backend) && asked.is_auto && is_auto(params->backend);
        const bool quiet = first != TUB_OK || passes;
        tub_error why = {0};
        const tub_status status = resolve(*backend, params->dtype, devices, dtype, passes ? &why : quiet ? NULL : err);
        if (status == TUB_OK) {
            if (is_auto(params->backend) && is_cpu(*backend) && *backend != &tub_backend_reference)
                *backend = measured(params, *backend, *dtype, failed, opening);
            return TUB_OK;
        }
        if (passes && opening)
            tell_passed_over(params, *backend, &why);
        if (!quiet)
            first = is_cpu(*backend) ? refuse(params->dtype, status, err) : status;
    }
    return first != TUB_OK ? first : none(params, &asked, err);
}
