// Decodes a video stream: takes packets, gives frames in display order, records damage.
//
// With several threads, a decoder works on several frames at once, and conceals damage differently than with one
// thread. Frames must not depend on the number of threads, so several are used only while the stream is beyond
// suspicion. At the first sign of trouble (an error, a mark, a frame that is missing or out of order, slices that could
// be lost one by one), next() says so before it gives a frame that might differ, and the caller starts over with one
// thread. A frame is held until all frames that it may refer to have come out without a mark.
//
// Frames that nobody wants are left out under the same rule, if no other frame refers to them. What is given in their
// place has times but no pixels. Damage within them isn't noticed, since they aren't decoded.
//
// A GPU decodes under the same rule: what it can't decode beyond suspicion is decoded with one thread instead. A GPU's
// decoder doesn't report what it conceals, so damage that shows neither in the container nor in the headers isn't
// noticed there.
//
// With one thread, a damaged frame may show what its buffer contained before. Whoever wants the same bytes again must
// hold the same frames: the one that was given last, until the next one comes, and no other.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_DECODING_H
#define TUB_DECODING_H

#include <tubelet/video.h>

#include "nvdec.h"
#include "packet_order.h"
#include "packet_tally.h"
#include "video_damage.h"
#include "video_file.h"

enum { TUB_HELD_MOST = 64 };

typedef struct tub_decoding_params {
    int stream;  // as `number` of tub_video_file_open()
    int threads; // for decoders that give the same frames with any number; else 1 is used
    int gpu;     // 1 + number of the GPU that decodes, if it can; 0: none
    bool (*wants)(const void *user, const tub_frame_place *place); // as in tub_video_params; NULL: all frames
    const void *user;
} tub_decoding_params;

typedef struct tub_decoding {
    char *path;
    tub_decoding_params params;
    int64_t frames; // given so far
    tub_video_file file;
    AVCodecContext *decoder;
    tub_nvdec nvdec;
    AVPacket *packet;
    tub_video_damage damage;
    tub_packet_order order;
    tub_packet_tally tally;
    bool trusting;                // several threads, a GPU or left-out frames, and nothing suspicious so far
    AVFrame *held[TUB_HELD_MOST]; // a ring
    int64_t numbers[TUB_HELD_MOST];
    int first_held, held_count;
    bool draining;
    int stuck;
    int width, height; // of the first frame
} tub_decoding;

// A failed open needs no close. Errors: as tub_video_file_open().
tub_status tub_decoding_open(tub_decoding *d, const char *path, const tub_decoding_params *params, tub_error *err);
// The next frame; one that was left out has no buffer. TUB_END: none. TUB_AGAIN: start over, see above. Errors:
// TUB_ERROR_MEMORY.
tub_status tub_decoding_next(tub_decoding *d, AVFrame *out, tub_error *err);
// Starts over from the first frame, with one thread and all frames. `why`: the reason for leaving the GPU; NULL: the
// one that next() saw. Errors: as tub_decoding_open(); nothing can be decoded after an error.
tub_status tub_decoding_start_over(tub_decoding *d, const char *why, tub_error *err);
// Whether decoding may run ahead of the thread that takes the frames, at no cost to others that need the processor.
bool tub_decoding_is_parallel(const tub_decoding *d);
// Whether a GPU decodes. If one was asked for and doesn't decode, the second tells why; else "".
bool tub_decoding_is_on_gpu(const tub_decoding *d);
const char *tub_decoding_why_not_on_gpu(const tub_decoding *d);
void tub_decoding_close(tub_decoding *d); // also of an object that is all zero

#endif
