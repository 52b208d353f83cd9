#include "json_scan.h"

#include <stdbool.h>
#include <string.h>

#include "utf8.h"

// Levels of nested containers. The parser's limit is higher, so deeper nesting is left to it.
enum { DEPTH_MOST = 64 };

typedef bool (*member_taker)(void *user, const tub_field *name, const tub_field *value);

// Each function moves `at` past what it reads. False: it isn't JSON, or hard.
typedef struct scanner {
    const char *at;
    bool hard;
    bool escaped; // in the text that was read last
    member_taker each;
    void *user;
} scanner;

static void skip_space(scanner *s)
{
    while (*s->at == ' ' || *s->at == '\t' || *s->at == '\r' || *s->at == '\n')
        s->at++;
}

// Four hexadecimal digits that are a character by themselves: not a surrogate, not NUL.
static bool skip_code(scanner *s)
{
    unsigned code = 0;
    for (int i = 0; i < 4; i++, s->at++) {
        const char c = *s->at;
        const int digit = c >= '0' && c <= '9'                 ? c - '0'
                          : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                               : -1;
        if (digit < 0)
            return false;
        code = code << 4 | (unsigned)digit;
    }
    s->hard |= code == 0 || (code >= 0xd800 && code < 0xe000);
    return true;
}

static bool skip_escape(scanner *s)
{
    const char c = s->at[1];
    s->escaped = true;
    s->at += c ? 2 : 1;
    return c == 'u' ? skip_code(s) : c && strchr("\"\\/bfnrt", c);
}

static bool read_text(scanner *s, tub_field *out)
{
    const char *from = ++s->at;
    s->escaped = false;
    while (*s->at != '"') {
        const unsigned char c = (unsigned char)*s->at;
        if (c >= 0x20 && c < 0x80 && c != '\\') {
            s->at++;
            continue;
        }
        const size_t length = c < 0x80 ? 0 : tub_utf8_sequence(s->at);
        if (!length && (c != '\\' || !skip_escape(s)))
            return false;
        s->at += length;
    }
    *out = (tub_field){.kind = TUB_FIELD_TEXT, .text = from, .bytes = (size_t)(s->at - from)};
    s->at++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool skip_digits(scanner *s)
{
    if (!is_digit(*s->at))
        return false;
    while (is_digit(*s->at))
        s->at++;
    return true;
}

// What follows the integer part. False: malformed.
static bool skip_fraction(scanner *s, bool *real)
{
    *real = *s->at == '.' || *s->at == 'e' || *s->at == 'E';
    if (*s->at == '.') {
        s->at++;
        if (!skip_digits(s))
            return false;
    }
    if (*s->at == 'e' || *s->at == 'E') {
        s->at++;
        s->at += *s->at == '+' || *s->at == '-';
        const char *from = s->at;
        bool whole = skip_digits(s);
        s->hard |= s->at - from > 2; // the number may be too large
        return whole;
    }
    return true;
}

static bool read_number(scanner *s, tub_field *out)
{
    bool minus = *s->at == '-', real, fits = true;
    s->at += minus;
    const char *from = s->at;
    if (!skip_digits(s) || (from[0] == '0' && s->at - from > 1))
        return false;
    int64_t value = 0;
    for (const char *c = from; c < s->at && fits; c++)
        fits = !__builtin_mul_overflow(value, 10, &value) && !__builtin_sub_overflow(value, *c - '0', &value);
    if (!skip_fraction(s, &real))
        return false;
    *out = (tub_field){.kind = real ? TUB_FIELD_OTHER : TUB_FIELD_INTEGER};
    // The digits were added up as a negative number, since the negative range holds one more.
    if (!real && fits && !minus)
        fits = !__builtin_sub_overflow((int64_t)0, value, &value);
    out->number = real ? 0 : value;
    s->hard |= !fits; // too large for an integer, or too many digits
    return true;
}

static bool skip_word(scanner *s, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(s->at, word, length))
        return false;
    s->at += length;
    return true;
}

static bool read_plain(scanner *s, tub_field *out)
{
    if (*s->at == '"')
        return read_text(s, out);
    if (*s->at == '-' || is_digit(*s->at))
        return read_number(s, out);
    *out = (tub_field){.kind = TUB_FIELD_OTHER};
    return skip_word(s, "true") || skip_word(s, "false") || skip_word(s, "null");
}

// Moves `at` from a key to the place after its colon.
static bool skip_key(scanner *s)
{
    tub_field name;
    skip_space(s);
    if (*s->at != '"' || !read_text(s, &name))
        return false;
    skip_space(s);
    return *s->at == ':' && s->at++;
}

