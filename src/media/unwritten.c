#include "unwritten.h"

#include <libavutil/pixdesc.h>
#include <string.h>

#include "libav_compat.h"
#include "video_file.h"

// A mark is 4 x 2 pixels within the first 8 x 8 of a block, which every block has. It is away from the block's edges,
// which may be smoothed with the neighbors. Decoded pixels don't have just these bytes, except for a chance of 1 in
// 2^64 per block.
enum { BLOCK = 16, MARK_AT = 4, MARK_ROWS = 2, MARK_COLUMNS = 4 };

static const uint8_t mark[MARK_ROWS][2 * MARK_COLUMNS] = {
    {0x1d, 0xe9, 0x52, 0xc4, 0x07, 0xb6, 0x93, 0x6f},
    {0xd8, 0x2b, 0xf1, 0x3c, 0xa5, 0x60, 0x8e, 0x17},
};

static int bytes_of_pixel(const AVFrame *frame)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(frame->format);
    return d ? d->comp[0].step : 0;
}

static uint8_t *mark_at(const AVFrame *frame, int y, int x, int bytes)
{
    return frame->data[0] + (ptrdiff_t)(y + MARK_AT) * frame->linesize[0] + (ptrdiff_t)(x + MARK_AT) * bytes;
}

static int get_buffer(AVCodecContext *decoder, AVFrame *frame, int flags)
{
    int r = tub_video_file_get_buffer(decoder, frame, flags), bytes = bytes_of_pixel(frame);
    if (r < 0 || bytes < 1 || bytes > 2)
        return r;
    for (int y = 0; y < frame->height; y += BLOCK)
        for (int x = 0; x < frame->width; x += BLOCK)
            for (int i = 0; i < MARK_ROWS; i++)
                memcpy(mark_at(frame, y, x, bytes) + i * frame->linesize[0], mark[i], (size_t)(MARK_COLUMNS * bytes));
    return 0;
}

void tub_unwritten_watch(AVCodecContext *decoder)
{
    decoder->get_buffer2 = get_buffer;
    decoder->error_concealment = 0;
    tub_callbacks_are_thread_safe(decoder);
}

static bool is_marked(const uint8_t *at, ptrdiff_t pitch, int bytes)
{
    for (int i = 0; i < MARK_ROWS; i++)
        if (memcmp(at + i * pitch, mark[i], (size_t)(MARK_COLUMNS * bytes)) != 0)
            return false;
    return true;
}

bool tub_unwritten_is_none(const AVCodecContext *decoder, const AVFrame *frame)
{
    int bytes = bytes_of_pixel(frame);
    // If the frame is cropped at the left or at the top, blocks begin elsewhere. If more is cropped than their rest,
    // some aren't seen.
    bool seen = frame->buf[0] && frame->data[0] == frame->buf[0]->data &&
                decoder->coded_height - frame->height < BLOCK && decoder->coded_width - frame->width < BLOCK;
    if (bytes < 1 || bytes > 2 || !seen)
        return false;
    for (int y = 0; y < frame->height; y += BLOCK)
        for (int x = 0; x < frame->width; x += BLOCK)
            if (is_marked(mark_at(frame, y, x, bytes), frame->linesize[0], bytes))
                return false;
    return true;
}
