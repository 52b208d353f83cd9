#include "openvino_table.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "openvino_find.h"

enum { TYPES_MOST = 8, REASON_MOST = 300 };

typedef struct search {
    void *library;
    char reason[REASON_MOST]; // why an existing candidate doesn't load
} search;

// NODELETE: OpenVINO starts threads, and unloading would remove their code.
static bool attempt(void *user, const char *path)
{
    search *s = user;
    s->library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!s->library && strchr(path, '/'))
        snprintf(s->reason, sizeof s->reason, "%s", dlerror());
    return s->library;
}

static tub_status open_library(search *s, tub_error *err)
{
    static const char hint[] = "`make deps-openvino` fetches it, or `pip install openvino` in the active Python "
                               "environment (its wheels have what is needed from 2024.3 on); TUBELET_OPENVINO tells "
                               "where it is";
    const char *place = getenv("TUBELET_OPENVINO");
    bool told = place && place[0];
    if (told ? tub_openvino_try_place(place, attempt, s) : tub_openvino_try_usual(attempt, s))
        return TUB_OK;
    if (s->reason[0])
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "OpenVINO is needed for .onnx and .xml models, but can't be loaded: %s (%s)", s->reason, hint);
    if (told)
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "OpenVINO is needed for .onnx and .xml models, but TUBELET_OPENVINO=%.200s has no "
                        "libopenvino_c.so (%s)",
                        place, hint);
    return tub_fail(err, TUB_ERROR_DEVICE, "OpenVINO is needed for .onnx and .xml models, but isn't there: %s", hint);
}

// The types have the same order in every version: ..., bf16, f16, f32, f64, ... of 2, 2, 4 and 8 bytes. The number of
// types before them varies.
static tub_status find_types(tub_openvino *ov, tub_error *err)
{
    size_t bytes[TYPES_MOST] = {0};
    int64_t one = 1;
    for (int type = 1; type < TYPES_MOST; type++) {
        tub_ov_tensor *tensor = NULL;
        if (ov->tensor_create(type, (tub_ov_shape){1, &one}, &tensor) == 0 && tensor) {
            if (ov->tensor_get_byte_size(tensor, &bytes[type]) != 0)
                bytes[type] = 0;
            ov->tensor_free(tensor);
        }
        if (type < 4 || bytes[type - 3] != 2 || bytes[type - 2] != 2 || bytes[type - 1] != 4 || bytes[type] != 8)
            continue;
        ov->bf16 = type - 3;
        ov->f16 = type - 2;
        ov->f32 = type - 1;
        return TUB_OK;
    }
    return tub_fail(err, TUB_ERROR_DEVICE,
                    "this OpenVINO numbers its types in an unknown way: use one of 2023 to 2026");
}

static void read_version(tub_openvino *ov)
{
    tub_ov_version version = {0};
    if (ov->get_openvino_version(&version) != 0)
        return;
    size_t length = version.build ? strcspn(version.build, "-") : 0;
    snprintf(ov->version, sizeof ov->version, "%.*s", (int)(length < 20 ? length : 20),
             version.build ? version.build : "");
    ov->version_free(&version);
}

static tub_status find_functions(tub_openvino *ov, tub_error *err)
{
    const char *missing = NULL;
#define FIND(result, name, parameters)                                                                                 \
    if (!(*(void **)&ov->name = dlsym(ov->library, "ov_" #name)))                                                      \
        missing = "ov_" #name;
    TUB_OV_FUNCTIONS(FIND)
#undef FIND
    if (!missing)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_DEVICE, "this OpenVINO has no function %s: use one of 2023 to 2026", missing);
}

tub_status tub_openvino_load(tub_openvino *out, tub_error *err)
{
    *out = (tub_openvino){0};
    search s = {0};
    TUB_TRY(open_library(&s, err));
    out->library = s.library;
    TUB_TRY(find_functions(out, err));
    read_version(out);
    return find_types(out, err);
}

void tub_openvino_unload(tub_openvino *ov)
{
    if (ov->library)
        dlclose(ov->library);
    *ov = (tub_openvino){0};
}

tub_dtype tub_openvino_dtype(const tub_openvino *ov, int type)
{
    return type == ov->f32 ? TUB_F32 : type == ov->bf16 ? TUB_BF16 : type == ov->f16 ? TUB_F16 : TUB_DTYPE_AUTO;
}

int tub_openvino_type(const tub_openvino *ov, tub_dtype dtype)
{
    return dtype == TUB_BF16 ? ov->bf16 : dtype == TUB_F16 ? ov->f16 : ov->f32;
}

// OpenVINO's texts are "Exception from FILE:LINE:\nCheck '...' failed at FILE:LINE:\nWHAT\n". The first line of neither
// of these two kinds is the message.
static const char *skip_places(const char *text)
{
    const char *line = text;
    while (line && (strncmp(line, "Exception from", 14) == 0 || strncmp(line, "Check '", 7) == 0 || *line == '\n')) {
        line = strchr(line, '\n');
        line += line ? 1 : 0;
    }
    return line && *line ? line : text;
}

tub_status tub_openvino_fail(const tub_openvino *ov, tub_error *err, tub_status status, const char *what)
{
    const char *text = ov->get_last_err_msg();
    tub_fail(err, status, "%s: OpenVINO %s: %.400s", what, ov->version, text ? skip_places(text) : "no reason given");
    if (text)
        ov->free(text);
    return status;
}
