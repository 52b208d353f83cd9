#include "npy_header.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "half.h"
#include "params.h"

enum { PREFIX = 10, KEY_BYTES = 16 };

bool tub_npy_data_bytes(tub_dtype dtype, int rank, const int64_t *dims, int64_t *bytes)
{
    if ((dtype != TUB_F32 && dtype != TUB_F16 && dtype != TUB_U8) || rank < 0 || rank > TUB_NPY_RANK)
        return false;
    // Even with an empty dimension, the product of the others must not overflow.
    int64_t product = (int64_t)tub_dtype_bytes(dtype);
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return false;
        empty = empty || dims[i] == 0;
        if (dims[i] && __builtin_mul_overflow(product, dims[i], &product))
            return false;
    }
    *bytes = empty ? 0 : product;
    return true;
}

tub_status tub_npy_header(tub_dtype dtype, int rank, const int64_t *dims, char out[TUB_NPY_HEADER], tub_error *err)
{
    char text[512];
    int64_t bytes;
    TUB_TRY(tub_check_given("dims", rank > 0 ? (const void *)dims : "", err));
    TUB_TRY(tub_check_given("out", out, err));
    if (!tub_npy_data_bytes(dtype, rank, dims, &bytes))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "an array of this type or shape can't be a .npy file");
    int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                     dtype == TUB_F32   ? "<f4"
                     : dtype == TUB_F16 ? "<f2"
                                        : "|u1");
    for (int i = 0; i < rank; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%lld%s", i ? " " : "", (long long)dims[i],
                      i + 1 < rank || rank == 1 ? "," : "");
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    if (n > TUB_NPY_HEADER - PREFIX - 1)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "the array's shape doesn't fit into a .npy header of %d bytes",
                        TUB_NPY_HEADER);
    memset(out, ' ', TUB_NPY_HEADER);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = TUB_NPY_HEADER - PREFIX;
    out[9] = 0;
    memcpy(out + PREFIX, text, (size_t)n);
    out[TUB_NPY_HEADER - 1] = '\n';
    return TUB_OK;
}

static void skip_space(const char **s)
{
    while (isspace((unsigned char)**s))
        ++*s;
}

static bool expect(const char **s, char c)
{
    skip_space(s);
    if (**s != c)
        return false;
    ++*s;
    return true;
}

// A quoted word without escapes.
static bool word(const char **s, char out[KEY_BYTES])
{
    skip_space(s);
    char quote = **s;
    if (quote != '\'' && quote != '"')
        return false;
    const char *first = *s + 1, *last = strchr(first, quote);
    if (!last || last - first >= KEY_BYTES)
        return false;
    memcpy(out, first, (size_t)(last - first));
    out[last - first] = 0;
    *s = last + 1;
    return true;
}

static bool parse_descr(const char **s, tub_array *out, const char **reason)
{
    char name[KEY_BYTES];
    *reason = "its type is none of float32 ('<f4'), float16 ('<f2') and uint8 ('|u1')";
    if (!word(s, name))
        return false;
    if (strcmp(name, "<f4") == 0)
        out->dtype = TUB_F32;
    else if (strcmp(name, "<f2") == 0)
        out->dtype = TUB_F16;
    else if (strcmp(name, "|u1") == 0 || strcmp(name, "<u1") == 0)
        out->dtype = TUB_U8;
    else
        return false;
    return true;
}

static bool parse_order(const char **s, const char **reason)
{
    *reason = "it is in Fortran order: save it in C order";
    skip_space(s);
    if (strncmp(*s, "False", 5) != 0)
        return false;
    *s += 5;
    return true;
}

static bool parse_shape(const char **s, tub_array *out, const char **reason)
{
    *reason = "its shape can't be read";
    if (!expect(s, '('))
        return false;
    for (out->rank = 0; !expect(s, ')'); out->rank++) {
        if (out->rank == TUB_NPY_RANK) {
            *reason = "it has more than 8 dimensions";
            return false;
        }
        char *end;
        errno = 0;
        long long dim = isdigit((unsigned char)**s) ? strtoll(*s, &end, 10) : -1;
        if (dim < 0 || errno)
            return false;
        out->dims[out->rank] = dim;
        *s = end;
        if (!expect(s, ',')) {
            skip_space(s);
            if (**s != ')')
                return false;
        }
    }
    return true;
}

enum { DESCR = 1, ORDER = 2, SHAPE = 4 };

// Parses one "key: value". A repeated or unknown key is wrong.
static bool parse_item(const char **s, int *seen, tub_array *out, const char **reason)
{
    char key[KEY_BYTES];
    if (!word(s, key) || !expect(s, ':'))
        return false;
    int which = 0;
    if (strcmp(key, "descr") == 0)
        which = DESCR;
    else if (strcmp(key, "fortran_order") == 0)
        which = ORDER;
    else if (strcmp(key, "shape") == 0)
        which = SHAPE;
    if (!which || *seen & which)
        return false;
    *seen |= which;
    if (which == DESCR)
        return parse_descr(s, out, reason);
    return which == ORDER ? parse_order(s, reason) : parse_shape(s, out, reason);
}

bool tub_npy_parse_header(const char *s, tub_array *out, const char **reason)
{
    static const char unreadable[] = "its header can't be read";
    int seen = 0;
    *out = (tub_array){0};
    *reason = unreadable;
    if (!expect(&s, '{'))
        return false;
    while (!expect(&s, '}')) {
        if (!parse_item(&s, &seen, out, reason))
            return false;
        *reason = unreadable;
        if (!expect(&s, ',')) {
            if (!expect(&s, '}'))
                return false;
            break;
        }
    }
    skip_space(&s);
    return seen == (DESCR | ORDER | SHAPE) && *s == 0;
}
