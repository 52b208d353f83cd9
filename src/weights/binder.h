// Binding: a model asks for its tensors by name and shape, and gets them or an error that names them.
//
// The same bind function of a model serves twice: to LOAD a checkpoint, and to CREATE a random one (`tubelet init`),
// so that the two can't disagree about names and shapes.
//
// Prefixes: the wrappers' prefixes that a family's files may carry ("videomae.", none) are tried in the order given;
// the first under which `probe` exists is used for all of get()'s names. Names to be ignored may end in '*'.
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
// LOAD without values: names, types and shapes are checked, tensors are zeros. For describing what can't be run.
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
// Likewise without the prefix (heads that lie outside of the wrapped tower).
bool tub_binder_has_absolute(const tub_binder *b, const char *name, bool wanted);
// Its shape, where sizes follow the file (`rank` 0 if absent). CREATE: rank 0.
void tub_binder_shape(const tub_binder *b, const char *name, int *rank, int64_t dims[8]);

// The tensor `prefix + name` of exactly this shape. A wrong name, shape or dtype is kept as the first error and the
// result is an empty tensor; tub_binder_end() tells. Names are printf-like: tub_bind(b, TUB_FILL_BIAS, &t,
// TUB_SHAPE(768), "encoder.layer.%d.norm1.bias", i). `absolute`: without the prefix.
#define TUB_SHAPE(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}
tub_tensor tub_bind(tub_binder *b, tub_fill fill, int rank, const int64_t *dims, const char *name, ...)
    __attribute__((format(printf, 5, 6)));
tub_tensor tub_bind_absolute(tub_binder *b, tub_fill fill, int rank, const int64_t *dims, const char *name, ...)
    __attribute__((format(printf, 5, 6)));

// Zeroed memory that lives as long as the tensors (lists of layers); NULL after an error, which is kept.
void *tub_bind_alloc(tub_binder *b, size_t count, size_t size);

// Derived constants, in the arena.
// Rows of several tensors one below the other ([n1, K], [n2, K], ... -> [n1+n2+.., K]; vectors likewise). An empty
// tensor among vectors (a bias that isn't there) counts as `zeros[i]` zeros. All empty: an empty tensor. CREATE: shape
// only, data NULL.
tub_tensor tub_bind_stack(tub_binder *b, const tub_tensor *parts, const int64_t *zeros, int count);
// Likewise matrices of a linear layer's weight, all of them there and each left where it is: see tub_tensor.parts.
tub_tensor tub_bind_rows(tub_binder *b, const tub_tensor *parts, int count);
// A new float32 tensor to be filled in by the caller: *data. CREATE gives memory too.
tub_tensor tub_bind_new(tub_binder *b, const char *name, int rank, const int64_t *dims, float **data);
// Any tensor's values as float32 (arena memory, or the tensor's own); NULL after an error.
const float *tub_bind_floats(tub_binder *b, const tub_tensor *t);

// Names that the checkpoint may have and that the model doesn't use ("decoder.*"), absolute; NULL-terminated.
void tub_binder_ignore(tub_binder *b, const char *const *patterns);

// The first error, else whether every tensor was used or ignored: an unexpected one is an error by name.
tub_status tub_binder_end(tub_binder *b, tub_error *err);

// Values of the tensors that were asked for so far.
int64_t tub_binder_parameters(const tub_binder *b);

// CREATE: what was asked for, for writing.
const tub_tensor *tub_binder_created(const tub_binder *b, size_t *count);

#endif
