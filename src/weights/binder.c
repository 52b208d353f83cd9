#include "binder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "half.h"
#include "random_fill.h"

enum { NAME_MOST = 256, PATTERNS_MOST = 64 };

struct tub_binder {
    const tub_checkpoint *checkpoint; // NULL: CREATE
    uint64_t seed;
    tub_arena *arena;
    const char *prefix; // static; the model's
    bool *used;         // LOAD: by index in the checkpoint
    const char *ignored[PATTERNS_MOST];
    size_t ignored_count;
    tub_tensor *created; // CREATE
    size_t created_count, created_capacity;
    bool measuring, surveying;
    void **zeros; // for measuring; each is larger than the one before
    size_t zeros_count, zeros_capacity, zeros_bytes;
    tub_status status;
    tub_error error;
};

static tub_status open_binder(const tub_checkpoint *c, uint64_t seed, tub_arena *arena, tub_binder **out,
                              tub_error *err)
{
    *out = NULL;
    tub_binder *b = tub_calloc(1, sizeof *b);
    if (b && c && !(b->used = tub_calloc(tub_checkpoint_count(c), sizeof *b->used)))
        tub_binder_free(&b);
    if (!b)
        return tub_fail_memory(err, "a binder");
    b->checkpoint = c;
    b->seed = seed;
    b->arena = arena;
    b->prefix = "";
    *out = b;
    return TUB_OK;
}

tub_status tub_binder_load(const tub_checkpoint *c, tub_arena *arena, tub_binder **out, tub_error *err)
{
    return open_binder(c, 0, arena, out, err);
}

tub_status tub_binder_survey(const tub_checkpoint *c, tub_arena *arena, tub_binder **out, tub_error *err)
{
    TUB_TRY(open_binder(c, 0, arena, out, err));
    (*out)->surveying = true;
    return TUB_OK;
}

tub_status tub_binder_create(uint64_t seed, tub_arena *arena, tub_binder **out, tub_error *err)
{
    return open_binder(NULL, seed, arena, out, err);
}

tub_status tub_binder_measure(tub_arena *arena, tub_binder **out, tub_error *err)
{
    TUB_TRY(open_binder(NULL, 0, arena, out, err));
    (*out)->measuring = true;
    return TUB_OK;
}

void tub_binder_free(tub_binder **b)
{
    if (!b || !*b)
        return;
    for (size_t i = 0; i < (*b)->zeros_count; i++)
        tub_free((*b)->zeros[i]);
    tub_free((*b)->zeros);
    tub_free((*b)->used);
    tub_free((*b)->created);
    tub_free(*b);
    *b = NULL;
}

// Only the first mistake is reported.
static void mistake(tub_binder *b, const char *name, const char *what)
{
    if (b->status != TUB_OK)
        return;
    if (b->checkpoint)
        b->status = tub_fail(&b->error, TUB_ERROR_MODEL, "%s: tensor \"%s\" %s", tub_checkpoint_path(b->checkpoint),
                             name, what);
    else
        b->status = tub_fail(&b->error, TUB_ERROR_INTERNAL, "tensor \"%s\" %s", name, what);
}

static void out_of_memory(tub_binder *b)
{
    if (b->status == TUB_OK)
        b->status = tub_fail_memory(&b->error, "the model's tensors");
}

static void join(char *out, const char *prefix, const char *name)
{
    snprintf(out, NAME_MOST, "%s%s", prefix, name);
}

void tub_binder_prefix(tub_binder *b, const char *const *prefixes, const char *probe)
{
    b->prefix = prefixes[0];
    char name[NAME_MOST];
    for (size_t i = 0; b->checkpoint && prefixes[i]; i++) {
        join(name, prefixes[i], probe);
        if (tub_checkpoint_find(b->checkpoint, name) >= 0) {
            b->prefix = prefixes[i];
            return;
        }
    }
}

const char *tub_binder_prefix_in_use(const tub_binder *b)
{
    return b->prefix;
}

bool tub_binder_has_absolute(const tub_binder *b, const char *name, bool wanted)
{
    return b->checkpoint ? tub_checkpoint_find(b->checkpoint, name) >= 0 : wanted;
}

bool tub_binder_has(const tub_binder *b, const char *name, bool wanted)
{
    char full[NAME_MOST];
    join(full, b->prefix, name);
    return tub_binder_has_absolute(b, full, wanted);
}

