// UTF-8, one character at a time.
#ifndef TUB_UTF8_H
#define TUB_UTF8_H

#include <stdbool.h>
#include <stddef.h>

// Bytes of the sequence that starts at `text`, 0 where it isn't one (overlong forms and surrogates included). Reads no
// further than a NUL.
size_t tub_utf8_sequence(const char *text);

// Whether all of the text is UTF-8.
bool tub_utf8_is(const char *text);

#endif
