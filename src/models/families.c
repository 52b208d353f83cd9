#include "families.h"

#include <string.h>

static const tub_architecture *const families[] = {
    &tub_videomae,     &tub_onevision, &tub_dinov3, &tub_dinov2,      &tub_dinov2_registers,
    &tub_videomaev2,   &tub_llavavit,  &tub_siglip, &tub_clip,        &tub_metaclip2,
    &tub_vit,          &tub_aimv2,     &tub_vjepa2, &tub_timesformer, &tub_vivit,
    &tub_internvideo2,
};

const tub_architecture *tub_architecture_at(size_t i)
{
    return i < sizeof families / sizeof *families ? families[i] : NULL;
}

// Whether `name` is in the comma-separated `list`, where "Name*" stands for all names that begin with "Name".
static bool is_listed(const char *list, const char *name)
{
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        size_t length = strcspn(at, ",");
        bool any = at[length - 1] == '*';
        if (strncmp(at, name, length - any) == 0 && (any || strlen(name) == length))
            return true;
    }
    return false;
}

const tub_architecture *tub_architecture_find(const char *model_type)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strchr(model_type, ',') && is_listed(families[i]->model_types, model_type))
            return families[i];
    return NULL;
}
