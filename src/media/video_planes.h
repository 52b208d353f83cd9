// A reader's frame as a device takes it that makes pixels by itself: planes, and the recipe for them.
#ifndef TUB_VIDEO_PLANES_H
#define TUB_VIDEO_PLANES_H

#include <tubelet/video.h>

#include "frame_recipe.h"

// Of the frame that tub_video_convert() would convert; with the same result. Planes that are on a GPU are on the one
// that decodes; those on the host (only `with_host`) are packed RGB where libswscale converts. Both stay valid until
// the next call. TUB_END: it can't be had so, convert() does it. Errors: as of convert().
tub_status tub_video_planes(tub_video *video, bool with_host, const tub_frame_recipe **recipe, tub_frame_planes *planes,
                            tub_error *err);

#endif
