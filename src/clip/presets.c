// Settings for data sets. Bare names have the original script's settings. `data-set/feature-set` has those of published
// features, as their consumers' configurations state them. Sets that aren't windows of frames, or leave the window's
// length open, aren't here: docs/features.md names them.
#include <string.h>
#include <tubelet/sampling.h>

#define SAMPLING(rate, length, step, gap, mode)                                                                        \
    {                                                                                                                  \
        .size = sizeof(tub_sampling), .clip_length = (length), .stride = (step), .interval = (gap), .align = (mode),   \
        .fps = (rate)                                                                                                  \
    }
#define SQUASH                                                                                                         \
    {                                                                                                                  \
        .base = TUB_TRANSFORM_OPENTAD, .has_size = true, .height = 224, .width = 224                                   \
    }
#define OWN                                                                                                            \
    {                                                                                                                  \
        .base = TUB_TRANSFORM_MODEL                                                                                    \
    }
#define ANY                                                                                                            \
    {                                                                                                                  \
        .name = NULL                                                                                                   \
    }
#define NPY(template)                                                                                                  \
    {                                                                                                                  \
        .name = (template), .container = TUB_CONTAINER_NPY                                                             \
    }
#define NPZ(template, array)                                                                                           \
    {                                                                                                                  \
        .name = (template), .container = TUB_CONTAINER_NPZ, .key = (array)                                             \
    }
#define VALID TUB_ALIGN_VALID
#define CENTER TUB_ALIGN_CENTER
#define BACKPAD TUB_ALIGN_BACKPAD

