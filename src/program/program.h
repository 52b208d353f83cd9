// Programs: a forward pass as a straight line of operations on named values.
//
// A model appends operations; a backend compiles them. There are no branches and no rewriting: the model's builder
// states what is fused (bias, activation, scale, residual). The `reference` backend defines the meaning of every
// operation.
//
// Every value is a matrix [rows, cols] *per item* (a clip, or a frame of a frame model): rows are tokens, columns are
// channels. WIDE values are always float32: the residual stream and what is computed from statistics. NARROW values
// have the program's compute type: float32, or bfloat16 if the backend was asked for it. All sums are in float32 or
// better.
//
// Constants are tensors that the model owns; they must outlive every executable's compilation, but not its runs.
//
// Thread-safety: a program is built by one thread and then only read.
#ifndef TUB_PROGRAM_H
#define TUB_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/encoder.h>
#include <tubelet/status.h>

// A constant in memory: row-major, in the type of its file.
typedef struct tub_tensor {
    const char *name;           // in the checkpoint, for messages
    tub_dtype dtype;            // F32, BF16 or F16
    int rank;
    int64_t dims[8];
    const void *data;
    const struct tub_tensor *parts; // of a stack (data is NULL): it has the rows of all parts, one below the other
    int part_count;
} tub_tensor;

int64_t tub_tensor_count(const tub_tensor *t);
// False: an empty tensor, for an operand that is left out.
bool tub_tensor_is_there(const tub_tensor *t);
// Copies the elements [first, first + count) as float32. This reads any tensor, also a stack, whose parts stay apart.
void tub_tensor_floats(const tub_tensor *t, int64_t first, int64_t count, float *out);
// The same elements in place, if they are float32 and contiguous; else NULL.
const float *tub_tensor_view(const tub_tensor *t, int64_t first, int64_t count);

typedef int tub_value;          // index into values; TUB_NONE for an operand that is left out
enum { TUB_NONE = -1 };

typedef enum tub_width { TUB_WIDE = 0, TUB_NARROW = 1 } tub_width;

typedef enum tub_op_kind {
    TUB_OP_PATCHES,     // pixels -> patch vectors
    TUB_OP_LINEAR,      // act(x Wt + b) * scale + residual
    TUB_OP_NORM,        // layer or RMS norm over each row
    TUB_OP_ADD_TABLE,   // x + constant
    TUB_OP_ADD,         // a + b
    TUB_OP_PREPEND,     // constant rows before the rows of x
    TUB_OP_ROTATE,      // rotary position embedding of column slices
    TUB_OP_ATTENTION,   // softmax(q kT * scale) v, per head
    TUB_OP_GATE,        // act(first half of the columns) * second half
    TUB_OP_ROWS,        // a range of rows
    TUB_OP_GATHER,      // rows by a constant list
    TUB_OP_CONCAT,      // the rows of a, then those of b
    TUB_OP_MEAN,        // mean over all rows
    TUB_OP_COUNT
} tub_op_kind;

typedef enum tub_activation {
    TUB_ACT_NONE,
    TUB_ACT_GELU,           // 0.5 x (1 + erf(x / sqrt 2))
    TUB_ACT_GELU_TANH,      // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
    TUB_ACT_QUICK_GELU,     // x sigmoid(1.702 x)
    TUB_ACT_SILU,           // x sigmoid(x)
    TUB_ACT_TANH,
} tub_activation;

typedef enum tub_norm {
    TUB_NORM_LAYER,         // (x - mean) / sqrt(variance + eps) * weight + bias
    TUB_NORM_RMS,           // x / sqrt(mean of squares + eps) * weight
    TUB_NORM_L2,            // x / max(||x||, eps) * weight
} tub_norm;

typedef enum tub_pairing {
    TUB_PAIR_INTERLEAVED,   // out[2i] = x[2i] cos[2i] - x[2i+1] sin[2i];  out[2i+1] = x[2i+1] cos[2i+1] + x[2i] sin[2i+1]
    TUB_PAIR_HALVES,        // out[j] = x[j] cos[j] - x[j+d/2] sin[j] (j < d/2), x[j] cos[j] + x[j-d/2] sin[j] (else)
} tub_pairing;

