// Decoding by NVDEC, the video decoders of NVIDIA's GPUs, through libav's own support of it.
//
// H.264, HEVC, VP8, VP9 and AV1 of 4:2:0 in 8, 10 or 12 bits: these standards say every bit of a frame, so a GPU gives
// what the software decoder gives. Frames are brought back and laid out as the software decoder's, so everything behind
// them is the same. What NVDEC doesn't tell is damage inside a frame's data, which it conceals in a way of its own.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_NVDEC_H
#define TUB_NVDEC_H

#include "video_file.h"

typedef struct tub_nvdec {
    AVBufferRef *device;       // NULL: nothing is decoded on a GPU
    enum AVPixelFormat format; // of frames, as the software decoder gives them
    AVFrame *fetched;          // in the GPU's layout
    char reason[160];          // why a GPU doesn't decode though one was asked for; ""
} tub_nvdec;

// A decoder of the file's video on a GPU (its number as CUDA counts). `n` must stay where it is while the decoder
// lives. TUB_END: this video can't be decoded there: n->reason. Errors: TUB_ERROR_MEMORY.
tub_status tub_nvdec_open(tub_nvdec *n, const tub_video_file *file, int gpu, AVCodecContext **out, tub_error *err);
// A frame that came out becomes one as the software decoder gives it. TUB_AGAIN: it can't be had from the GPU:
// n->reason. Errors: TUB_ERROR_MEMORY.
tub_status tub_nvdec_fetch(tub_nvdec *n, AVFrame *frame, tub_error *err);
// After the decoder was freed; `reason` stays. Also of an object that is all zero.
void tub_nvdec_close(tub_nvdec *n);

#endif
