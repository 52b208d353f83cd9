// The instructions: one function for each, or for a few that differ only in width.
#include "torch_pickle.h"

#include <string.h>

#include "fail.h"

enum { TEXT_MOST = 1 << 20 };

typedef tub_status instruction(tub_pickle *p, uint8_t code, tub_error *err);

static tub_status grow(tub_pickle *p, void *array, size_t *capacity, size_t need, size_t size, tub_error *err)
{
    size_t before = *capacity;
    if (need <= before)
        return TUB_OK;
    size_t more = need > 2 * before ? need : 2 * before;
    TUB_TRY(tub_pickle_charge(p, ((more < 8 ? 8 : more) - before) * size, err));
    void *memory;
    memcpy(&memory, array, sizeof memory);
    if (!tub_grow(&memory, capacity, need, size))
        return tub_fail_memory(err, "a torch.save file");
    memset((char *)memory + before * size, 0, (*capacity - before) * size);
    memcpy(array, &memory, sizeof memory);
    return TUB_OK;
}

static tub_status push(tub_pickle *p, tub_pickle_value value, tub_error *err)
{
    TUB_TRY(grow(p, &p->stack, &p->stack_capacity, p->depth + 1, sizeof value, err));
    p->stack[p->depth++] = value;
    return TUB_OK;
}

// Only what is above the last mark can be taken.
static size_t floor_of(const tub_pickle *p)
{
    return p->mark_count ? p->marks[p->mark_count - 1] : 0;
}

static tub_status pop(tub_pickle *p, tub_pickle_value *out, tub_error *err)
{
    if (p->depth <= floor_of(p))
        return tub_pickle_fail(p, "a value is missing", err);
    *out = p->stack[--p->depth];
    return TUB_OK;
}

// Takes the last mark, and the values above it, off the stack: `*count` values, from stack[*first] on.
static tub_status pop_mark(tub_pickle *p, size_t *first, size_t *count, tub_error *err)
{
    if (!p->mark_count)
        return tub_pickle_fail(p, "a mark is missing", err);
    *first = p->marks[--p->mark_count];
    *count = p->depth - *first;
    p->depth = *first;
    return TUB_OK;
}

static tub_status take(tub_pickle *p, size_t bytes, const uint8_t **out, tub_error *err)
{
    if (bytes > p->bytes - p->at) {
        p->cut_short = true;
        return tub_pickle_fail(p, "it is cut short", err);
    }
    *out = p->data + p->at;
    p->at += bytes;
    return TUB_OK;
}

static tub_status take_number(tub_pickle *p, size_t width, uint64_t *out, tub_error *err)
{
    const uint8_t *bytes = NULL;
    TUB_TRY(take(p, width, &bytes, err));
    *out = 0;
    for (size_t i = width; i-- > 0;)
        *out = *out << 8 | bytes[i];
    return TUB_OK;
}

static tub_status run_protocol(tub_pickle *p, uint8_t code, tub_error *err)
{
    uint64_t version;
    (void)code;
    TUB_TRY(take_number(p, 1, &version, err));
    return version >= 2 && version <= 5 ? TUB_OK : tub_pickle_fail(p, "an unknown protocol", err);
}

// The number of bytes until the next frame isn't needed.
static tub_status run_frame(tub_pickle *p, uint8_t code, tub_error *err)
{
    uint64_t length;
    (void)code;
    return take_number(p, 8, &length, err);
}

static tub_status run_constant(tub_pickle *p, uint8_t code, tub_error *err)
{
    if (code == 'N')
        return push(p, (tub_pickle_value){.kind = TUB_PICKLE_NONE}, err);
    return push(p, (tub_pickle_value){.kind = TUB_PICKLE_BOOL, .integer = code == 0x88}, err);
}

static tub_status run_integer(tub_pickle *p, uint8_t code, tub_error *err)
{
    uint64_t number;
    TUB_TRY(take_number(p, code == 'J' ? 4 : code == 'M' ? 2 : 1, &number, err));
    int64_t value = code == 'J' ? (int32_t)(uint32_t)number : (int64_t)number;
    return push(p, (tub_pickle_value){.kind = TUB_PICKLE_INTEGER, .integer = value}, err);
}

static tub_status run_long(tub_pickle *p, uint8_t code, tub_error *err)
{
    uint64_t width;
    const uint8_t *bytes = NULL;
    (void)code;
    TUB_TRY(take_number(p, 1, &width, err));
    TUB_TRY(take(p, width, &bytes, err));
    if (width > 8)
        return push(p, (tub_pickle_value){TUB_PICKLE_LARGE, (uint32_t)width, {.text = (const char *)bytes}}, err);
    uint64_t number = width && bytes[width - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = width; i-- > 0;)
        number = number << 8 | bytes[i];
    return push(p, (tub_pickle_value){.kind = TUB_PICKLE_INTEGER, .integer = (int64_t)number}, err);
}

