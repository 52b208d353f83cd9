// Status codes and error text: how every call of this library reports what happened.
//
// A call that can fail returns a tub_status, and its last argument is a `tub_error *`. The error is the caller's
// memory. It may be NULL and is written only when the call fails. There is no per-thread or global "last error".
//
// TUB_AGAIN ("not yet") and TUB_END ("no more") are answers, not errors: they leave the error as it was.
#ifndef TUBELET_STATUS_H
#define TUBELET_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TUB_API __attribute__((visibility("default")))
#else
#define TUB_API
#endif

typedef enum tub_status {
    TUB_OK = 0,
    TUB_AGAIN = 1,              // not now: receive results, then call again
    TUB_END = 2,                // nothing more will come
    TUB_ERROR_ARGUMENT = -1,    // the caller's mistake: a value out of range, settings that don't go together
    TUB_ERROR_MEMORY = -2,      // an allocation failed, or the process may open no more files
    TUB_ERROR_INPUT = -3,       // an input path or file (not a video's content) can't be read
    TUB_ERROR_OUTPUT = -4,      // the output can't be written: no permission, disk full, a file where a folder must be
    TUB_ERROR_VIDEO = -5,       // this video can't be decoded; other videos aren't affected
    TUB_ERROR_MODEL = -6,       // the checkpoint is rejected: its config, a tensor, or a request that it can't meet
    TUB_ERROR_DEVICE = -7,      // the device or backend can't do what is asked (a precision, say) or failed
    TUB_ERROR_CANCELLED = -8,   // the caller cancelled
    TUB_ERROR_INTERNAL = -9,    // a broken invariant of ours: please report
} tub_status;

enum { TUB_ERROR_TEXT = 1024 };

// What went wrong, in one line that names the thing concerned and says what to do about it. UTF-8, NUL-terminated.
typedef struct tub_error {
    tub_status status;
    char text[TUB_ERROR_TEXT];
} tub_error;

// The name of a status ("ok", "bad argument", ...). Never NULL. Thread-safety: safe.
TUB_API const char *tub_status_name(tub_status status);

// The library's version, "MAJOR.MINOR.PATCH". Thread-safety: safe.
TUB_API const char *tub_version(void);

// Where the library's warnings go. `level` 0: warning, 1: information. `text` is one line without a newline, valid only
// during the call. An object may call `write` from any of its threads, but makes one call at a time. If `write` is
// NULL, nothing is logged.
typedef struct tub_log {
    void (*write)(void *user, int level, const char *text);
    void *user;
} tub_log;

#ifdef __cplusplus
}
#endif
#endif
