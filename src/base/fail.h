// Error text: the one way that the rooms report a failure.
#ifndef TUB_FAIL_H
#define TUB_FAIL_H

#include <tubelet/status.h>

#if defined(__GNUC__)
#define TUB_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define TUB_PRINTF(f, a)
#endif

// Writes status and text into `err` (NULL allowed) and returns the status: `return tub_fail(err, TUB_ERROR_…, …);`
// A text that is too long loses its middle, at UTF-8 boundaries. Newlines and other control characters become spaces.
tub_status tub_fail(tub_error *err, tub_status status, const char *format, ...) TUB_PRINTF(3, 4);

// Prefixes the text already in `err`: "prefix: text". Returns err's status (or `status` if err is NULL).
tub_status tub_fail_within(tub_error *err, tub_status status, const char *format, ...) TUB_PRINTF(3, 4);

tub_status tub_fail_memory(tub_error *err, const char *what);

// Write one line to a log, unless the log or its function is NULL.
void tub_warn(const tub_log *log, const char *format, ...) TUB_PRINTF(2, 3);
void tub_inform(const tub_log *log, const char *format, ...) TUB_PRINTF(2, 3);

#define TUB_TRY(expression)                 \
    do {                                    \
        tub_status tub_try_ = (expression); \
        if (tub_try_ != TUB_OK)             \
            return tub_try_;                \
    } while (0)

#endif