// Name and summary; rate, clip length, stride, interval, alignment; transform; layout; C, most rows; reference.
// clang-format off
static const tub_preset presets[] = {
    {"thumos", "THUMOS14 as the original script does: 16 frames, stride 4",
     SAMPLING(0, 16, 4, 1, VALID), SQUASH, ANY, 0, 2304,
     "the original extraction script"},
    {"fineaction", "FineAction as the original script does: 16 frames, stride 16",
     SAMPLING(0, 16, 16, 1, VALID), SQUASH, ANY, 0, 0,
     "the original extraction script"},
    {"hacs", "HACS as the original script does: 16 frames, stride 16",
     SAMPLING(0, 16, 16, 1, VALID), SQUASH, ANY, 0, 0,
     "the original extraction script"},
    {"charades", "Charades as the original script does: 16 frames, stride 4",
     SAMPLING(0, 16, 4, 1, VALID), SQUASH, ANY, 0, 0,
     "the original extraction script"},

    {"thumos/i3d", "THUMOS14, I3D: 16 frames, stride 4",
     SAMPLING(0, 16, 4, 1, VALID), OWN, NPY("{stem}"), 2048, 2304,
     "ActionFormer thumos_i3d; OpenTAD thumos-14/features_i3d_sw, _pad"},
    {"thumos/videomaev2-g", "THUMOS14, VideoMAE v2 giant, official: 16 frames, stride 4",
     SAMPLING(0, 16, 4, 1, VALID), SQUASH, NPY("{stem}"), 1408, 2304,
     "VideoMAEv2 extract_tad_feature.py; tridetplus thumos_videomae2"},
    {"thumos/videomaev2-g-opentad", "THUMOS14, VideoMAE v2 giant by OpenTAD: stride 4, centered",
     SAMPLING(0, 16, 4, 1, CENTER), OWN, NPY("{stem}"), 1408, 2304,
     "OpenTAD dyfadet/thumos_videomaev2_g, its issue 22"},
    {"thumos/internvideo2-6b", "THUMOS14, InternVideo2 6B: 16 frames, stride 4",
     SAMPLING(0, 16, 4, 1, VALID), OWN, NPY("{stem}_spatial_feature"), 3200, 2304,
     "video-mamba-suite mamba_thumos_new; OpenTAD causaltad/thumos_internvideo2"},
    {"thumos/internvideo1-h", "THUMOS14, InternVideo1 VideoMAE-H: 16 frames, stride 4",
     SAMPLING(0, 16, 4, 1, VALID), OWN, NPY("{stem}"), 1280, 2304,
     "InternVideo1 thumos.yaml and README (the yaml's 1408 is of two sets joined)"},
    {"multithumos/i3d", "MultiTHUMOS, THUMOS14's I3D files: 16 frames, stride 4",
     SAMPLING(0, 16, 4, 1, VALID), OWN, NPY("{stem}"), 2048, 2304,
     "OpenTAD multithumos; tridetplus multithumos (1024: RGB alone)"},
    {"activitynet/tsp", "ActivityNet-1.3, TSP: 15 fps, 16 frames, stride 16",
     SAMPLING(15, 16, 16, 1, VALID), OWN, NPY("v_{bare}"), 512, 192,
     "ActionFormer anet_tsp (192, resized); TriDet anet_tsp (768)"},
    {"activitynet/i3d", "ActivityNet-1.3, I3D: 25 fps, 16 frames, stride 16",
     SAMPLING(25, 16, 16, 1, VALID), OWN, NPY("v_{bare}"), 2048, 192,
     "ActionFormer anet_i3d"},
    {"activitynet/internvideo2-6b", "ActivityNet-1.3, InternVideo2 6B: 30 fps, stride 8",
     SAMPLING(30, 16, 8, 1, VALID), OWN, NPY("v_{bare}_spatial_pool_feature_6"), 3200, 192,
     "video-mamba-suite mamba_anet_new (its README says stride 16)"},
    {"activitynet/internvideo1-h", "ActivityNet-1.3, InternVideo1 VideoMAE-H: 16 frames, stride 16",
     SAMPLING(0, 16, 16, 1, VALID), OWN, NPY("v_{bare}"), 1280, 768,
     "InternVideo1 README (native rate); its anet.yaml says default_fps 15"},
    {"activitynet/videomae-b", "ActivityNet-1.3, VideoMAE-B by OpenTAD: interval 4, stride 8, centered",
     SAMPLING(0, 16, 8, 4, CENTER), OWN, NPY("v_{bare}"), 768, 192,
     "OpenTAD tools/prepare_data/activitynet (rate and alignment not said; resized)"},
    {"activitynet/videomae-l", "ActivityNet-1.3, VideoMAE-L by OpenTAD: interval 4, stride 8, centered",
     SAMPLING(0, 16, 8, 4, CENTER), OWN, NPY("v_{bare}"), 1024, 192,
     "OpenTAD tools/prepare_data/activitynet (rate and alignment not said; resized)"},
    {"hacs/slowfast", "HACS, SlowFast-R101: 15 fps, 32 frames, stride 8",
     SAMPLING(15, 32, 8, 1, VALID), OWN, NPY("{stem}"), 2304, 960,
     "OpenTAD hacs/features_slowfast_pad; TriDet hacs_slowfast ({split}/{stem}.pkl)"},
    {"hacs/videomaev2-g", "HACS, VideoMAE v2 giant: 16 frames, stride 8",
     SAMPLING(0, 16, 8, 1, VALID), OWN, NPY("v_{bare}"), 1408, 1216,
     "tridetplus hacs_videomae2 and README"},
    {"hacs/internvideo2-6b", "HACS, InternVideo2 6B: 30 fps, 16 frames, stride 8",
     SAMPLING(30, 16, 8, 1, VALID), OWN, NPY("v_{bare}_spatial_pool_feature_6"), 3200, 2304,
     "video-mamba-suite mamba_hacs_new; OpenTAD causaltad/hacs_internvideo2"},
    {"fineaction/internvideo1-h", "FineAction, InternVideo1 VideoMAE-H: 30 fps, stride 16",
     SAMPLING(30, 16, 16, 1, VALID), OWN, NPY("{stem}"), 1280, 2304,
     "OpenTAD fineaction/features_internvideo_.. (192 resized, 2304 padded)"},
    {"fineaction/videomaev2-g", "FineAction, VideoMAE v2 giant, official: stride 16",
     SAMPLING(0, 16, 16, 1, VALID), SQUASH, NPY("{stem}"), 1408, 192,
     "VideoMAEv2 extract_tad_feature.py; OpenTAD fineaction_videomaev2_g"},
    {"fineaction/internvideo2-1b", "FineAction, InternVideo2 1B: 30 fps, 16 frames, stride 4",
     SAMPLING(30, 16, 4, 1, VALID), OWN, NPY("{stem}_spatial_pool_feature_5"), 1408, 2304,
     "video-mamba-suite mamba_fineaction_new (takes every 2nd row); OpenTAD fineaction_internvideo1b"},
    {"charades/videomae-l", "Charades, VideoMAE-L by OpenTAD: 30 fps, stride 4, centered",
     SAMPLING(30, 16, 4, 1, CENTER), OWN, NPY("{stem}"), 1024, 512,
     "OpenTAD charades/features_videomae_.."},
    {"charades/i3d-tridetplus", "Charades, I3D of tridetplus: 16 frames, stride 4, .npz",
     SAMPLING(0, 16, 4, 1, VALID), OWN, NPZ("{stem}-rgb", "feature"), 1024, 2304,
     "tridetplus charades_i3d (rate from the annotations)"},
    {"epic/slowfast", "EPIC-Kitchens-100, SlowFast: 30 fps, 32 frames, stride 16, .npz",
     SAMPLING(30, 32, 16, 1, VALID), OWN, NPZ("{stem}", "feats"), 2304, 2304,
     "ActionFormer epic_slowfast_.. (.npz, feats); OpenTAD the same as .npy"},
    {"epic/internvideo2-1b", "EPIC-Kitchens-100, InternVideo2 1B: 30 fps, stride 8, centered",
     SAMPLING(30, 16, 8, 1, CENTER), OWN, NPY("{stem}"), 1408, 4608,
     "OpenTAD epic_kitchens-100/features_internvideo2_.."},
    {"ego4d/slowfast", "Ego4D-MQ, SlowFast, official: 30 fps, 32 frames, stride 16",
     SAMPLING(30, 32, 16, 1, BACKPAD), OWN, NPY("{stem}"), 2304, 1024,
     "ActionFormer ego4d_..; OpenTAD ego4d_mq; Ego4D docs/features (files by clip_uid)"},
    {"ego4d/omnivore-l", "Ego4D-MQ, Omnivore-L, official: 30 fps, 32 frames, stride 16",
     SAMPLING(30, 32, 16, 1, BACKPAD), OWN, NPY("{stem}"), 1536, 1024,
     "ActionFormer ego4d_..; OpenTAD ego4d_mq; Ego4D docs/features (files by clip_uid)"},
    {"ego4d/egovlp", "Ego4D-MQ, EgoVLP: 30 fps, 16 frames, stride 16",
     SAMPLING(30, 16, 16, 1, VALID), OWN, NPY("{stem}"), 256, 1024,
     "ActionFormer ego4d_egovlp; OpenTAD ego4d_mq"},
    {"ego4d/internvideo1-l", "Ego4D-MQ, InternVideo1 VideoMAE-L: 30 fps, stride 8, centered",
     SAMPLING(30, 16, 8, 1, CENTER), OWN, NPY("{stem}"), 1024, 2048,
     "OpenTAD ego4d_mq/features_internvideo_.."},
    {"ego4d/internvideo2-1b", "Ego4D-MQ, InternVideo2 1B: 30 fps, stride 8, centered",
     SAMPLING(30, 16, 8, 1, CENTER), OWN, NPY("{stem}"), 1408, 2506,
     "OpenTAD causaltad/ego4d_internvideo2"},
};
// clang-format on

const tub_preset *tub_preset_at(size_t i)
{
    return i < sizeof presets / sizeof *presets ? &presets[i] : NULL;
}

const tub_preset *tub_preset_find(const char *name)
{
    for (size_t i = 0; name && i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}