typedef struct tub_op {
    tub_op_kind kind;
    tub_value in[4];        // TUB_NONE beyond what the kind takes
    tub_value out;
    const char *label;      // what it is in the network: "layer 3 attention"; static, or the program's
    union {
        struct {            // frames of the item, kernel (kt, ky, kx) = stride; vector order (c, t, y, x), x fastest;
            int kt, ky, kx; // rows ordered (t, y, x); remainders at the right and bottom are dropped. An item with
                            // fewer
        } patches;          // than kt frames counts as kt copies of itself, one after another
        struct {            // in: x narrow [r, K], residual (wide [r, N] or NONE)
            tub_tensor weight;      // [N, K] (more dims are flattened: [N, product])
            tub_tensor bias;        // [N]; data NULL: none
            tub_tensor scale;       // [N] LayerScale, after the activation, before the residual; data NULL: none
            tub_activation activation;
        } linear;
        struct {            // in: x. `count` slices of `dim` columns from column 0 are normed, each by itself; the
            tub_norm kind;  // columns behind them stay as they are
            tub_tensor weight;      // [count * dim]
            tub_tensor bias;        // [count * dim]; data NULL: none
            double eps;
            int dim, count;         // the whole row: cols and 1
        } norm;
        struct {            // in: x [r, c]
            tub_tensor table;       // [r, c]
        } add_table;
        struct {            // in: x [r, c] -> [R + r, c]
            tub_tensor rows;        // [R, c]
        } prepend;
        struct {            // in: x narrow [r, c]. Slices: `count` blocks of `heads * dim` columns from column 0
            tub_tensor cosine, sine; // F32 [r - skip, dim] each
            int heads, dim;         // dim: columns of a head
            int blocks;             // how many heads*dim blocks are rotated: 2 for q and k of a stacked qkv
            int skip;               // how many rows at the front are not rotated (class token, registers)
            int frame;              // 0, or rows of a frame: then the angles are [TUB_POSITIONS_COUNT * frame, dim],
                                    // and a run gives each frame's position: see tub_rotate_row()
            tub_pairing pairing;
        } rotate;
        struct {            // in: q, k, v (may be the same value with different columns)
            int q_column, k_column, v_column;   // first column of each
            int heads, dim;
            int groups;             // equal runs of rows: queries of a run attend to keys and values of the same run
            double scale;
            tub_tensor query;       // if in[0] is NONE: constant queries [rows, heads*dim]
        } attention;
        struct {            // in: x narrow [r, 2F] -> narrow [r, F]
            tub_activation activation;
        } gate;
        struct {
            int first, count;
        } rows;
        struct {            // in: x [r, c]
            const int *index;       // [rows of out], the model's memory: rows of x in any order, repeats allowed
        } gather;
    };
} tub_op;

typedef struct tub_value_info {
    int rows, cols;
    tub_width width;
    int first_op, last_op;      // the operations that make it and that read it last; INT_MAX: an output
} tub_value_info;

// The form of the pixels. `table`: uint8 pixels become table[c][level]; float pixels are taken as they are.
typedef struct tub_input {
    int frames, height, width;
    bool is_float;              // pointers are float32 planar [3, h, w]; else uint8 [h, w, 3]
    float table[3][256];
} tub_input;

enum { TUB_PROGRAM_OPS = 2048, TUB_PROGRAM_VALUES = 2048 };

typedef struct tub_program {
    tub_input input;
    tub_op *ops;
    int op_count;
    tub_value_info *values;
    int value_count;
    tub_value feature;          // [1, dim]: the row
    tub_value tokens;           // [tokens, token_dim]: the last hidden state
    bool positions;             // runs must give the frames' positions
    // Building needs no checks at each step: the first mistake is kept, and reported by tub_program_end().
    tub_status status;
    tub_error error;
} tub_program;

tub_status tub_program_begin(const tub_input *input, tub_program **out, tub_error *err);
void tub_program_free(tub_program **program);       // accepts NULL

// Appenders: each adds an operation and returns its value (TUB_NONE after a mistake: a shape that doesn't fit, named
// by `label`).
tub_value tub_patches(tub_program *p, const char *label, int kt, int ky, int kx);
tub_value tub_linear(tub_program *p, const char *label, tub_value x, tub_tensor weight, tub_tensor bias,
                     tub_activation activation, tub_width width);
// x Wt + b, times scale (may be empty), plus residual: always wide.
tub_value tub_linear_residual(tub_program *p, const char *label, tub_value x, tub_tensor weight, tub_tensor bias,
                              tub_tensor scale, tub_value residual);
tub_value tub_norm_rows(tub_program *p, const char *label, tub_value x, tub_norm kind, tub_tensor weight,
                        tub_tensor bias, double eps, tub_width width);
