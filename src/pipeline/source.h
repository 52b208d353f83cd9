// Where frames come from: a table of functions, so that the pipeline can be tested with fakes. The real source is
// media's tub_video.
#ifndef TUB_SOURCE_H
#define TUB_SOURCE_H

#include <tubelet/video.h>

#include "frame_recipe.h"

typedef struct tub_source_ops {
    tub_status (*open)(const char *path, const tub_video_params *params, void **out, tub_error *err);
    tub_status (*next)(void *source, tub_frame *out, tub_error *err);
    void (*pixels)(const void *source, int *height, int *width, bool *is_float, size_t *bytes);
    tub_status (*convert)(void *source, void *out, tub_error *err);
    // The same frame in the form from which a GPU makes pixels: as tub_video_planes(). NULL: always TUB_END.
    tub_status (*planes)(void *source, bool with_host, const tub_frame_recipe **recipe, tub_frame_planes *planes,
                         tub_error *err);
    void (*info)(const void *source, tub_video_info *out);
    void (*seconds)(const void *source, double *open, double *decode, double *convert);
    void (*close)(void **source);
} tub_source_ops;

extern const tub_source_ops tub_source_video;

#include <tubelet/extractor.h>

// The checks of open() that don't need the encoder, for callers with work to do before they open an extractor.
tub_status tub_extractor_check_params(const tub_extractor_params *params, tub_error *err);

// tub_extractor_open() with another source.
tub_status tub_extractor_open_source(tub_encoder *encoder, const tub_extractor_params *params,
                                     const tub_source_ops *source, tub_extractor **out, tub_error *err);

// tub_windows_read() with another source.
tub_status tub_windows_read_source(const tub_source_ops *source, const char *path, const tub_sampling *sampling,
                                   const tub_transform *transform, int video_stream, tub_deliver_clip deliver,
                                   void *user, int64_t *out_rows, tub_error *err);

#endif
