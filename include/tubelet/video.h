// Videos: frames in display order, upright, counted by decoding.
//
//   tub_video *video = NULL;
//   tub_status s = tub_video_open(path, NULL, &video, &err);
//   while (s == TUB_OK) {
//       tub_frame frame;
//       s = tub_video_next(video, &frame, &err);       // decodes, converts nothing
//       if (s == TUB_OK && wanted(frame.index))
//           s = tub_video_convert(video, pixels, &err);    // writes this frame, transformed, into your memory
//   }
//   // s is TUB_END after the last frame; tub_video_get_info() now says how many there were and whether all is well
//   tub_video_close(&video);
//
// Frames are 8-bit RGB, converted with the matrix and range that the stream is flagged with (BT.601 limited without
// flags). They are bit-equal to the output of ffmpeg's `-pix_fmt rgb24` with the same libav. Display rotation is
// applied, edit lists are obeyed, sample aspect ratio is ignored. Frames whose size changes midway are scaled to the
// first frame's size. A damaged video yields the frames that can be decoded; `partial` and `reason` in the info then
// say so. A GPU's decoder gives the same frames of healthy videos, but doesn't report damage inside a frame's data.
#ifndef TUBELET_VIDEO_H
#define TUBELET_VIDEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/status.h>
#include <tubelet/transform.h>

#ifdef __cplusplus
extern "C" {
#endif

// Thread-safety: one thread at a time per object; different objects are independent.
typedef struct tub_video tub_video;

// A frame's place in the video, as far as it is known before decoding. Times are seconds and equal those of tub_frame.
typedef struct tub_frame_place {
    int64_t index;                      // in display order
    double first, pts;                  // pts of the video's first frame and of this one
    double next_most;                   // upper bound of the next frame's pts
} tub_frame_place;

// All zero = defaults.
typedef struct tub_video_params {
    size_t size;                        // sizeof(tub_video_params)
    int stream;                         // 1 + index of the video stream among the file's video streams (0 = libav's best)
    int threads;                        // decoding threads, at most 1024 (0 = 1); frames don't depend on it
    int gpu;                            // 1 + CUDA's number of the NVIDIA GPU whose decoder (NVDEC) to use; what that
                                        // can't decode is decoded on the processor (0 = the processor decodes all)
    const tub_transform *transform;     // what convert() does (NULL = uint8 RGB, untransformed); copied
    // Whether the frame at this place will be converted (NULL = any frame may be). A frame that won't be is left out
    // (not decoded) if it is H.264 or HEVC and no other frame refers to it. next() still gives its index and times, but
    // convert() fails. The first and the last frame are never left out. wants() is called from any thread, for some of
    // the frames, in any order. Damage in a frame that was left out isn't noticed. Where there is damage anywhere else,
    // all frames are decoded.
    bool (*wants)(const void *user, const tub_frame_place *place);
    const void *user;                   // passed to wants(); borrowed until the video is closed
} tub_video_params;

typedef struct tub_video_info {
    char format[32], codec[32], profile[32], pixel_format[32];
    int width, height;                  // upright, pixels
    int rotation;                       // applied rotation, degrees clockwise: 0, 90, 180, 270
    int stream, video_streams;          // index of the stream among the video streams, and how many there are
    double fps;                         // average frame rate according to the container, 0 = unknown
    double duration;                    // seconds according to the container, 0 = unknown
    int64_t container_frames;           // frames according to the container, 0 = unknown; often wrong
    char matrix[24], range[24];         // color matrix and range, as flagged
    int64_t frames;                     // seen so far; after TUB_END the number of frames of the video
    int64_t frames_left_out;            // those of `frames` that weren't decoded, because they weren't wanted
    double first_pts, last_pts;         // seconds
    bool complete;                      // TUB_END was reached
    bool partial;                       // decoding met damage, or the file lacks something
    char reason[160];                   // why it is partial
    char decoder[32];                   // the decoder in use: libav's name, or "nvdec"
    char why_not_gpu[160];              // why the GPU that was asked for doesn't decode; else ""
} tub_video_info;

typedef struct tub_frame {
    int64_t index;                      // 0, 1, 2, ... in display order
    double pts;                         // seconds; computed from the frame rate if the file has no timestamps
    double duration;                    // seconds, 0 = unknown
    bool left_out;                      // not decoded, because it wasn't wanted: it can't be converted
} tub_frame;

// Opens `path` and decodes up to the first frame, so that the reported size is a frame's and not a header's.
// Ownership: the caller closes *out. Errors: TUB_ERROR_INPUT (no such file, not readable),
// TUB_ERROR_VIDEO (no video stream, no decoder, nothing decodable), TUB_ERROR_ARGUMENT (no such stream).
TUB_API tub_status tub_video_open(const char *path, const tub_video_params *params, tub_video **out, tub_error *err);

// The next frame; TUB_END after the last. Damage inside the stream is not an error: it is skipped and recorded.
TUB_API tub_status tub_video_next(tub_video *video, tub_frame *out, tub_error *err);

// Size and type of what convert() writes: uint8 [height, width, 3], or float32 planar [3, height, width] (already
// normalized) if the transform resizes in float. No output may be NULL.
TUB_API void tub_video_pixels(const tub_video *video, int *height, int *width, bool *is_float, size_t *bytes);

// Converts the frame of the last next() into `out`; after TUB_END, the last frame of the video.
TUB_API tub_status tub_video_convert(tub_video *video, void *out, tub_error *err);

// What is known so far: see the members of tub_video_info.
TUB_API void tub_video_get_info(const tub_video *video, tub_video_info *out);

// Seconds spent so far in opening, decoding, and converting with resizing. No output may be NULL.
TUB_API void tub_video_seconds(const tub_video *video, double *open, double *decode, double *convert);

// Accepts NULL and a pointer to NULL.
TUB_API void tub_video_close(tub_video **video);

// Opens a video, decodes all of it and fills in `out`. `count` false: only from the headers and the first frame.
// Errors: as tub_video_open().
TUB_API tub_status tub_video_probe(const char *path, const tub_video_params *params, bool count, tub_video_info *out,
                                   tub_error *err);

// Keeps the decoders' own messages off stderr. For programs, not for libraries: it changes libav's process-wide log
// level, which this library never does by itself. Damage is reported through `partial` and `reason` in any case.
TUB_API void tub_video_silence_decoders(void);

// Whether a file name looks like a video (known extension, any case).
TUB_API bool tub_video_name_is_known(const char *name);

#ifdef __cplusplus
}
#endif
#endif
