// Reads the pickles of torch.save without running anything.
//
// A pickle is a program for a stack machine. This machine knows the instructions that make None, booleans, numbers,
// text, tuples, lists and dicts, and a fixed list of names: collections.OrderedDict, torch._utils._rebuild_tensor_v2,
// torch._utils._rebuild_parameter and torch.<X>Storage. Any other name is refused as soon as it is mentioned.
//
// The machine doesn't recurse, and what it makes is never copied or expanded. So neither depth nor repeated references
// to the same thing cost anything. The caller gives a memory budget; a file that needs more is refused.
//
// Text and names are not copied: they point into the pickle, which must outlive the machine.
#ifndef TUB_TORCH_PICKLE_H
#define TUB_TORCH_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"
#include "program.h"

typedef enum tub_pickle_kind {
    TUB_PICKLE_NOTHING = 0,     // an unused place of the memo
    TUB_PICKLE_NONE,
    TUB_PICKLE_BOOL,
    TUB_PICKLE_INTEGER,
    TUB_PICKLE_LARGE,           // an integer beyond 64 bits: its bytes, as text
    TUB_PICKLE_REAL,
    TUB_PICKLE_TEXT,
    TUB_PICKLE_BYTES,
    TUB_PICKLE_TUPLE,
    TUB_PICKLE_LIST,
    TUB_PICKLE_DICT,            // and OrderedDict; keys and values alternate, in the order in which they were set
    TUB_PICKLE_GLOBAL,
    TUB_PICKLE_STORAGE,
    TUB_PICKLE_TENSOR,
} tub_pickle_kind;

typedef enum tub_pickle_global {
    TUB_GLOBAL_ORDERED_DICT,
    TUB_GLOBAL_REBUILD_TENSOR,
    TUB_GLOBAL_REBUILD_PARAMETER,
    TUB_GLOBAL_STORAGE,         // plus the index of its type: tub_torch_type_at()
} tub_pickle_global;

// A type of torch: its storage class, without "torch.".
typedef struct tub_torch_type {
    const char *storage;
    const char *type;           // safetensors' name, or NULL
    int width;                  // bytes
    tub_dtype dtype;            // TUB_DTYPE_AUTO: not a weight
} tub_torch_type;

typedef struct tub_pickle_value {
    tub_pickle_kind kind;
    uint32_t length;            // of the text
    union {
        int64_t integer;        // also booleans and globals
        double real;
        const char *text;       // not NUL-terminated
        struct tub_pickle_items *items;
        struct tub_torch_storage *storage;
        struct tub_torch_tensor *tensor;
    };
} tub_pickle_value;

typedef struct tub_pickle_items {
    tub_pickle_value *at;
    size_t count, capacity;
    bool visited;               // for functions that walk over them
    struct tub_pickle_items *next;
} tub_pickle_items;

typedef struct tub_torch_storage {
    tub_pickle_value key;       // text: its name in the container
    const tub_torch_type *type;
    int64_t count;              // stated number of values
    struct tub_torch_storage *next;
} tub_torch_storage;

typedef struct tub_torch_tensor {
    const tub_torch_storage *storage;
    int64_t first;              // index of its first value in the storage
    int rank;
    int64_t dims[8], strides[8];
} tub_torch_tensor;

typedef struct tub_pickle {
    const char *path;           // for messages
    const uint8_t *data;
    size_t bytes, at;
    bool cut_short;             // reading failed because the bytes ended
    tub_pickle_value *stack, *memo;
    size_t *marks;
    size_t depth, stack_capacity, memo_count, memo_capacity, mark_count, mark_capacity;
    tub_pickle_items *items;    // all that were made
    tub_torch_storage *storages;
    tub_arena arena;
    char *block;                // rest of the arena's last allocation
    size_t left;
    size_t budget;
} tub_pickle;

// `budget`: bytes of memory that the machine may use.
void tub_pickle_init(tub_pickle *p, const char *path, const uint8_t *data, size_t bytes, size_t budget);
void tub_pickle_finish(tub_pickle *p);

// Runs the pickle that begins at p->at, and sets p->at to its end. What it makes lives as long as the machine. The memo
// starts empty. Errors: TUB_ERROR_MODEL (a refused name, a malformed pickle, the budget), TUB_ERROR_MEMORY.
tub_status tub_pickle_run(tub_pickle *p, tub_pickle_value *out, tub_error *err);

// Takes bytes from the budget.
tub_status tub_pickle_charge(tub_pickle *p, size_t bytes, tub_error *err);
// Zeroed memory that lives as long as the machine, taken from the budget.
tub_status tub_pickle_alloc(tub_pickle *p, size_t bytes, void **out, tub_error *err);

bool tub_pickle_is(const tub_pickle_value *v, const char *text);
// The value of a text key, the last one that was set; NULL if there is none or `dict` isn't a dict.
const tub_pickle_value *tub_pickle_get(const tub_pickle_value *dict, const char *key);

const tub_torch_type *tub_torch_type_at(size_t i);  // NULL past the last

// What names and calls mean (torch_rebuild.c).
tub_status tub_pickle_name(tub_pickle *p, tub_pickle_value module, tub_pickle_value name, tub_pickle_value *out,
                           tub_error *err);
tub_status tub_pickle_call(tub_pickle *p, tub_pickle_value function, tub_pickle_value arguments, tub_pickle_value *out,
                           tub_error *err);
tub_status tub_pickle_storage(tub_pickle *p, tub_pickle_value id, tub_pickle_value *out, tub_error *err);
// A list or dict with room for `count` values, which are copied.
tub_status tub_pickle_items_make(tub_pickle *p, tub_pickle_kind kind, const tub_pickle_value *values, size_t count,
                                 tub_pickle_value *out, tub_error *err);
tub_status tub_pickle_items_add(tub_pickle *p, tub_pickle_items *items, const tub_pickle_value *values, size_t count,
                                tub_error *err);
// "FILE: PROBLEM at byte N of its pickle".
tub_status tub_pickle_fail(const tub_pickle *p, const char *problem, tub_error *err);

#endif