static tub_status run_real(tub_pickle *p, uint8_t code, tub_error *err)
{
    const uint8_t *bytes = NULL;
    (void)code;
    TUB_TRY(take(p, 8, &bytes, err));
    uint64_t bits = 0; // big-endian, unlike all other numbers
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i];
    tub_pickle_value v = {.kind = TUB_PICKLE_REAL};
    memcpy(&v.real, &bits, sizeof v.real);
    return push(p, v, err);
}

// Text and bytes, after a length of 1, 4 or 8 bytes.
static tub_status run_text(tub_pickle *p, uint8_t code, tub_error *err)
{
    bool is_short = code == 0x8c || code == 'U' || code == 'C', is_long = code == 0x8d || code == 0x8e;
    bool is_bytes = code == 'C' || code == 'B' || code == 0x8e;
    uint64_t length;
    const uint8_t *text = NULL;
    TUB_TRY(take_number(p, is_short ? 1 : is_long ? 8 : 4, &length, err));
    if (length > TEXT_MOST)
        return tub_pickle_fail(p, "a text that is too long", err);
    TUB_TRY(take(p, length, &text, err));
    tub_pickle_kind kind = is_bytes ? TUB_PICKLE_BYTES : TUB_PICKLE_TEXT;
    return push(p, (tub_pickle_value){kind, (uint32_t)length, {.text = (const char *)text}}, err);
}

static tub_status run_empty(tub_pickle *p, uint8_t code, tub_error *err)
{
    tub_pickle_value v;
    tub_pickle_kind kind = code == '}' ? TUB_PICKLE_DICT : code == ']' ? TUB_PICKLE_LIST : TUB_PICKLE_TUPLE;
    TUB_TRY(tub_pickle_items_make(p, kind, NULL, 0, &v, err));
    return push(p, v, err);
}

static tub_status run_mark(tub_pickle *p, uint8_t code, tub_error *err)
{
    (void)code;
    TUB_TRY(grow(p, &p->marks, &p->mark_capacity, p->mark_count + 1, sizeof *p->marks, err));
    p->marks[p->mark_count++] = p->depth;
    return TUB_OK;
}

static tub_status run_tuple(tub_pickle *p, uint8_t code, tub_error *err)
{
    size_t first = 0, count = 0;
    if (code == 't') {
        TUB_TRY(pop_mark(p, &first, &count, err));
    } else {
        count = (size_t)code - 0x84;
        if (p->depth - floor_of(p) < count)
            return tub_pickle_fail(p, "a value is missing", err);
        first = p->depth -= count;
    }
    tub_pickle_value v;
    // If nothing was pushed yet, there is no stack to point into.
    TUB_TRY(tub_pickle_items_make(p, TUB_PICKLE_TUPLE, count ? p->stack + first : NULL, count, &v, err));
    return push(p, v, err);
}

// APPEND, APPENDS, SETITEM, SETITEMS: what is on the stack goes into the list or dict below it.
static tub_status run_add(tub_pickle *p, uint8_t code, tub_error *err)
{
    bool dict = code == 's' || code == 'u';
    size_t first = 0, count = code == 'a' ? 1 : 2;
    if (code == 'e' || code == 'u') {
        TUB_TRY(pop_mark(p, &first, &count, err));
    } else {
        if (p->depth - floor_of(p) < count)
            return tub_pickle_fail(p, "a value is missing", err);
        first = p->depth -= count;
    }
    if (first <= floor_of(p) || p->stack[first - 1].kind != (dict ? TUB_PICKLE_DICT : TUB_PICKLE_LIST))
        return tub_pickle_fail(p, dict ? "a dict is missing" : "a list is missing", err);
    if (dict && count % 2)
        return tub_pickle_fail(p, "a key without a value", err);
    return tub_pickle_items_add(p, p->stack[first - 1].items, p->stack + first, count, err);
}

static tub_status run_put(tub_pickle *p, uint8_t code, tub_error *err)
{
    uint64_t index = 0;
    TUB_TRY(take_number(p, code == 'q' ? 1 : 4, &index, err));
    if (p->depth <= floor_of(p))
        return tub_pickle_fail(p, "a value is missing", err);
    // Values are numbered one after another, and each takes at least a byte.
    if (index >= p->at)
        return tub_pickle_fail(p, "a reference beyond all values", err);
    TUB_TRY(grow(p, &p->memo, &p->memo_capacity, index + 1, sizeof *p->memo, err));
    p->memo_count = p->memo_count > index ? p->memo_count : index + 1;
    p->memo[index] = p->stack[p->depth - 1];
    return TUB_OK;
}

static tub_status run_memoize(tub_pickle *p, uint8_t code, tub_error *err)
{
    (void)code;
    if (p->depth <= floor_of(p))
        return tub_pickle_fail(p, "a value is missing", err);
    TUB_TRY(grow(p, &p->memo, &p->memo_capacity, p->memo_count + 1, sizeof *p->memo, err));
    p->memo[p->memo_count++] = p->stack[p->depth - 1];
    return TUB_OK;
}

