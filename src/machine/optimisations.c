// What makes runs faster: whether it is on or off here, and why.
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "decoder_list.h"
#include "json.h"
#include "machine_impl.h"
#include "profile_folder.h"

static tub_optimisation_info *add(tub_machine *m, const char *name, bool on)
{
    tub_optimisation_info *out = &m->optimisations[m->optimisation_count++];
    *out = (tub_optimisation_info){.name = name, .on = on};
    return out;
}

static void explain(tub_optimisation_info *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void explain(tub_optimisation_info *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out->reason, sizeof out->reason, format, arguments);
    va_end(arguments);
}

// A precision below float32 is on if a backend for checkpoints has it here, whether auto takes it or not.
static void add_dtype(tub_machine *m, tub_dtype dtype)
{
    const tub_backend_ops *ops, *has = NULL;
    tub_error err = {0}, later;
    for (size_t i = 0; (ops = tub_backend_at(i)) && !has; i++)
        if ((!ops->count || m->gpu_count) && ops->supports(dtype, err.text[0] ? &later : &err) == TUB_OK)
            has = ops;
    tub_optimisation_info *out = add(m, tub_dtype_name(dtype), has != NULL);
    if (!has && dtype == TUB_FP8 && !m->gpu_count)
        explain(out, "8-bit products, on NVIDIA GPUs of compute capability 9.0: %s", m->info.driver_reason);
    else if (!has && dtype == TUB_F16 && !m->gpu_count)
        explain(out, "half precision, on NVIDIA GPUs from compute capability 7.0 on: %s", m->info.driver_reason);
    else if (!has)
        explain(out, "%.*s", (int)sizeof out->reason - 1, err.text);
    else if (m->info.dtype == dtype)
        explain(out, "%s on %s has it, and --dtype auto takes it", has->name, has->device);
    else
        explain(out, "%s on %s has it: --dtype %s asks for it; auto takes %s", has->name, has->device,
                tub_dtype_name(dtype), tub_dtype_name(m->info.dtype));
}

static int best_capability(const tub_machine *m)
{
    int best = 0;
    for (size_t i = 0; i < m->gpu_count; i++)
        if (10 * m->gpus[i].major + m->gpus[i].minor > best)
            best = 10 * m->gpus[i].major + m->gpus[i].minor;
    return best;
}

static void add_gpu_only(tub_machine *m, const char *name, int capability, const char *what)
{
    const tub_backend_info *cuda = tub_machine_backend(m, "cuda");
    int best = best_capability(m);
    tub_optimisation_info *out = add(m, name, cuda && cuda->found && best >= capability);
    if (out->on)
        explain(out, "%s; the GPU has compute capability %d.%d", what, best / 10, best % 10);
    else if (!best)
        explain(out, "%s, on NVIDIA GPUs: %s", what, m->info.driver_reason);
    else if (best < capability)
        explain(out, "%s, from compute capability %d.%d on; here: %d.%d", what, capability / 10, capability % 10,
                best / 10, best % 10);
    else
        explain(out, "%s, on NVIDIA GPUs: the cuda backend: %s", what, cuda ? cuda->reason : "not in this build");
}

static bool is_of_this_build(const char *folder, const char *name)
{
    char path[4096 + 256], build[TUB_PROFILE_BUILD];
    json_t *root = NULL;
    tub_profile_build(build);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    bool same = tub_json_load(path, TUB_ERROR_INPUT, &root, NULL) == TUB_OK;
    const char *told = json_string_value(json_object_get(root, "build"));
    same &= told && strcmp(told, build) == 0;
    json_decref(root);
    return same;
}

// Profiles of this machine: files whose names begin with its hash. Those of other builds aren't used.
static void add_autotune(tub_machine *m)
{
    char folder[4096] = "";
    int count = 0, others = 0;
    DIR *d = tub_profile_folder(folder, sizeof folder) ? opendir(folder) : NULL;
    for (struct dirent *entry; d && (entry = readdir(d));)
        if (!strncmp(entry->d_name, m->info.hash, TUB_PROFILE_PREFIX) && strstr(entry->d_name, ".json"))
            *(is_of_this_build(folder, entry->d_name) ? &count : &others) += 1;
    if (d)
        closedir(d);
    tub_optimisation_info *out = add(m, "autotune", count > 0);
    if (count > 0)
        explain(out, "%d profile%s of this machine in %.160s: extract takes the one of its model", count,
                count == 1 ? "" : "s", folder);
    else if (others > 0)
        explain(out, "%d profile%s of this machine, by another build: tubelet tune --model DIR measures anew", others,
                others == 1 ? "" : "s");
    else
        explain(out, "no profile of this machine yet: tubelet tune --model DIR makes one");
}

static void add_hardware_decoding(tub_machine *m)
{
    char codecs[160], why[160];
    tub_optimisation_info *out = add(m, "hardware decoding", tub_nvdec_list(0, codecs, sizeof codecs, why, sizeof why));
    if (out->on)
        explain(out, "--decoder nvdec: the first GPU takes %s of 4:2:0; auto takes the processor", codecs);
    else
        explain(out, "videos are decoded by libav's software decoders; for --decoder nvdec: %s", why);
}

void tub_find_optimisations(tub_machine *m)
{
    add_dtype(m, TUB_F16);
    add_dtype(m, TUB_BF16);
    add_dtype(m, TUB_INT8);
    add_dtype(m, TUB_FP8);
    add_gpu_only(m, "tf32", 80, "float32 products in 10-bit mantissas");
    add_gpu_only(m, "graphs", 70, "a forward pass as one CUDA graph");
    add_autotune(m);
    explain(add(m, "frame reuse", true), "a frame is decoded and converted once, however many windows hold it; "
                                         "frame models encode it once");
    explain(add(m, "overlap", true), "decoding, forward and writing run at the same time, and a batch holds clips of "
                                     "several videos");
    add_hardware_decoding(m);
}
