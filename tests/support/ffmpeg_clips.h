// Clips that a test makes with the ffmpeg command in its own folder, and what the reader decodes from them.
#ifndef FFMPEG_CLIPS_H
#define FFMPEG_CLIPS_H

#include <tubelet/video.h>

#include "temp_folder.h"

#define FFMPEG "ffmpeg -v error -nostdin -y "
#define PATTERN "-f lavfi -i testsrc2=size=%s:rate=25:duration=%s "
#define BFRAMES "-c:v libx264 -preset veryfast -bf 2 -g 12 -threads 1 "

extern char *clips_folder;      // from set-up to tear-down

// For cmocka_run_group_tests(); decoders are silent from then on.
int clips_set_up(void **state);
int clips_tear_down(void **state);

// Runs a command in the folder; must() fails the test if the command fails.
int clips_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define must(...) assert_int_equal(clips_shell(__VA_ARGS__), 0)

// Copies the first `part` of a file into another one.
void clips_keep(const char *from, const char *to, double part);

typedef struct clips_decoded {
    uint8_t *rgb;               // of all frames; free()
    size_t bytes;
    tub_video_info info;
    double worst_step;          // the smallest difference between two successive times
} clips_decoded;

// Decodes a clip from its first frame to its last. Fails the test if it can't be decoded.
clips_decoded clips_decode(const char *name, const tub_video_params *params);

// Compares all frames of a clip with the ffmpeg command's RGB; at most `levels` apart. `map`: options of the command.
tub_video_info clips_same_as_ffmpeg(const char *name, const tub_video_params *params, const char *map, int levels);

#endif
