// features.json: the settings and the model of an output folder.
//
//   settings    what the rows depend on: sampling, transform, pooling, stream, precision, backend. Compared
//   model       the checkpoint's hash and shape. Compared
//   files       names, container and type of the files (feature_layout.h). Compared
//   consumers   what trainers' configs need: feat_stride, num_frames, offset_frames, input_dim, and where row i lies
//   about       what made the folder, for people; and the model's stamp, so that next time its hash needn't be computed
//
// Nothing here depends on batch, threads or shard: every shard writes the same (except the stamp of its own copy).
#ifndef TUB_SETTINGS_H
#define TUB_SETTINGS_H

#include <jansson.h>
#include <tubelet/dataset.h>

#include "feature_layout.h"
#include "hash.h"

typedef struct tub_settings {
    json_t *root;               // NULL: there is no file
    char settings[TUB_HASH_TEXT], model[TUB_HASH_TEXT];     // of `settings` in canonical form; the checkpoint's
} tub_settings;

// The settings that a run asks for; `layout` is complete. Errors: TUB_ERROR_ARGUMENT (sampling out of range),
// TUB_ERROR_MEMORY.
tub_status tub_settings_make(const tub_encoder_info *info, const tub_run_params *params, const tub_layout *layout,
                             tub_settings *out, tub_error *err);

// features.json's `consumers`. `grid`: the rows', NULL: every video has `fixed` rows. `fps` 0: the videos' own.
json_t *tub_settings_consumers(const tub_grid *grid, int64_t fixed, int64_t dim, double fps);

// Fills in the two hashes from `root`. Errors: TUB_ERROR_ARGUMENT naming the file (it isn't one of ours).
tub_status tub_settings_hash(tub_settings *s, const char *path, tub_error *err);

// The settings of `folder`; root is NULL if there is no features.json. Errors: TUB_ERROR_ARGUMENT (it can't be read).
tub_status tub_settings_load(const char *folder, tub_settings *out, tub_error *err);

// The stamp of the model whose hash is s->model; "" if it isn't known.
const char *tub_settings_stamp(const tub_settings *s);

// Writes `asked` if there is no features.json. Otherwise compares the two, and brings the file's stamp up to date.
// Errors: TUB_ERROR_ARGUMENT listing the differences, TUB_ERROR_OUTPUT.
tub_status tub_settings_agree(const char *folder, const tub_settings *asked, bool write, tub_error *err);

// The differences as text, "stride: 4 there, 16 asked; …"; "" if there are none. Returns how many, -1: out of memory.
int tub_settings_compare(const json_t *there, const json_t *asked, char *text, size_t bytes);

void tub_settings_finish(tub_settings *s);

#endif
