// Data sets' settings. The bare names are the original script's; `data-set/feature-set` are those of published
// features, as their consumers' configurations state them. Sets that leave frame rate, window, stride or alignment
// open aren't here.
#include <string.h>
#include <tubelet/sampling.h>

#define SAMPLING(rate, length, step, mode)                                                                             \
    {                                                                                                                  \
        .size = sizeof(tub_sampling), .clip_length = (length), .stride = (step), .interval = 1, .align = (mode),       \
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
#define VALID TUB_ALIGN_VALID
#define CENTER TUB_ALIGN_CENTER
#define BACKPAD TUB_ALIGN_BACKPAD

// clang-format off
static const tub_preset presets[] = {
    {"thumos", "THUMOS14 as the original script does: 16 frames, stride 4", SAMPLING(0, 16, 4, VALID), SQUASH},
    {"fineaction", "FineAction as the original script does: 16 frames, stride 16", SAMPLING(0, 16, 16, VALID), SQUASH},
    {"hacs", "HACS as the original script does: 16 frames, stride 16", SAMPLING(0, 16, 16, VALID), SQUASH},
    {"charades", "Charades as the original script does: 16 frames, stride 4", SAMPLING(0, 16, 4, VALID), SQUASH},

    {"thumos/i3d", "THUMOS14, I3D: 16 frames, stride 4", SAMPLING(0, 16, 4, VALID), OWN},
    {"thumos/videomaev2-g", "THUMOS14, VideoMAE v2 giant, official: 16 frames, stride 4", SAMPLING(0, 16, 4, VALID), SQUASH},
    {"thumos/videomaev2-g-opentad", "THUMOS14, VideoMAE v2 giant by OpenTAD: stride 4, centred", SAMPLING(0, 16, 4, CENTER), OWN},
    {"thumos/internvideo2-6b", "THUMOS14, InternVideo2 6B: 16 frames, stride 4", SAMPLING(0, 16, 4, VALID), OWN},
    {"thumos/internvideo1-h", "THUMOS14, InternVideo1 VideoMAE-H: 16 frames, stride 4", SAMPLING(0, 16, 4, VALID), OWN},
    {"activitynet/tsp", "ActivityNet-1.3, TSP: 15 fps, 16 frames, stride 16", SAMPLING(15, 16, 16, VALID), OWN},
    {"activitynet/i3d", "ActivityNet-1.3, I3D: 25 fps, 16 frames, stride 16", SAMPLING(25, 16, 16, VALID), OWN},
    {"activitynet/internvideo2-6b", "ActivityNet-1.3, InternVideo2 6B: 30 fps, stride 8", SAMPLING(30, 16, 8, VALID), OWN},
    {"hacs/slowfast", "HACS, SlowFast-R101: 15 fps, 32 frames, stride 8", SAMPLING(15, 32, 8, VALID), OWN},
    {"hacs/videomaev2-g", "HACS, VideoMAE v2 giant: 16 frames, stride 8", SAMPLING(0, 16, 8, VALID), OWN},
    {"hacs/internvideo2-6b", "HACS, InternVideo2 6B: 30 fps, 16 frames, stride 8", SAMPLING(30, 16, 8, VALID), OWN},
    {"fineaction/internvideo1-h", "FineAction, InternVideo1 VideoMAE-H: 30 fps, stride 16", SAMPLING(30, 16, 16, VALID), OWN},
    {"fineaction/videomaev2-g", "FineAction, VideoMAE v2 giant, official: stride 16", SAMPLING(0, 16, 16, VALID), SQUASH},
    {"fineaction/internvideo2-1b", "FineAction, InternVideo2 1B: 30 fps, 16 frames, stride 4", SAMPLING(30, 16, 4, VALID), OWN},
    {"charades/videomae-l", "Charades, VideoMAE-L by OpenTAD: 30 fps, stride 4, centred", SAMPLING(30, 16, 4, CENTER), OWN},
    {"epic/slowfast", "EPIC-Kitchens-100, SlowFast: 30 fps, 32 frames, stride 16", SAMPLING(30, 32, 16, VALID), OWN},
    {"epic/internvideo2-1b", "EPIC-Kitchens-100, InternVideo2 1B: 30 fps, stride 8, centred", SAMPLING(30, 16, 8, CENTER), OWN},
    {"ego4d/slowfast", "Ego4D-MQ, SlowFast, official: 30 fps, 32 frames, stride 16", SAMPLING(30, 32, 16, BACKPAD), OWN},
    {"ego4d/omnivore-l", "Ego4D-MQ, Omnivore-L, official: 30 fps, 32 frames, stride 16", SAMPLING(30, 32, 16, BACKPAD), OWN},
    {"ego4d/egovlp", "Ego4D-MQ, EgoVLP: 30 fps, 16 frames, stride 16", SAMPLING(30, 16, 16, VALID), OWN},
    {"ego4d/internvideo1-l", "Ego4D-MQ, InternVideo1 VideoMAE-L: 30 fps, stride 8, centred", SAMPLING(30, 16, 8, CENTER), OWN},
    {"ego4d/internvideo2-1b", "Ego4D-MQ, InternVideo2 1B: 30 fps, stride 8, centred", SAMPLING(30, 16, 8, CENTER), OWN},
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
