#include <stdio.h>
#include <string.h>

#include "decoder_list.h"
#include "fail.h"
#include "machine_impl.h"
#include "memory.h"
#include "params.h"

static void use_gpus(tub_machine *m)
{
    const tub_backend_info *cuda = tub_machine_backend(m, "cuda");
    for (size_t i = 0; i < m->gpu_count; i++) {
        tub_gpu_info *gpu = &m->gpus[i];
        gpu->used = cuda->found;
        snprintf(gpu->reason, sizeof gpu->reason, "%s%.150s",
                 gpu->used ? "the cuda backend runs on it" : "the cuda backend: ", gpu->used ? "" : cuda->reason);
    }
}

tub_status tub_machine_open(const tub_machine_params *params, tub_machine **out, tub_error *err)
{
    if (!out)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "machine: nowhere to put it");
    *out = NULL;
    TUB_TRY(tub_check_size("tub_machine_params", params ? params->size : 0, sizeof *params, err));
    tub_machine *m = tub_calloc(1, sizeof *m);
    if (!m)
        return tub_fail_memory(err, "a machine");
    tub_find_processor(&m->info);
    tub_find_gpus(m, TUB_DRIVER_LIBRARY, TUB_MANAGEMENT_LIBRARY);
    snprintf(m->info.libav, sizeof m->info.libav, "%s", tub_libav_version());
    snprintf(m->info.libav_licence, sizeof m->info.libav_licence, "%s", tub_libav_licence());
    tub_find_backends(m);
    use_gpus(m);
    tub_name_machine(m);
    tub_find_optimisations(m);
    tub_status status = params && params->out ? tub_find_folder(m, params->out, err) : TUB_OK;
    if (status == TUB_OK)
        *out = m;
    else
        tub_machine_close(&m);
    return status;
}

const tub_machine_info *tub_machine_get_info(const tub_machine *m)
{
    return &m->info;
}

bool tub_machine_backend_at(const tub_machine *m, size_t i, tub_backend_info *out)
{
    if (i < m->backend_count)
        *out = m->backends[i];
    return i < m->backend_count;
}

bool tub_machine_decoder_at(const tub_machine *m, size_t i, tub_decoder_info *out)
{
    tub_codec_decoders found;
    (void)m;
    if (!tub_codec_decoders_at(i, &found))
        return false;
    *out = (tub_decoder_info){.codec = found.codec};
    snprintf(out->software, sizeof out->software, "%s", found.software);
    snprintf(out->hardware, sizeof out->hardware, "%s", found.devices);
    return true;
}

bool tub_machine_gpu_at(const tub_machine *m, size_t i, tub_gpu_info *out)
{
    if (i < m->gpu_count)
        *out = m->gpus[i];
    return i < m->gpu_count;
}

bool tub_machine_optimisation_at(const tub_machine *m, size_t i, tub_optimisation_info *out)
{
    if (i < m->optimisation_count)
        *out = m->optimisations[i];
    return i < m->optimisation_count;
}

bool tub_machine_folder(const tub_machine *m, tub_folder_info *out)
{
    if (m->folder_path)
        *out = m->folder;
    return m->folder_path != NULL;
}

void tub_machine_close(tub_machine **m)
{
    if (!m || !*m)
        return;
    tub_free((*m)->folder_path);
    tub_free(*m);
    *m = NULL;
}
