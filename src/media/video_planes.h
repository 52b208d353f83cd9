// A video's frame for a device that makes pixels by itself: planes, and the recipe for them.
#ifndef TUB_VIDEO_PLANES_H
#define TUB_VIDEO_PLANES_H

#include <tubelet/video.h>

#include "frame_recipe.h"

// For the frame that tub_video_convert() would convert, with the same result. Planes on a GPU are on the one that
// decodes. Planes on the host (only with `with_host`) are packed RGB if libswscale converts the frame. Both stay valid
// until the next call. TUB_END: not possible for this frame, use convert(). Errors: as tub_video_convert().
tub_status tub_video_planes(tub_video *video, bool with_host, const tub_frame_recipe **recipe, tub_frame_planes *planes,
                            tub_error *err);

#endif
