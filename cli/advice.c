// Gaps in device use, in words.
#include <stdio.h>

#include "sample.h"
#include "translate.h"

typedef struct reason {
    double seconds;
    const char *waiting, *remedy;
} reason;

static const reason *largest(const reason *reasons, size_t count)
{
    const reason *most = &reasons[0];
    for (size_t i = 1; i < count; i++)
        if (reasons[i].seconds > most->seconds)
            most = &reasons[i];
    return most;
}

// The decoding threads aren't enough.
static const char *more_of_them(bool more_threads)
{
    return more_threads ? _("raise --decode-threads")
                        : _("every processor has a decoding thread: more processors would help");
}

static const char *faster_decoding(tub_decoder decoder, bool on_gpu, bool more_threads)
{
    if (!on_gpu || decoder == TUB_DECODER_BOTH)
        return more_of_them(more_threads);
    if (decoder == TUB_DECODER_NVDEC)
        return _("let the processor decode, too: --decoder both");
    return more_threads ? _("raise --decode-threads, or let the GPU decode, too: --decoder both")
                        : _("every processor has a decoding thread: let the GPU decode, too (--decoder both)");
}

bool cli_idle_advice(const tub_progress *p, const cli_decoding *decoding, char *out, size_t size)
{
    const double worth_a_word = 0.05;
    double idle = p->device_wait_seconds + p->output_wait_seconds, whole = p->forward_seconds + idle;
    *out = '\0';
    if (whole <= 0)
        return false;
    if (idle < worth_a_word * whole) {
        snprintf(out, size, _("device busy %.0f %%: the model is what takes the time"),
                 100 * p->forward_seconds / whole);
        return false;
    }
    bool more_threads = p->decode_threads < decoding->processors;
    const reason reasons[] = {
        {p->idle_decode_seconds, _("decode"), faster_decoding(decoding->decoder, decoding->on_gpu, more_threads)},
        {p->idle_convert_seconds, _("conversion and resizing"), more_of_them(more_threads)},
        {p->idle_open_seconds, _("videos to be opened"), _("raise --decode-threads, or read from a faster disk")},
        {p->idle_input_seconds, _("videos"),
         _("too few are left for the decoding threads; it weighs less with more videos in one run")},
        {p->idle_start_seconds, _("the first clips"), _("it weighs less in longer runs")},
        {p->output_wait_seconds, _("the output folder"), _("write to a faster disk")},
    };
    const reason *most = largest(reasons, sizeof reasons / sizeof *reasons);
    snprintf(out, size, _("device idle %.0f %%: waiting for %s; %s"), 100 * idle / whole, most->waiting, most->remedy);
    return true;
}