void tub_binder_shape(const tub_binder *b, const char *name, int *rank, int64_t dims[8])
{
    *rank = 0;
    char full[NAME_MOST];
    join(full, b->prefix, name);
    long i = b->checkpoint ? tub_checkpoint_find(b->checkpoint, full) : -1;
    if (i < 0)
        return;
    tub_tensor t;
    tub_checkpoint_tensor(b->checkpoint, (size_t)i, &t);
    *rank = t.rank;
    memcpy(dims, t.dims, sizeof t.dims);
}

static void print_shape(char *out, size_t bytes, int rank, const int64_t *dims)
{
    size_t at = (size_t)snprintf(out, bytes, "[");
    for (int i = 0; i < rank && at < bytes; i++)
        at += (size_t)snprintf(out + at, bytes - at, "%s%lld", i ? ", " : "", (long long)dims[i]);
    if (at < bytes)
        snprintf(out + at, bytes - at, "]");
}

static bool check_found(tub_binder *b, const tub_tensor *found, int rank, const int64_t *dims)
{
    char has[96], wants[96], text[256];
    bool same = found->rank == rank && memcmp(found->dims, dims, (size_t)rank * sizeof *dims) == 0;
    if (!same) {
        print_shape(has, sizeof has, found->rank, found->dims);
        print_shape(wants, sizeof wants, rank, dims);
        snprintf(text, sizeof text, "has shape %s, but config.json asks for %s", has, wants);
        mistake(b, found->name, text);
        return false;
    }
    if (found->dtype != TUB_F32 && found->dtype != TUB_BF16 && found->dtype != TUB_F16) {
        mistake(b, found->name, "has a type that can't be a weight: float32, bfloat16 and float16 can");
        return false;
    }
    return true;
}

// Zeroed memory takes no physical memory until it is written to.
static tub_tensor zeros_like(tub_binder *b, const tub_tensor *found)
{
    tub_tensor t = *found;
    t.name = tub_arena_strdup(b->arena, found->name);
    t.data = tub_arena_alloc(b->arena, (size_t)tub_tensor_count(found), tub_dtype_bytes(found->dtype));
    if (t.name && t.data)
        return t;
    out_of_memory(b);
    return tub_no_tensor();
}

static tub_tensor load(tub_binder *b, const char *name, int rank, const int64_t *dims)
{
    tub_tensor t = {0};
    long i = tub_checkpoint_find(b->checkpoint, name);
    if (i < 0) {
        mistake(b, name, "is missing");
        return t;
    }
    b->used[i] = true;
    tub_checkpoint_tensor(b->checkpoint, (size_t)i, &t);
    if (!check_found(b, &t, rank, dims))
        return tub_no_tensor();
    if (b->surveying)
        return zeros_like(b, &t);
    tub_error error;
    tub_status status = tub_checkpoint_read(b->checkpoint, (size_t)i, b->arena, &t, &error);
    if (status == TUB_OK)
        return t;
    b->status = status;
    b->error = error;
    return tub_no_tensor();
}

static tub_tensor new_tensor(tub_binder *b, const char *name, int rank, const int64_t *dims, float **data)
{
    tub_tensor t = {.name = tub_arena_strdup(b->arena, name), .dtype = TUB_F32, .rank = rank};
    memcpy(t.dims, dims, (size_t)rank * sizeof *dims);
    size_t count = 1;
    bool fits = true;
    for (int i = 0; i < rank; i++)
        fits = fits && tub_size_mul(count, (size_t)dims[i], &count);
    *data = fits && t.name ? tub_arena_alloc(b->arena, count, sizeof **data) : NULL;
    t.data = *data;
    if (!t.data)
        out_of_memory(b);
    return t.data ? t : tub_no_tensor();
}

// Zeroed memory takes no physical memory until it is written to, however large it is.
static const void *shared_zeros(tub_binder *b, size_t bytes)
{
    if (b->zeros_count && bytes <= b->zeros_bytes)
        return b->zeros[b->zeros_count - 1];
    if (!tub_grow((void **)&b->zeros, &b->zeros_capacity, b->zeros_count + 1, sizeof *b->zeros))
        return NULL;
    void *zeros = tub_calloc(bytes, 1);
    if (!zeros)
        return NULL;
    b->zeros_bytes = bytes;
    return b->zeros[b->zeros_count++] = zeros;
}

