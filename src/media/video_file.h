// A video file opened for demuxing, through our own file descriptor: libav may open nothing else.
//
// Only listed containers and decoders are used (video_file.c), the numbers of streams and pixels are limited, and
// anything else that a file's contents ask libav to open is refused.
#ifndef TUB_VIDEO_FILE_H
#define TUB_VIDEO_FILE_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <tubelet/status.h>

#define TUB_PIXELS_MOST "67108864" // 8192 x 8192 pixels per frame, for libav's option max_pixels

typedef struct tub_video_file {
    int fd;
    int64_t size, position;
    int system_error; // errno of a failed read, 0 = none
    bool was_short;   // an allocation may have failed: what looks like damage may be none
    atomic_bool lacks_frame; // the decoder had no memory for a frame
    AVIOContext *io;
    AVFormatContext *format;
    AVStream *stream;                 // the chosen video stream; all others are discarded
    int stream_number, video_streams; // its index among the video streams, and how many there are
} tub_video_file;

// `number`: 1 + index among the video streams, 0 = libav's best. Cover pictures don't count as video streams.
// A failed open needs no close. Errors: TUB_ERROR_INPUT, TUB_ERROR_VIDEO, TUB_ERROR_ARGUMENT, TUB_ERROR_MEMORY; the
// text doesn't name the file.
tub_status tub_video_file_open(tub_video_file *file, const char *path, int number, tub_error *err);
// `threads`: at most this many; see decoding.h. With more than one, or if `strict`, damage is an error instead of being
// concealed.
tub_status tub_video_file_decoder(tub_video_file *file, int threads, bool strict, AVCodecContext **out, tub_error *err);
void tub_video_file_close(tub_video_file *file);

// Whether libav lacks memory for the file, judged by what it did since tub_shortage_watch(). file->was_short remembers
// that it may have lacked some.
bool tub_video_file_is_short(tub_video_file *file);
// The decoder's get_buffer2, for functions that replace it. From any thread.
int tub_video_file_get_buffer(AVCodecContext *decoder, AVFrame *frame, int flags);

// Whether libav's decoder of this name is on the list.
bool tub_video_decoder_is_known(const char *name);

// The file size according to the container itself (RIFF, EBML segment, MP4 boxes), 0 if it doesn't say.
int64_t tub_file_stated_bytes(const tub_video_file *file);
// Whether the file ends in zeros where there should be content: space was reserved for it and never written. Only for
// containers whose walk (container_walk.h) wouldn't notice.
bool tub_file_is_unwritten(const tub_video_file *file);

#endif
