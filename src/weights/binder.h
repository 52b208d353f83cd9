// Binding: a model asks for its tensors by name and shape, and gets them or an error that names them.
//
// A model's bind function is used twice: to LOAD a checkpoint, and to CREATE a random one (`tubelet init`). So the two
// can't disagree about names and shapes.
//
// Prefixes: wrappers may have put a prefix before the names in a family's files ("videomae.", none). The prefixes are
// tried in the given order, and the first under which `probe` exists is used for all names of tub_bind(). Names to be
// ignored may end in '*'.
#ifndef TUB_BINDER_H
#define TUB_BINDER_H

#include "checkpoint_folder.h"

typedef struct tub_binder tub_binder;

// How CREATE fills a tensor.
typedef enum tub_fill {
    TUB_FILL_WEIGHT,        // normal, standard deviation 1/sqrt(fan-in)
    TUB_FILL_BIAS,          // normal, 0.02
    TUB_FILL_ONE,           // 1 + normal 0.02 (norm weights)
    TUB_FILL_SCALE,         // LayerScale: 0.5 + normal 0.05
    TUB_FILL_TOKEN,         // normal 0.5 (class tokens, registers, positions, probes)
} tub_fill;

// `arena` receives the tensors and must outlive the model.
tub_status tub_binder_load(const tub_checkpoint *c, tub_arena *arena, tub_binder **out, tub_error *err);
// LOAD without values: names, types and shapes are checked, and tensors are zeros. For descriptions, which aren't run.
tub_status tub_binder_survey(const tub_checkpoint *c, tub_arena *arena, tub_binder **out, tub_error *err);
tub_status tub_binder_create(uint64_t seed, tub_arena *arena, tub_binder **out, tub_error *err);
// CREATE without values: tensors are zeros that share their memory and die with the binder. For counting.
tub_status tub_binder_measure(tub_arena *arena, tub_binder **out, tub_error *err);
void tub_binder_free(tub_binder **b);

// Chooses the prefix: the first of `prefixes` (NULL-terminated) under which `probe` exists. CREATE takes the first.
void tub_binder_prefix(tub_binder *b, const char *const *prefixes, const char *probe);
const char *tub_binder_prefix_in_use(const tub_binder *b);

// Whether prefix + name exists. CREATE: `wanted`, the model's default.
bool tub_binder_has(const tub_binder *b, const char *name, bool wanted);
// Likewise without the prefix (for heads outside of the wrapped tower).
bool tub_binder_has_absolute(const tub_binder *b, const char *name, bool wanted);
// The shape of prefix + name, for sizes that follow from the file (`rank` 0 if absent). CREATE: rank 0.
void tub_binder_shape(const tub_binder *b, const char *name, int *rank, int64_t dims[8]);

// The tensor `prefix + name` of exactly this shape. After a wrong name, shape or dtype the result is an empty tensor;
// the first error is kept and returned by tub_binder_end(). Names are printf-like: tub_bind(b, TUB_FILL_BIAS,
// TUB_SHAPE(768), "encoder.layer.%d.norm1.bias", i). `absolute`: without the prefix.
#define TUB_SHAPE(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}
tub_tensor tub_bind(tub_binder *b, tub_fill fill, int rank, const int64_t *dims, const char *name, ...)
    __attribute__((format(printf, 5, 6)));
tub_tensor tub_bind_absolute(tub_binder *b, tub_fill fill, int rank, const int64_t *dims, const char *name, ...)
    __attribute__((format(printf, 5, 6)));

// Zeroed memory that lives as long as the tensors (lists of layers); NULL after an error, which is kept.
void *tub_bind_alloc(tub_binder *b, size_t count, size_t size);

// Derived constants, in the arena.
// Stacks the rows of several tensors ([n1, K], [n2, K], ... -> [n1+n2+.., K]; vectors likewise). An empty tensor among
// vectors (a missing bias) counts as `zeros[i]` zeros. If all are empty, so is the result. CREATE: only the shape, data
// is NULL.
tub_tensor tub_bind_stack(tub_binder *b, const tub_tensor *parts, const int64_t *zeros, int count);
// Likewise for matrices of a linear layer's weight, none of them empty. Each stays where it is: see tub_tensor.parts.
tub_tensor tub_bind_rows(tub_binder *b, const tub_tensor *parts, int count);
// A new float32 tensor, which the caller fills in through *data. CREATE gives memory, too.
tub_tensor tub_bind_new(tub_binder *b, const char *name, int rank, const int64_t *dims, float **data);
// A tensor's values as float32 (in the arena, or the tensor's own); NULL after an error.
const float *tub_bind_floats(tub_binder *b, const tub_tensor *t);

// Names without the prefix that the checkpoint may have but the model doesn't use ("decoder.*"); NULL-terminated.
void tub_binder_ignore(tub_binder *b, const char *const *patterns);

// Returns the first error. If there is none, checks that every tensor was used or ignored; an unexpected one is an
// error that names it.
tub_status tub_binder_end(tub_binder *b, tub_error *err);

// The number of values of all tensors that were asked for so far.
int64_t tub_binder_parameters(const tub_binder *b);

// CREATE: the tensors that were asked for, to be written.
const tub_tensor *tub_binder_created(const tub_binder *b, size_t *count);

#endif
