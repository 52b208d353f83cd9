#include "fail.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// Bytes of the UTF-8 character at `s`; 0: not a character. `left`: bytes available.
static size_t character(const unsigned char *s, size_t left)
{
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    if (n == 0 || n > left || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool outside = (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf4 && s[1] >= 0x90);
    return overlong || outside ? 0 : n;
}

// Turns the text into one line of UTF-8, since paths may hold any bytes. `cut`: the end is missing, perhaps half a
// character.
static void tidy(char *text, bool cut)
{
    unsigned char *s = (unsigned char *)text;
    size_t left = strlen(text);
    while (left) {
        size_t n = character(s, left);
        if (n == 0 && cut && left < 4) {
            *s = 0;
            return;
        }
        if (n == 0)
            *s = '?';
        else if (s[0] < 0x20 || s[0] == 0x7f)
            *s = ' ';
        else if (s[0] == 0xc2 && s[1] < 0xa0)
            s[0] = s[1] = ' ';
        n = n ? n : 1;
        s += n;
        left -= n;
    }
}

// Paths may be longer than an error text. The middle is cut out, because the reason is at the end. Characters stay
// whole.
static void shorten(char *out, size_t bytes, const char *whole, size_t length)
{
    static const char gap[] = " ... ";
    size_t head = (bytes - sizeof gap) / 2, tail = length - (bytes - sizeof gap - head);
    for (int i = 0; i < 3 && ((unsigned char)whole[head] & 0xc0) == 0x80; i++)
        head--;
    for (int i = 0; i < 3 && ((unsigned char)whole[tail] & 0xc0) == 0x80; i++)
        tail++;
    snprintf(out, bytes, "%.*s%s%s", (int)head, whole, gap, whole + tail);
}

static TUB_PRINTF(3, 0) void format_line(char *out, size_t bytes, const char *format, va_list args)
{
    char whole[10 * TUB_ERROR_TEXT]; // has room for two of the longest paths
    int length = vsnprintf(whole, sizeof whole, format, args);
    if (length < 0)
        whole[0] = 0;
    tidy(whole, length >= (int)sizeof whole);
    const size_t left = strlen(whole);
    if (left < bytes)
        memcpy(out, whole, left + 1);
    else
        shorten(out, bytes, whole, left);
}

tub_status tub_fail(tub_error *err, tub_status status, const char *format, ...)
{
    if (!err)
        return status;
    // Formatted into a separate buffer, since err->text may be among the arguments.
    char text[TUB_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    format_line(text, sizeof text, format, args);
    va_end(args);
    err->status = status;
    memcpy(err->text, text, sizeof text);
    return status;
}

tub_status tub_fail_within(tub_error *err, tub_status status, const char *format, ...)
{
    if (!err)
        return status;
    char prefix[TUB_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    format_line(prefix, sizeof prefix, format, args);
    va_end(args);
    char text[TUB_ERROR_TEXT];
    memcpy(text, err->text, sizeof text);
    text[sizeof text - 1] = 0;
    return tub_fail(err, err->status == TUB_OK ? status : err->status, "%s: %s", prefix, text);
}

tub_status tub_fail_memory(tub_error *err, const char *what)
{
    return tub_fail(err, TUB_ERROR_MEMORY, "not enough memory for %s", what);
}

static TUB_PRINTF(3, 0) void log_line(const tub_log *log, int level, const char *format, va_list args)
{
    if (!log || !log->write)
        return;
    char text[TUB_ERROR_TEXT];
    format_line(text, sizeof text, format, args);
    log->write(log->user, level, text);
}

void tub_warn(const tub_log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(log, 0, format, args);
    va_end(args);
}

void tub_inform(const tub_log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(log, 1, format, args);
    va_end(args);
}
