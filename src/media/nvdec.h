// Decoding by NVDEC, the video decoders of NVIDIA's GPUs, through libav's own support for it.
//
// It decodes H.264, HEVC, VP8, VP9 and AV1 with 4:2:0 chroma, 8, 10 or 12 bits, and even sizes. These standards define
// every bit of a frame, so a GPU gives the same frames as the software decoder. But NVDEC doesn't report damage inside
// a frame's data, and conceals it in its own way.
//
// Frames stay on the GPU, in their own memory: the decoder has few surfaces, and a frame may be held for long. A caller
// who needs one on the host fetches it, with the layout of the software decoder.
//
// Thread-safety: one thread at a time per object; frames are independent of it.
#ifndef TUB_NVDEC_H
#define TUB_NVDEC_H

#include "video_file.h"

typedef struct tub_nvdec {
    AVBufferRef *device;       // NULL: nothing is decoded on a GPU
    AVBufferRef *pool;         // memory that frames are kept in
    enum AVPixelFormat format; // the software decoder's pixel format of frames
    char reason[160];          // why no GPU decodes though one was asked for; or ""
} tub_nvdec;

// Opens a decoder for the file's video on a GPU (its number as CUDA counts). `n` must stay where it is while the
// decoder lives. TUB_END: this video can't be decoded there; n->reason says why. Errors: TUB_ERROR_MEMORY.
tub_status tub_nvdec_open(tub_nvdec *n, const tub_video_file *file, int gpu, AVCodecContext **out, tub_error *err);
// Replaces a frame that came out of the decoder by a copy in its own memory, which nothing writes to any more.
// TUB_AGAIN: that isn't possible; n->reason says why. Errors: TUB_ERROR_MEMORY.
tub_status tub_nvdec_keep(tub_nvdec *n, const AVCodecContext *decoder, AVFrame *frame, tub_error *err);
// Called after the decoder was freed; `reason` stays. Also for an object that is all zero.
void tub_nvdec_close(tub_nvdec *n);

// ---- frames that were kept ----

bool tub_nvdec_is_kept(const AVFrame *frame);
int tub_nvdec_format(const AVFrame *frame); // the software decoder's pixel format; for any frame
// Whether it is on the GPU as luma and pairs of chroma, in bytes (NV12) or in the upper bits of words (P010, P016).
bool tub_nvdec_has_pairs(const AVFrame *frame, int bits);
// *out, an allocated frame, becomes the frame on the host as the software decoder gives it. TUB_AGAIN: the GPU can't
// give it. Errors: TUB_ERROR_MEMORY.
tub_status tub_nvdec_fetch(const AVFrame *frame, AVFrame *out, tub_error *err);

#endif