static tub_status run_get(tub_pickle *p, uint8_t code, tub_error *err)
{
    uint64_t index;
    TUB_TRY(take_number(p, code == 'h' ? 1 : 4, &index, err));
    if (index >= p->memo_count || p->memo[index].kind == TUB_PICKLE_NOTHING)
        return tub_pickle_fail(p, "a reference to a value that isn't there", err);
    return push(p, p->memo[index], err);
}

static tub_status take_line(tub_pickle *p, tub_pickle_value *out, tub_error *err)
{
    const uint8_t *start = p->data + p->at, *end = memchr(start, '\n', p->bytes - p->at);
    size_t length = end ? (size_t)(end - start) : TEXT_MOST;
    const uint8_t *taken = NULL;
    if (end && length >= TEXT_MOST)
        return tub_pickle_fail(p, "a name that is too long", err);
    TUB_TRY(take(p, end ? length + 1 : p->bytes - p->at + 1, &taken, err));
    *out = (tub_pickle_value){TUB_PICKLE_TEXT, (uint32_t)length, {.text = (const char *)taken}};
    return TUB_OK;
}

static tub_status run_global(tub_pickle *p, uint8_t code, tub_error *err)
{
    tub_pickle_value module, name, v;
    if (code == 'c') {
        TUB_TRY(take_line(p, &module, err));
        TUB_TRY(take_line(p, &name, err));
    } else {
        TUB_TRY(pop(p, &name, err));
        TUB_TRY(pop(p, &module, err));
    }
    TUB_TRY(tub_pickle_name(p, module, name, &v, err));
    return push(p, v, err);
}

static tub_status run_call(tub_pickle *p, uint8_t code, tub_error *err)
{
    tub_pickle_value function, arguments, v;
    (void)code;
    TUB_TRY(pop(p, &arguments, err));
    TUB_TRY(pop(p, &function, err));
    TUB_TRY(tub_pickle_call(p, function, arguments, &v, err));
    return push(p, v, err);
}

static tub_status run_storage(tub_pickle *p, uint8_t code, tub_error *err)
{
    tub_pickle_value id, v;
    (void)code;
    TUB_TRY(pop(p, &id, err));
    TUB_TRY(tub_pickle_storage(p, id, &v, err));
    return push(p, v, err);
}

// The state of an object; for an OrderedDict, it is its attributes (_metadata), which nobody needs.
static tub_status run_build(tub_pickle *p, uint8_t code, tub_error *err)
{
    tub_pickle_value state;
    (void)code;
    TUB_TRY(pop(p, &state, err));
    if (p->depth <= floor_of(p) || p->stack[p->depth - 1].kind != TUB_PICKLE_DICT)
        return tub_pickle_fail(p, "it sets the state of something that isn't an OrderedDict", err);
    return TUB_OK;
}

static tub_status run_pop(tub_pickle *p, uint8_t code, tub_error *err)
{
    tub_pickle_value v;
    size_t first = 0, count = 0;
    // POP takes a mark if there is nothing above it.
    if (code == '1' || (p->mark_count && p->depth == floor_of(p)))
        return pop_mark(p, &first, &count, err);
    return pop(p, &v, err);
}

static instruction *const instructions[256] = {
    [0x80] = run_protocol, [0x95] = run_frame,  ['N'] = run_constant, [0x88] = run_constant, [0x89] = run_constant,
    ['J'] = run_integer,   ['K'] = run_integer, ['M'] = run_integer,  [0x8a] = run_long,     ['G'] = run_real,
    ['X'] = run_text,      [0x8c] = run_text,   [0x8d] = run_text,    ['U'] = run_text,      ['T'] = run_text,
    ['C'] = run_text,      ['B'] = run_text,    [0x8e] = run_text,    ['}'] = run_empty,     [']'] = run_empty,
    [')'] = run_empty,     ['('] = run_mark,    ['t'] = run_tuple,    [0x85] = run_tuple,    [0x86] = run_tuple,
    [0x87] = run_tuple,    ['a'] = run_add,     ['e'] = run_add,      ['s'] = run_add,       ['u'] = run_add,
    ['q'] = run_put,       ['r'] = run_put,     [0x94] = run_memoize, ['h'] = run_get,       ['j'] = run_get,
    ['c'] = run_global,    [0x93] = run_global, ['R'] = run_call,     ['Q'] = run_storage,   ['b'] = run_build,
    ['0'] = run_pop,       ['1'] = run_pop,
};

static void forget(tub_pickle *p)
{
    p->depth = p->mark_count = p->memo_count = 0;
    if (p->memo_capacity)
        memset(p->memo, 0, p->memo_capacity * sizeof *p->memo);
}

tub_status tub_pickle_run(tub_pickle *p, tub_pickle_value *out, tub_error *err)
{
    forget(p);
    for (;;) {
        const uint8_t *code = NULL;
        TUB_TRY(take(p, 1, &code, err));
        if (*code == '.')
            break;
        if (!instructions[*code])
            return tub_pickle_fail(p, "an instruction that torch.save doesn't write", err);
        TUB_TRY(instructions[*code](p, *code, err));
    }
    if (p->mark_count || p->depth != 1)
        return tub_pickle_fail(p, "it ends with more or less than one value", err);
    return pop(p, out, err);
}
