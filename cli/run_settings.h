// From options to the library's params.
#ifndef TUB_CLI_RUN_SETTINGS_H
#define TUB_CLI_RUN_SETTINGS_H

#include <tubelet/tubelet.h>

#include "arguments.h"
#include "sample.h"

// The settings of a run with a model. Strings are borrowed from the command line.
typedef struct cli_settings {
    const tub_preset *preset; // NULL = none
    tub_sampling sampling;
    tub_layout layout;
    tub_encoder_params encoder; // with its transform and clip length
} cli_settings;

// From preset and options; explicit options take precedence. Returns 0, or an exit code after a message.
int cli_read_settings(const cli_arguments *args, cli_settings *out);

// The options about files, on top of `base`.
int cli_read_layout(const cli_arguments *args, const tub_layout *base, tub_layout *out);

// The preset of --device-preset; NULL: not given. Explicit options take precedence.
const tub_device_preset *cli_device_preset(const cli_arguments *args);

// The values of --decoder and --resize.
tub_decoder cli_decoder(const cli_arguments *args);
tub_resizer cli_resizer(const cli_arguments *args);
// What a run of this encoder can decode with.
cli_decoding cli_decoding_of(const tub_encoder_info *info, tub_decoder decoder);
// The same for one video: a value for tub_video_params.gpu.
int cli_decoding_gpu(const cli_arguments *args);
// Says so if a GPU was asked for but the video wasn't decoded on it.
void cli_say_decoder(const char *path, const tub_video_info *info);

// Only the pixel options, on top of `base`.
int cli_read_transform(const cli_arguments *args, const tub_transform_options *base, tub_transform_options *out);

#endif
