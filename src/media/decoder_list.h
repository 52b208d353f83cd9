// What libav this is, and which of its decoders may be used.
#ifndef TUB_DECODER_LIST_H
#define TUB_DECODER_LIST_H

#include <stdbool.h>
#include <stddef.h>

enum { TUB_DECODER_NAMES = 64, TUB_DECODER_DEVICES = 128 };

typedef struct tub_codec_decoders {
    const char *codec;                 // "h264", libav's
    char software[TUB_DECODER_NAMES];  // "libdav1d, av1", in the order in which they are tried
    char devices[TUB_DECODER_DEVICES]; // "cuda, vaapi": what they could run on
} tub_codec_decoders;

// The i-th codec that has a decoder among those that files may use; false past the last.
bool tub_codec_decoders_at(size_t i, tub_codec_decoders *out);

// What NVDEC of GPU number `gpu`, as CUDA counts, decodes with the software decoder's frames: "h264, hevc, hevc 10
// bit". False: nothing, or it can't be had; `reason` says why.
bool tub_nvdec_list(int gpu, char *out, size_t out_bytes, char *reason, size_t bytes);

const char *tub_libav_version(void); // static, as the licence
const char *tub_libav_licence(void);

#endif