static tub_tensor new_zeros(tub_binder *b, const char *name, int rank, const int64_t *dims)
{
    tub_tensor t = {.name = tub_arena_strdup(b->arena, name), .dtype = TUB_F32, .rank = rank};
    memcpy(t.dims, dims, (size_t)rank * sizeof *dims);
    t.data = t.name ? shared_zeros(b, (size_t)tub_tensor_count(&t) * sizeof(float)) : NULL;
    if (!t.data)
        out_of_memory(b);
    return t.data ? t : tub_no_tensor();
}

static tub_tensor create(tub_binder *b, tub_fill fill, const char *name, int rank, const int64_t *dims)
{
    float *data = NULL;
    tub_tensor t = b->measuring ? new_zeros(b, name, rank, dims) : new_tensor(b, name, rank, dims, &data);
    if (!t.data)
        return t;
    if (!tub_grow((void **)&b->created, &b->created_capacity, b->created_count + 1, sizeof *b->created)) {
        out_of_memory(b);
        return tub_no_tensor();
    }
    b->created[b->created_count++] = t;
    if (b->measuring)
        return t;
    int64_t count = tub_tensor_count(&t), rows = rank ? dims[0] : 1;
    tub_random_fill(data, (size_t)count, fill, rows ? count / rows : 1, b->seed, name);
    return t;
}

static tub_tensor bind(tub_binder *b, tub_fill fill, int rank, const int64_t *dims, const char *prefix,
                       const char *format, va_list args) __attribute__((format(printf, 6, 0)));

static tub_tensor bind(tub_binder *b, tub_fill fill, int rank, const int64_t *dims, const char *prefix,
                       const char *format, va_list args)
{
    char name[NAME_MOST];
    size_t at = (size_t)snprintf(name, sizeof name, "%s", prefix);
    int n = vsnprintf(name + at, sizeof name - at, format, args);
    if (b->status != TUB_OK)
        return tub_no_tensor();
    if (n < 0 || (size_t)n >= sizeof name - at) {
        mistake(b, name, "has a name that is too long");
        return tub_no_tensor();
    }
    const tub_tensor t = b->checkpoint ? load(b, name, rank, dims) : create(b, fill, name, rank, dims);
    // Only registers may be empty: sizes that come from the file, and that we divide by, are those of weights.
    if (b->status == TUB_OK && fill == TUB_FILL_WEIGHT && tub_tensor_count(&t) == 0) {
        mistake(b, name, "has no values: the file is damaged");
        return tub_no_tensor();
    }
    return t;
}

tub_tensor tub_bind(tub_binder *b, tub_fill fill, int rank, const int64_t *dims, const char *name, ...)
{
    va_list args;
    va_start(args, name);
    tub_tensor t = bind(b, fill, rank, dims, b->prefix, name, args);
    va_end(args);
    return t;
}

tub_tensor tub_bind_absolute(tub_binder *b, tub_fill fill, int rank, const int64_t *dims, const char *name, ...)
{
    va_list args;
    va_start(args, name);
    tub_tensor t = bind(b, fill, rank, dims, "", name, args);
    va_end(args);
    return t;
}

void *tub_bind_alloc(tub_binder *b, size_t count, size_t size)
{
    void *memory = b->status == TUB_OK ? tub_arena_alloc(b->arena, count, size) : NULL;
    if (!memory)
        out_of_memory(b);
    return memory;
}

tub_tensor tub_bind_new(tub_binder *b, const char *name, int rank, const int64_t *dims, float **data)
{
    *data = NULL;
    return b->status == TUB_OK ? new_tensor(b, name, rank, dims, data) : tub_no_tensor();
}

const float *tub_bind_floats(tub_binder *b, const tub_tensor *t)
{
    if (b->status != TUB_OK || !tub_tensor_is_there(t))
        return NULL;
    if (t->data && t->dtype == TUB_F32)
        return t->data;
    size_t count = (size_t)tub_tensor_count(t);
    float *out = tub_bind_alloc(b, count, sizeof *out);
    if (out)
        tub_tensor_floats(t, 0, (int64_t)count, out);
    return out;
}