// Moves past a container, whatever is in it.
static bool skip_container(scanner *s)
{
    char open[DEPTH_MOST];
    int depth = 0;
    for (bool first = true;;) {
        // A value is due here, or the end of a container that is still empty.
        skip_space(s);
        if (first && depth && *s->at == (open[depth - 1] == '{' ? '}' : ']')) {
            s->at++;
            depth--;
        } else {
            tub_field ignored;
            if (depth && open[depth - 1] == '{' && !skip_key(s))
                return false;
            skip_space(s);
            if (*s->at == '{' || *s->at == '[') {
                s->hard |= depth == DEPTH_MOST;
                if (s->hard)
                    return false;
                open[depth++] = *s->at++;
                first = true;
                continue;
            }
            if (!read_plain(s, &ignored))
                return false;
        }
        // A value is complete. Ends of containers may follow, until one goes on.
        for (skip_space(s); depth && *s->at == (open[depth - 1] == '{' ? '}' : ']'); skip_space(s)) {
            s->at++;
            depth--;
        }
        if (!depth)
            return true;
        if (*s->at++ != ',')
            return false;
        first = false;
    }
}

static bool read_value(scanner *s, tub_field *out)
{
    skip_space(s);
    s->escaped = false;
    if (*s->at != '{' && *s->at != '[')
        return read_plain(s, out);
    *out = (tub_field){.kind = TUB_FIELD_OTHER, .text = s->at};
    bool whole = skip_container(s);
    out->bytes = (size_t)(s->at - out->text);
    return whole;
}

static bool read_member(scanner *s)
{
    tub_field name, value;
    skip_space(s);
    if (*s->at != '"' || !read_text(s, &name))
        return false;
    s->hard |= s->escaped; // it may spell a wanted name
    skip_space(s);
    if (*s->at++ != ':' || !read_value(s, &value))
        return false;
    skip_space(s);
    s->hard |= !s->each(s->user, &name, &value);
    return true;
}

static bool read_object(scanner *s)
{
    skip_space(s);
    if (*s->at != '{')
        return false;
    s->at++;
    skip_space(s);
    if (*s->at == '}' && s->at++)
        return true;
    while (read_member(s)) {
        const char c = *s->at;
        s->at += c == ',' || c == '}';
        if (c != ',')
            return c == '}';
    }
    return false;
}

static tub_scan scan(scanner *s, const char *end)
{
    bool whole = read_object(s);
    if (s->at < end)
        skip_space(s);
    return s->hard ? TUB_SCAN_HARD : whole && s->at == end ? TUB_SCAN_OBJECT : TUB_SCAN_NONE;
}

tub_scan tub_json_members(const char *text, size_t bytes,
                          bool (*each)(void *user, const tub_field *name, const tub_field *value), void *user)
{
    scanner s = {.at = text, .each = each, .user = user};
    return scan(&s, text + bytes);
}

typedef struct wanted {
    const scanner *scanner;
    const char *const *keys;
    size_t count;
    tub_field *fields;
} wanted;

static bool is_name(const char *key, const tub_field *name)
{
    return key[0] == name->text[0] && strncmp(key, name->text, name->bytes) == 0 && !key[name->bytes];
}

// A wanted text with escapes is left to the parser.
static bool keep(void *user, const tub_field *name, const tub_field *value)
{
    const wanted *w = user;
    bool escaped = w->scanner->escaped && value->kind == TUB_FIELD_TEXT;
    for (size_t i = 0; i < w->count; i++)
        if (is_name(w->keys[i], name)) {
            w->fields[i] = *value;
            return !escaped;
        }
    return true;
}

tub_scan tub_json_scan(const char *text, size_t bytes, const char *const *keys, size_t count, tub_field *fields)
{
    wanted w = {.keys = keys, .count = count, .fields = fields};
    scanner s = {.at = text, .each = keep, .user = &w};
    w.scanner = &s;
    memset(fields, 0, count * sizeof *fields);
    return scan(&s, text + bytes);
}

tub_scan tub_json_members_of(const char *text, size_t bytes, const char *key,
                             bool (*each)(void *user, const tub_field *name, const tub_field *value), void *user)
{
    tub_field object;
    const tub_scan all = tub_json_scan(text, bytes, &key, 1, &object);
    if (all != TUB_SCAN_OBJECT)
        return all;
    return object.kind == TUB_FIELD_OTHER && object.text ? tub_json_members(object.text, object.bytes, each, user)
                                                         : TUB_SCAN_NONE;
}
