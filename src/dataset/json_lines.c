#include "json_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "memory.h"
#include "shortage.h"

enum { PIECE = 1 << 17, KEYS_MOST = 32 };

typedef struct reader {
    const char *path;
    const char *const *keys;
    size_t key_count;
    tub_json_line each;
    void *user;
    char *text; // what was read but isn't a whole line yet
    size_t capacity, used;
} reader;

static tub_field field_of(const json_t *value)
{
    if (!value)
        return (tub_field){.kind = TUB_FIELD_NONE};
    if (json_is_string(value))
        return (tub_field){
            .kind = TUB_FIELD_TEXT, .text = json_string_value(value), .bytes = json_string_length(value)};
    if (json_is_integer(value))
        return (tub_field){.kind = TUB_FIELD_INTEGER, .number = json_integer_value(value)};
    return (tub_field){.kind = TUB_FIELD_OTHER};
}

// Takes the line with the parser.
static bool take_parsed(const reader *r, const char *line, size_t bytes)
{
    tub_field fields[KEYS_MOST];
    tub_shortage_watch();
    json_t *object = json_loadb(line, bytes, 0, NULL);
    bool kept = object || !tub_shortage_may_be(); // if memory was short, it may not be a torn line
    if (json_is_object(object)) {
        for (size_t i = 0; i < r->key_count; i++)
            fields[i] = field_of(json_object_get(object, r->keys[i]));
        kept = r->each(r->user, fields, line, bytes);
    }
    json_decref(object);
    return kept;
}

// We may write to `line[bytes]`.
static bool take_line(const reader *r, char *line, size_t bytes)
{
    tub_field fields[KEYS_MOST];
    line[bytes] = '\0';
    switch (tub_json_scan(line, bytes, r->keys, r->key_count, fields)) {
    case TUB_SCAN_OBJECT:
        return r->each(r->user, fields, line, bytes);
    case TUB_SCAN_HARD:
        return take_parsed(r, line, bytes);
    case TUB_SCAN_NONE:
        break;
    }
    return true;
}

// Hands out the whole lines. What follows the last one moves to the front.
static bool take_lines(reader *r)
{
    char *from = r->text, *end = r->text + r->used, *newline;
    while ((newline = memchr(from, '\n', (size_t)(end - from)))) {
        if (!take_line(r, from, (size_t)(newline - from)))
            return false;
        from = newline + 1;
    }
    r->used = (size_t)(end - from);
    memmove(r->text, from, r->used);
    return true;
}

// *got: bytes read, 0 at the end of the file.
static tub_status read_piece(reader *r, int fd, size_t *got, tub_error *err)
{
    void *text = r->text;
    if (!tub_grow(&text, &r->capacity, r->used + PIECE + 1, 1))
        return tub_fail_memory(err, r->path);
    r->text = text;
    ssize_t n;
    do
        n = read(fd, r->text + r->used, PIECE);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return tub_fail(err, TUB_ERROR_OUTPUT, "%s: can't be read: %s", r->path, strerror(errno));
    *got = (size_t)n;
    r->used += *got;
    return TUB_OK;
}

static tub_status read_all(reader *r, int fd, tub_error *err)
{
    for (size_t got = 1; got;) {
        TUB_TRY(read_piece(r, fd, &got, err));
        if (!take_lines(r))
            return tub_fail_memory(err, r->path);
    }
    // The last line, if nothing ends it.
    return !r->used || take_line(r, r->text, r->used) ? TUB_OK : tub_fail_memory(err, r->path);
}

tub_status tub_json_lines_read(const char *path, const char *const *keys, size_t count, tub_json_line each, void *user,
                               tub_error *err)
{
    reader r = {.path = path, .keys = keys, .key_count = count, .each = each, .user = user};
    // Non-blocking, as a FIFO of that name would hang us before it can be refused.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    if (fd < 0 && errno == ENOENT) // another shard has tidied it, and nothing was left
        return TUB_OK;
    if (fd < 0)
        return tub_fail(err, TUB_ERROR_OUTPUT, "%s: can't be read: %s", path, strerror(errno));
    tub_status status = fstat(fd, &info) == 0 && S_ISREG(info.st_mode)
                            ? read_all(&r, fd, err)
                            : tub_fail(err, TUB_ERROR_OUTPUT, "%s: can't be read: not a regular file", path);
    tub_free(r.text);
    close(fd);
    return status;
}
