// Texts of attention's plans, kept from one run to the next: making a plan from its text takes no time, compiling it a
// third of a second.
//
// $XDG_CACHE_HOME (or ~/.cache) /tubelet/gpu-<key>-<type>-<batch>x<heads>x<dim>-<queries>x<keys>.plan: a line with the
// hash of its name, of the rows' distances and of the text, then the text. A file that says another hash, which is
// foreign or damaged, isn't there.
#ifndef TUB_GPU_PLAN_TEXTS_H
#define TUB_GPU_PLAN_TEXTS_H

#include "gpu_executable.h"

// *out: to be freed with tub_free(); NULL: none is kept. Returns its bytes.
size_t tub_gpu_plan_text_read(const tub_backend *b, const tub_gpu_attention *shape, char **out);
// Writes what there is to write of a plan that was made with `read`, which may be nothing, if that is something else. A
// file that can't be written is not an error.
void tub_gpu_plan_text_keep(const tub_backend *b, const tub_gpu_attention *shape, const tub_gpu_plan *plan,
                            tub_gpu_text read);

#endif
