// Which backends there are, and what they compute in on this machine.
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "machine_impl.h"
#include "openvino_table.h"

static const char *const dtypes[] = {"f32", "tf32", "bf16", "f16", "int8", "fp8"};

static void list_dtypes(const tub_backend_ops *ops, tub_backend_info *out)
{
    tub_error err = {0};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        size_t used = strlen(out->dtypes);
        tub_dtype dtype;
        if (tub_dtype_parse(dtypes[i], &dtype, NULL) == TUB_OK && ops->supports(dtype, &err) == TUB_OK)
            snprintf(out->dtypes + used, sizeof out->dtypes - used, "%s%s", used ? ", " : "", dtypes[i]);
    }
    out->found = out->dtypes[0] != 0;
    if (!out->found)
        snprintf(out->reason, sizeof out->reason, "%.*s", (int)sizeof out->reason - 1, err.text);
}

static void add_openvino(tub_backend_info *out)
{
    tub_openvino ov;
    tub_error err = {0};
    *out = (tub_backend_info){.name = "openvino", .device = "cpu"};
    out->found = tub_openvino_load(&ov, &err) == TUB_OK;
    if (out->found) {
        snprintf(out->library, sizeof out->library, "OpenVINO %s", ov.version);
        snprintf(out->dtypes, sizeof out->dtypes, "f32; bf16, f16 where it has them");
        tub_openvino_unload(&ov);
    } else {
        snprintf(out->reason, sizeof out->reason, "%.*s", (int)sizeof out->reason - 1, err.text);
    }
}

static void add_absent(tub_machine *m, const char *name, const char *device, const char *why)
{
    if (tub_machine_backend(m, name) || m->backend_count == TUB_BACKENDS_MOST)
        return;
    tub_backend_info *out = &m->backends[m->backend_count++];
    *out = (tub_backend_info){.name = name, .device = device};
    snprintf(out->reason, sizeof out->reason, "%s", why);
}

void tub_find_backends(tub_machine *m)
{
    const tub_backend_ops *ops;
    for (size_t i = 0; (ops = tub_backend_at(i)) && m->backend_count + 1 < TUB_BACKENDS_MOST; i++) {
        tub_backend_info *out = &m->backends[m->backend_count++];
        *out = (tub_backend_info){.name = ops->name, .device = ops->device};
        if (ops->library)
            ops->library(out->library, sizeof out->library);
        list_dtypes(ops, out);
    }
    add_openvino(&m->backends[m->backend_count++]);
    add_absent(m, "onednn", "cpu", "not in this build: it was configured with TUBELET_ONEDNN=OFF");
    for (size_t i = 0; (ops = tub_backend_at(i)) && m->info.dtype == TUB_DTYPE_AUTO; i++)
        if (ops->supports(ops->best_dtype(), NULL) == TUB_OK)
            m->info.dtype = ops->best_dtype();
}

const tub_backend_info *tub_machine_backend(const tub_machine *m, const char *name)
{
    for (size_t i = 0; i < m->backend_count; i++)
        if (!strcmp(m->backends[i].name, name))
            return &m->backends[i];
    return NULL;
}
