// The rows of the table in families.c; each is defined in the file of its name.
#ifndef TUB_FAMILIES_H
#define TUB_FAMILIES_H

#include "model.h"

extern const tub_architecture tub_videomae;
extern const tub_architecture tub_videomaev2;
extern const tub_architecture tub_onevision;
extern const tub_architecture tub_llavavit;
extern const tub_architecture tub_dinov3;
extern const tub_architecture tub_dinov2;
extern const tub_architecture tub_dinov2_registers;
extern const tub_architecture tub_siglip;
extern const tub_architecture tub_clip;
extern const tub_architecture tub_metaclip2;
extern const tub_architecture tub_vit;
extern const tub_architecture tub_aimv2;
extern const tub_architecture tub_vjepa2;
extern const tub_architecture tub_timesformer;
extern const tub_architecture tub_vivit;
extern const tub_architecture tub_internvideo2;

#endif
