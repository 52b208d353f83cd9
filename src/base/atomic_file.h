// Files that appear whole or not at all.
//
// A file is written under a temporary name in the same folder (".<name>.<host>.<pid>.<n>.tmp"), synced and renamed;
// then the folder is synced. A failed sync is never retried: the file is given up. Source of the protocol: reliability
// notes on PostgreSQL's fsync failure and restic's local backend.
#ifndef TUB_ATOMIC_FILE_H
#define TUB_ATOMIC_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <tubelet/status.h>

#include "hash.h"

typedef struct tub_atomic_file tub_atomic_file;

// Errors of all these functions: TUB_ERROR_OUTPUT naming the file and the system's reason.
// Anything that isn't a file (a folder, a device) is never replaced.
tub_status tub_atomic_open(const char *path, tub_atomic_file **out, tub_error *err);
tub_status tub_atomic_write(tub_atomic_file *f, const void *data, size_t bytes, tub_error *err);   // at the end
tub_status tub_atomic_write_at(tub_atomic_file *f, int64_t offset, const void *data, size_t bytes, tub_error *err);
// XXH3-128 of what was written so far, read back from the file.
tub_status tub_atomic_checksum(tub_atomic_file *f, char out[TUB_HASH_TEXT], tub_error *err);
tub_status tub_atomic_commit(tub_atomic_file **f, tub_error *err);  // frees in every case
// Commits several at once: all are synced, then renamed, then their folders are synced. Frees all in every case. *done:
// how many of the first files are safely in place; an error concerns the next one.
tub_status tub_atomic_commit_all(tub_atomic_file **files, size_t count, size_t *done, tub_error *err);
// Time of last modification, nanoseconds since 1970; committing doesn't change it. -1: unknown.
int64_t tub_atomic_mtime(const tub_atomic_file *f);
void tub_atomic_abandon(tub_atomic_file **f);                       // removes the temporary file; accepts NULL

// Writes a whole small file at once.
tub_status tub_atomic_save(const char *path, const void *data, size_t bytes, tub_error *err);

// Appends lines (a newline is added to each) with one write, O_APPEND, and syncs. After a torn last line, begins a new
// line.
tub_status tub_append_lines(const char *path, const char *const *lines, size_t count, tub_error *err);
// Appends one line without the sync: a power failure may lose it until tub_sync_lines(), to which a missing file is no
// error.
tub_status tub_append_line_unsynced(const char *path, const char *line, tub_error *err);
tub_status tub_sync_lines(const char *path, tub_error *err);

// open() for writing, with O_CLOEXEC. The descriptor is never 0, 1 or 2: if a program has closed these, anything that
// is printed would go into the file. -1: failed, see errno.
int tub_open_to_write(const char *path, int flags);

// Removes stale temporary files in `folder`: this host's if their process is dead, other hosts' if they are a week old.
void tub_atomic_sweep(const char *folder);
void tub_atomic_sweep_beside(const char *path);     // in the folder of a file that will be written

// Makes a folder and its parents. Errors: TUB_ERROR_OUTPUT.
tub_status tub_make_folder(const char *path, tub_error *err);

// Reads a whole file into memory (a NUL follows its end; freed with tub_free()). Errors: TUB_ERROR_INPUT, also if it is
// larger than `most`.
tub_status tub_read_file(const char *path, size_t most, char **out, size_t *bytes, tub_error *err);

#endif
