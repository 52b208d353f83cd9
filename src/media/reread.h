// A second reader of a video that decodes stretches of it again, like programs that seek for every window. It gives no
// frames: it only measures what that costs.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_REREAD_H
#define TUB_REREAD_H

#include <stdint.h>
#include <tubelet/status.h>

typedef struct tub_reread tub_reread;

// `stream`: as in tub_video_params. Errors: as tub_video_open().
tub_status tub_reread_open(const char *path, int stream, tub_reread **out, tub_error *err);
void tub_reread_close(tub_reread **reread); // accepts NULL

// Seeks to the key frame at or before the frame shown at `from` and decodes up to the one shown at `to`; both are
// seconds as in tub_frame.pts. *frames: how many were decoded. Errors: TUB_ERROR_VIDEO if the file can't be sought.
tub_status tub_reread_stretch(tub_reread *reread, double from, double to, int64_t *frames, tub_error *err);

#endif
