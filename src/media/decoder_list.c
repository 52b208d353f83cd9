#include "decoder_list.h"

#include <libavcodec/avcodec.h>
#include <libavutil/avstring.h>
#include <libavutil/avutil.h>
#include <libavutil/hwcontext.h>
#include <stdio.h>
#include <string.h>

#include "video_file.h"

static void append(char *list, size_t size, const char *word)
{
    size_t used = strlen(list);
    if (word && !av_match_list(word, list, ',') && !strstr(list, word))
        snprintf(list + used, size - used, "%s%s", used ? ", " : "", word);
}

static void add_devices(tub_codec_decoders *out, const AVCodec *decoder)
{
    const AVCodecHWConfig *config;
    for (int i = 0; (config = avcodec_get_hw_config(decoder, i)); i++)
        append(out->devices, sizeof out->devices, av_hwdevice_get_type_name(config->device_type));
}

// Fills in the codec's usable decoders, and the devices of all its decoders.
static void fill(tub_codec_decoders *out, enum AVCodecID id)
{
    const AVCodec *decoder;
    void *state = NULL;
    *out = (tub_codec_decoders){.codec = avcodec_get_name(id)};
    while ((decoder = av_codec_iterate(&state))) {
        if (decoder->id != id || !av_codec_is_decoder(decoder))
            continue;
        add_devices(out, decoder);
        if (tub_video_decoder_is_known(decoder->name))
            append(out->software, sizeof out->software, decoder->name);
    }
}

static bool seen_before(enum AVCodecID id, const AVCodec *first)
{
    const AVCodec *decoder;
    void *state = NULL;
    while ((decoder = av_codec_iterate(&state)) && decoder != first)
        if (decoder->id == id && av_codec_is_decoder(decoder) && tub_video_decoder_is_known(decoder->name))
            return true;
    return false;
}

bool tub_codec_decoders_at(size_t i, tub_codec_decoders *out)
{
    const AVCodec *decoder;
    void *state = NULL;
    while ((decoder = av_codec_iterate(&state))) {
        if (!av_codec_is_decoder(decoder) || !tub_video_decoder_is_known(decoder->name) ||
            seen_before(decoder->id, decoder))
            continue;
        if (i-- == 0) {
            fill(out, decoder->id);
            return true;
        }
    }
    return false;
}

const char *tub_libav_version(void)
{
    return av_version_info();
}

const char *tub_libav_licence(void)
{
    return avcodec_license();
}
