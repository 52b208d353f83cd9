// A video file opened for demuxing: our own file descriptor, and nothing else that libav may open.
//
// Containers and decoders are those of a list (video_file.c), numbers of streams and pixels are limited, and whatever
// a file's contents ask libav to open besides is refused.
#ifndef TUB_VIDEO_FILE_H
#define TUB_VIDEO_FILE_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <tubelet/status.h>

#define TUB_PIXELS_MOST "67108864" // 8192 x 8192: of a frame, as libav's option max_pixels takes it

typedef struct tub_video_file {
    int fd;
    int64_t size, position;
    int system_error; // errno of a failed read, 0 = none
    bool was_short;   // an allocation may have failed: damage may be none
    atomic_bool lacks_frame; // the decoder had no memory for a frame
    AVIOContext *io;
    AVFormatContext *format;
    AVStream *stream;                 // the video stream that was chosen; all others are discarded
    int stream_number, video_streams; // its index among the video streams, and how many there are
} tub_video_file;

// `number`: 1 + index among the video streams, 0 = libav's best. Cover pictures are no video streams.
// A failed open needs no close. Errors: TUB_ERROR_INPUT, TUB_ERROR_VIDEO, TUB_ERROR_ARGUMENT, TUB_ERROR_MEMORY; the
// text doesn't name the file.
tub_status tub_video_file_open(tub_video_file *file, const char *path, int number, tub_error *err);
// `threads`: at most so many; see decoding.h. With more than one, or where it is `strict`, damage is an error instead
// of being concealed.
tub_status tub_video_file_decoder(tub_video_file *file, int threads, bool strict, AVCodecContext **out, tub_error *err);
void tub_video_file_close(tub_video_file *file);

// Whether libav lacks memory for the file, by what it did since tub_shortage_watch(). That it may have lacked some is
// kept in file->was_short.
bool tub_video_file_is_short(tub_video_file *file);
// What the decoder has as get_buffer2, to be called by who stands in for it. From any thread.
int tub_video_file_get_buffer(AVCodecContext *decoder, AVFrame *frame, int flags);

// Whether libav's decoder of this name is on the list.
bool tub_video_decoder_is_known(const char *name);

// Bytes that the container itself says it has (RIFF, EBML segment, MP4 boxes), 0 where it doesn't say.
int64_t tub_file_stated_bytes(const tub_video_file *file);
// Whether it ends in zeros where something should stand: room was made for the file, and never filled. Only of
// containers whose walk (container_walk.h) wouldn't tell.
bool tub_file_is_unwritten(const tub_video_file *file);

#endif
