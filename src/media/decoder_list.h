// libav's version, and which of its decoders may be used.
#ifndef TUB_DECODER_LIST_H
#define TUB_DECODER_LIST_H

#include <stdbool.h>
#include <stddef.h>

enum { TUB_DECODER_NAMES = 64, TUB_DECODER_DEVICES = 128 };

typedef struct tub_codec_decoders {
    const char *codec;                 // "h264", libav's
    char software[TUB_DECODER_NAMES];  // "libdav1d, av1", in the order in which they are tried
    char devices[TUB_DECODER_DEVICES]; // "cuda, vaapi": devices that they could use
} tub_codec_decoders;

// The i-th codec with a decoder that may be used; false past the last.
bool tub_codec_decoders_at(size_t i, tub_codec_decoders *out);

// The formats that NVDEC of GPU `gpu` (CUDA's number) decodes into the same frames as the software decoder: "h264,
// hevc, hevc 10 bit". False: none, or the GPU isn't available; `reason` says why.
bool tub_nvdec_list(int gpu, char *out, size_t out_bytes, char *reason, size_t bytes);

const char *tub_libav_version(void); // static, as the licence
const char *tub_libav_licence(void);

#endif
