// Uses the profile that tubelet tune has made, unless the run's settings say otherwise.
#ifndef TUB_CLI_PROFILE_USE_H
#define TUB_CLI_PROFILE_USE_H

#include "run_settings.h"

typedef struct cli_profile {
    bool used;
    int decode_threads, prefetch; // what to take from the profile, 0 = nothing
    tub_profile profile;          // the settings borrow its backend's name
    char line[2048];              // for the first lines of a run; "" = nothing to say
} cli_profile;

// Looks for the profile of the model (or takes the file of --profile), and fills in what neither the command line nor
// the settings give. `settings` already has what the output folder pins, so a profile never changes that: one with
// another precision or backend is ignored as a whole. Returns 0, or an exit code after a message.
int cli_use_profile(const cli_arguments *args, cli_settings *settings, cli_profile *out);

#endif
