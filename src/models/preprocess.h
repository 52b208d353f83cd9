// The checkpoint's own transform: preprocessor_config.json with the processor class's defaults filled in.
//
// Classes and their defaults: section 9 of the design's models.md; sources are transformers' image processors.
#ifndef TUB_PREPROCESS_H
#define TUB_PREPROCESS_H

#include <tubelet/transform.h>

#include "json.h"

// `config`: the file's object, or NULL: the class defaults of `processor` (NULL: VideoMAE's). A class named in the file
// takes precedence.
// Errors: TUB_ERROR_MODEL naming the key.
tub_status tub_preprocess_read(const json_t *config, const char *processor, tub_transform *out, tub_error *err);

// The preprocessor file that `init` writes (new reference; NULL on failure).
json_t *tub_preprocess_make(const char *processor, int height, int width);

#endif