// The type of the stack of `parts` (that of the parts if they agree, else float32) and its shape.
static tub_tensor stack_shape(const tub_tensor *parts, const int64_t *zeros, int count)
{
    tub_tensor t = {0};
    int64_t rows = 0;
    for (int i = 0; i < count; i++) {
        rows += parts[i].data ? parts[i].dims[0] : zeros ? zeros[i] : 0;
        if (!parts[i].data)
            continue;
        if (!t.rank)
            t = parts[i];
        else if (t.dtype != parts[i].dtype)
            t.dtype = TUB_F32;
    }
    t.dims[0] = rows;
    t.data = NULL;
    return t;
}

tub_tensor tub_bind_stack(tub_binder *b, const tub_tensor *parts, const int64_t *zeros, int count)
{
    tub_tensor t = stack_shape(parts, zeros, count);
    if (b->status != TUB_OK || !t.rank)
        return tub_no_tensor();
    if (!b->checkpoint)
        return t;
    size_t item = tub_dtype_bytes(t.dtype), row = item * (size_t)(tub_tensor_count(&t) / (t.dims[0] ? t.dims[0] : 1));
    char *to = tub_bind_alloc(b, (size_t)t.dims[0], row);
    t.data = to;
    for (int i = 0; to && !b->surveying && i < count; i++) {
        size_t values = parts[i].data ? (size_t)tub_tensor_count(&parts[i]) : 0;
        // Arena memory is already zero: a missing part is just skipped.
        if (parts[i].data && parts[i].dtype == t.dtype)
            memcpy(to, parts[i].data, values * item);
        else if (parts[i].data)
            tub_to_float((float *)(void *)to, parts[i].data, parts[i].dtype, values);
        to += parts[i].data ? values * item : zeros ? (size_t)zeros[i] * row : 0;
    }
    return t.data ? t : tub_no_tensor();
}

tub_tensor tub_bind_rows(tub_binder *b, const tub_tensor *parts, int count)
{
    tub_tensor t = stack_shape(parts, NULL, count);
    if (b->status != TUB_OK || !b->checkpoint)
        return t;
    tub_tensor *kept = tub_bind_alloc(b, (size_t)count, sizeof *kept);
    if (!kept)
        return tub_no_tensor();
    memcpy(kept, parts, (size_t)count * sizeof *kept);
    t.parts = kept;
    t.part_count = count;
    return t;
}

void tub_binder_ignore(tub_binder *b, const char *const *patterns)
{
    for (; *patterns && b->ignored_count < PATTERNS_MOST; patterns++)
        b->ignored[b->ignored_count++] = *patterns;
}

static bool matches(const char *pattern, const char *name)
{
    size_t length = strlen(pattern);
    if (length && pattern[length - 1] == '*')
        return strncmp(pattern, name, length - 1) == 0;
    return strcmp(pattern, name) == 0;
}

static bool is_ignored(const tub_binder *b, const char *name)
{
    for (size_t i = 0; i < b->ignored_count; i++)
        if (matches(b->ignored[i], name))
            return true;
    return false;
}

tub_status tub_binder_end(tub_binder *b, tub_error *err)
{
    for (size_t i = 0; b->checkpoint && b->status == TUB_OK && i < tub_checkpoint_count(b->checkpoint); i++) {
        tub_tensor t;
        tub_checkpoint_tensor(b->checkpoint, i, &t);
        if (!b->used[i] && !is_ignored(b, t.name))
            mistake(b, t.name, "is unexpected: this model, as config.json describes it, has no such tensor");
    }
    if (b->status != TUB_OK && err)
        *err = b->error;
    return b->status;
}

const tub_tensor *tub_binder_created(const tub_binder *b, size_t *count)
{
    *count = b->created_count;
    return b->created;
}

int64_t tub_binder_parameters(const tub_binder *b)
{
    int64_t sum = 0;
    for (size_t i = 0; i < b->created_count; i++)
        sum += tub_tensor_count(&b->created[i]);
    for (size_t i = 0; b->checkpoint && i < tub_checkpoint_count(b->checkpoint); i++) {
        tub_tensor t;
        tub_checkpoint_tensor(b->checkpoint, i, &t);
        sum += b->used[i] ? tub_tensor_count(&t) : 0;
    }
    return sum;
}
