// The Hugging Face cache of this machine: where "org/name" was downloaded to. Nothing is fetched.
//
// The cache is $HF_HUB_CACHE, else $HUGGINGFACE_HUB_CACHE, else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub,
// else ~/.cache/huggingface/hub. In it, models--org--name/refs/main has a revision, and
// models--org--name/snapshots/<revision> is the model folder.
#ifndef TUB_HF_CACHE_H
#define TUB_HF_CACHE_H

#include <stdbool.h>
#include <tubelet/status.h>

// Whether `name` has the form of a model's name there: "org/name".
bool tub_hf_is_name(const char *name);

// The folder of the model's main revision; freed with tub_free(). Errors: TUB_ERROR_MODEL (not in the cache; the text
// has the command that downloads it), TUB_ERROR_MEMORY.
tub_status tub_hf_find(const char *name, char **folder, tub_error *err);

#endif
