// Decodes a video from its first frame to its last: the result, and a hash of every frame's pixels and times.
#ifndef WHOLE_VIDEO_H
#define WHOLE_VIDEO_H

#include <tubelet/video.h>

#include "hash.h"

typedef struct outcome {
    tub_status status;
    tub_video_info info;
    char hash[TUB_HASH_TEXT]; // of every frame's pixels and times
} outcome;

// Fails the test if memory is short. A video that can't be opened has only a status.
outcome whole_video(const char *path, const tub_video_params *params);
// Converts, and hashes the pixels of, only every `every`th frame, beginning with the first.
outcome whole_video_thinned(const char *path, const tub_video_params *params, int every);

#endif
