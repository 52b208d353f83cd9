// The profile that tubelet tune has made, in a run that doesn't say otherwise.
#ifndef TUB_CLI_PROFILE_USE_H
#define TUB_CLI_PROFILE_USE_H

#include "run_settings.h"

typedef struct cli_profile {
    bool used;
    int decode_threads, prefetch; // to take, 0 = none of the profile's
    tub_profile profile;          // whose backend's name the settings borrow
    char line[2048];              // for the first lines of a run; "" = nothing to say
} cli_profile;

// Looks for the profile of the model (or takes the file of --profile) and fills in what neither the command line nor
// the settings say. `settings` already has what the output folder pins, so that a profile never changes it: one of
// another precision or backend is left aside whole. Returns 0 or an exit code after a message.
int cli_use_profile(const cli_arguments *args, cli_settings *settings, cli_profile *out);

#endif
