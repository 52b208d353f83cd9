// Keeps the texts of attention plans from one run to the next: making a plan from its text takes no time, compiling it
// a third of a second.
//
// tubelet/gpu-<key>-<type>-<batch>x<heads>x<dim>-<queries>x<keys>.plan under $XDG_CACHE_HOME (or ~/.cache) has a line
// with the hash of its name, of the row strides and of the text, then the text. A file with another hash is foreign or
// damaged, and treated as missing.
#ifndef TUB_GPU_PLAN_TEXTS_H
#define TUB_GPU_PLAN_TEXTS_H

#include "gpu_executable.h"

// *out: the text, freed with tub_free(); NULL: there is none. Returns its bytes.
size_t tub_gpu_plan_text_read(const tub_backend *b, const tub_gpu_attention *shape, char **out);
// Writes the text of a plan, unless it equals `read`, the text (or nothing) that the plan was made with. A file that
// can't be written is no error.
void tub_gpu_plan_text_keep(const tub_backend *b, const tub_gpu_attention *shape, const tub_gpu_plan *plan,
                            tub_gpu_text read);

#endif
