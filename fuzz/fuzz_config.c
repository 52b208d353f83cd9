// config.json and preprocessor_config.json: any JSON, given to every family.
#include "fuzz.h"
#include "json.h"
#include "model.h"
#include "preprocess.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json = NULL;
    if (tub_json_parse((const char *)data, size, "config.json", TUB_ERROR_MODEL, &json, NULL) != TUB_OK)
        return 0;
    for (size_t i = 0; tub_architecture_at(i); i++) {
        const tub_architecture *a = tub_architecture_at(i);
        tub_config config;
        tub_transform transform;
        (void)a->read_config(json, &config, NULL);
        (void)tub_preprocess_read(json, a->processor ? a->processor : "VideoMAEImageProcessor", &transform, NULL);
    }
    json_decref(json);
    return 0;
}
