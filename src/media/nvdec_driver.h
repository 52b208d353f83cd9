// NVDEC through the driver's own libraries: whether a GPU decodes a kind of video, and that GPU as a device for libav.
//
// The libraries (libcuda.so.1, libnvcuvid.so.1) are opened when they are needed. So nothing from CUDA is needed to
// build, and nothing from NVIDIA to run. The context is the GPU's primary one, which CUDA's runtime, that is, our own
// CUDA backend, uses too. Each device has its own stream in it, which waits for no other: what libav queues is done for
// others only after someone has waited for the stream, as a copy does.
//
// Thread-safety: safe.
#ifndef TUB_NVDEC_DRIVER_H
#define TUB_NVDEC_DRIVER_H

#include <libavutil/frame.h>
#include <stdbool.h>
#include <stddef.h>

// Values as in cuviddec.h.
typedef enum tub_nvdec_codec {
    TUB_NVDEC_H264 = 4,
    TUB_NVDEC_HEVC = 8,
    TUB_NVDEC_VP8 = 9,
    TUB_NVDEC_VP9 = 10,
    TUB_NVDEC_AV1 = 11,
} tub_nvdec_codec;

// A kind of 4:2:0 video.
typedef struct tub_nvdec_need {
    tub_nvdec_codec codec;
    int bits, width, height;
} tub_nvdec_need;

// GPU `gpu` (CUDA's number) as a device for decoders. Ownership: the caller gets a reference. NULL: the GPU doesn't
// decode such videos, or isn't available; `reason` says why.
AVBufferRef *tub_nvdec_device_open(int gpu, const tub_nvdec_need *need, char *reason, size_t bytes);
// Copies the whole surface of `from`, a frame on such a device, to `to`, which has the same layout and is on that
// device or on the host. libav isn't used, since it doesn't report copies that failed. False: the copy failed. The copy
// is done when this returns.
bool tub_nvdec_device_copy(const AVFrame *from, const AVFrame *to);

#endif