// Norms several slices of a row, each by itself: `count` times `dim` columns (q and k of a stacked qkv). Keeps the
// width.
tub_value tub_norm_slices(tub_program *p, const char *label, tub_value x, tub_norm kind, tub_tensor weight, double eps,
                          int dim, int count);
tub_value tub_add_table(tub_program *p, const char *label, tub_value x, tub_tensor table);   // any width -> wide
tub_value tub_add(tub_program *p, const char *label, tub_value a, tub_value b);              // wide both
tub_value tub_prepend(tub_program *p, const char *label, tub_value x, tub_tensor rows);
tub_value tub_rotate(tub_program *p, const char *label, tub_value x, tub_tensor cosine, tub_tensor sine, int heads,
                     int dim, int blocks, int skip, tub_pairing pairing);
// Likewise, by the positions of the item's frames, which have `frame` rows each.
tub_value tub_rotate_frames(tub_program *p, const char *label, tub_value x, tub_tensor cosine, tub_tensor sine,
                            int heads, int dim, int blocks, int frame, tub_pairing pairing);
// The row of the angles that rotates a row of x (not one of the first `skip`). `positions`: of the item's frames.
int tub_rotate_row(const tub_op *op, const int *positions, int row);
// Self-attention over a stacked [r, 3*heads*dim] value: q | k | v. `groups` (1: none): equal runs of rows, each of
// which attends only to itself.
tub_value tub_attention(tub_program *p, const char *label, tub_value qkv, int heads, int dim, double scale);
tub_value tub_attention_groups(tub_program *p, const char *label, tub_value qkv, int heads, int dim, double scale,
                               int groups);
// Separate q, k and v, [rows, heads*dim] each; k and v may have more or fewer rows than q.
tub_value tub_attention_values(tub_program *p, const char *label, tub_value q, tub_value k, tub_value v, int heads,
                               int dim, double scale, int groups);
// Constant queries over a stacked [r, 2*heads*dim] value: k | v. Result narrow [query rows, heads*dim].
tub_value tub_attention_pool(tub_program *p, const char *label, tub_tensor query, tub_value kv, int heads, int dim,
                             double scale);
tub_value tub_gate(tub_program *p, const char *label, tub_value x, tub_activation activation);
tub_value tub_rows(tub_program *p, const char *label, tub_value x, int first, int count);   // keeps the width
// `index`: rows of x, the model's memory. Keeps the width.
tub_value tub_gather(tub_program *p, const char *label, tub_value x, const int *index, int count);
tub_value tub_concat(tub_program *p, const char *label, tub_value a, tub_value b);           // of one width; keeps it
tub_value tub_mean(tub_program *p, const char *label, tub_value x);                          // wide [1, cols]

// Names the outputs and checks the whole program. Errors: TUB_ERROR_INTERNAL with the first mistake.
tub_status tub_program_end(tub_program *p, tub_value feature, tub_value tokens, tub_error *err);

// An empty tensor, for operands that are left out.
tub_tensor tub_no_tensor(void);

// Operations; a multiply-add counts as two.
double tub_op_flops(const tub_program *p, const tub_op *op);
double tub_program_flops(const tub_program *p);
const char *tub_op_name(tub_op_kind kind);

// Marks the operations that the wanted outputs need: need[op_count]. Without `tokens`, the last hidden state is
// computed only as far as the feature needs it.
void tub_program_needed(const tub_program *p, bool tokens, bool *need);

// Workspace by liveness: offsets [value_count] (multiples of 64) into one block of *bytes bytes for one item. Values
// that aren't live at the same time share memory. `narrow_bytes`: bytes of a narrow element. `need`: from above. A
// value that isn't computed has the offset SIZE_MAX. Errors: TUB_ERROR_MEMORY.
tub_status tub_program_place(const tub_program *p, const bool *need, size_t narrow_bytes, size_t *offsets,
                             size_t *bytes, tub_error *err);
// Likewise, but some values are written over others. share[v] is v, or an earlier value whose own memory v takes over.
tub_status tub_program_place_shared(const tub_program *p, const bool *need, size_t narrow_bytes, const tub_value *share,
                                    size_t *offsets, size_t *bytes, tub_error *err);

// The operand into whose memory an operation could write its result; TUB_NONE: none.
tub_value tub_op_replaceable(const tub_op *op);
// The last needed operation that reads a value (the one that makes it, if none reads it); INT_MAX for outputs.
int tub_program_last_use(const tub_program *p, const bool *need, tub_value v);

// Writes one line per operation into `out` (at most `bytes`, NUL included). Returns the length of the whole text.
size_t tub_program_print(const tub_program *p, char *out, size_t bytes);

#endif
