// NVDEC as the driver's own libraries know it: whether a GPU decodes a kind of video, and that GPU as a device of
// libav's.
//
// The libraries (libcuda.so.1, libnvcuvid.so.1) are opened when they are asked for, so nothing of CUDA is needed to
// build and nothing of NVIDIA's to run. The context is the GPU's primary one, which CUDA's runtime, that is, our own
// CUDA backend, uses too. Each device has a stream of its own there, which waits for no other: what libav queues is done
// for everyone only once the stream was waited for, as a copy does.
//
// Thread-safety: safe.
#ifndef TUB_NVDEC_DRIVER_H
#define TUB_NVDEC_DRIVER_H

#include <libavutil/frame.h>
#include <stdbool.h>
#include <stddef.h>

// Of cuviddec.h.
typedef enum tub_nvdec_codec {
    TUB_NVDEC_H264 = 4,
    TUB_NVDEC_HEVC = 8,
    TUB_NVDEC_VP8 = 9,
    TUB_NVDEC_VP9 = 10,
    TUB_NVDEC_AV1 = 11,
} tub_nvdec_codec;

// Of 4:2:0.
typedef struct tub_nvdec_need {
    tub_nvdec_codec codec;
    int bits, width, height;
} tub_nvdec_need;

// The GPU of number `gpu`, as CUDA counts, as a device for decoders. Ownership: the caller's reference.
// NULL: it doesn't decode such videos, or can't be had; `reason` says why.
AVBufferRef *tub_nvdec_device_open(int gpu, const tub_nvdec_need *need, char *reason, size_t bytes);
// All of the surface that `from`, a frame on such a device, lies in, to `to`: on that device, too, or on the host, of the same
// layout. Not by libav, which doesn't tell of copies that failed. False: this one did. It is done when this returns.
bool tub_nvdec_device_copy(const AVFrame *from, const AVFrame *to);

#endif
