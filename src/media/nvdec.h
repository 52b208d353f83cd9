// Decoding by NVDEC, the video decoders of NVIDIA's GPUs, through libav's own support of it.
//
// H.264, HEVC, VP8, VP9 and AV1 of 4:2:0 in 8, 10 or 12 bits and of even sizes: these standards say every bit of a
// frame, so a GPU gives what the software decoder gives. What NVDEC doesn't tell is damage inside a frame's data, which
// it conceals in a way of its own.
//
// Frames stay on the GPU, in memory of their own: the decoder has few surfaces, and a frame may be held for long. Who
// wants one on the host fetches it, laid out as the software decoder's.
//
// Thread-safety: one thread at a time per object; frames are independent of it.
#ifndef TUB_NVDEC_H
#define TUB_NVDEC_H

#include "video_file.h"

typedef struct tub_nvdec {
    AVBufferRef *device;       // NULL: nothing is decoded on a GPU
    AVBufferRef *pool;         // of the memory that frames are kept in
    enum AVPixelFormat format; // of frames, as the software decoder gives them
    char reason[160];          // why a GPU doesn't decode though one was asked for; ""
} tub_nvdec;

// A decoder of the file's video on a GPU (its number as CUDA counts). `n` must stay where it is while the decoder
// lives. TUB_END: this video can't be decoded there: n->reason. Errors: TUB_ERROR_MEMORY.
tub_status tub_nvdec_open(tub_nvdec *n, const tub_video_file *file, int gpu, AVCodecContext **out, tub_error *err);
// A frame that came out becomes one in memory of its own, which nothing is written to any more. TUB_AGAIN: that can't
// be done: n->reason. Errors: TUB_ERROR_MEMORY.
tub_status tub_nvdec_keep(tub_nvdec *n, const AVCodecContext *decoder, AVFrame *frame, tub_error *err);
// After the decoder was freed; `reason` stays. Also of an object that is all zero.
void tub_nvdec_close(tub_nvdec *n);

// ---- frames that were kept ----

bool tub_nvdec_is_kept(const AVFrame *frame);
int tub_nvdec_format(const AVFrame *frame); // the pixel format that the software decoder gives; of any frame
// Whether it lies on the GPU as luma and pairs of chroma, of bytes (NV12) or at the upper end of words (P010, P016).
bool tub_nvdec_has_pairs(const AVFrame *frame, int bits);
// *out, an allocated frame, becomes the frame on the host as the software decoder gives it. TUB_AGAIN: the GPU doesn't
// give it. Errors: TUB_ERROR_MEMORY.
tub_status tub_nvdec_fetch(const AVFrame *frame, AVFrame *out, tub_error *err);

#endif
