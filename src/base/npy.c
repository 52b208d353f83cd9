#include <tubelet/npy.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomic_file.h"
#include "fail.h"
#include "half.h"
#include "memory.h"
#include "npy_header.h"
#include "params.h"

enum { HEADER_MOST = 65536 };

struct tub_npy_writer {
    tub_atomic_file *file;
    tub_dtype dtype;
    int rank;
    int64_t dims[TUB_NPY_RANK];
    int64_t row_bytes; // of one step of the first dimension
    int64_t bytes;     // of elements written so far
};

static tub_status bad(tub_error *err, const char *path, const char *reason)
{
    return tub_fail(err, TUB_ERROR_INPUT, "%s: %s", path, reason);
}

// Reads all `bytes` at `offset`. Returns 1; 0 if the file ends before; -1 on an error (errno).
static int read_at(int fd, void *out, size_t bytes, int64_t offset)
{
    char *to = out;
    while (bytes) {
        ssize_t n = pread(fd, to, bytes, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -1 : 0;
        to += n;
        offset += n;
        bytes -= (size_t)n;
    }
    return 1;
}

static tub_status could_not_read(tub_error *err, const char *path, int result)
{
    return result < 0 ? bad(err, path, strerror(errno)) : bad(err, path, "it is truncated");
}

tub_status tub_npy_header_at(int fd, const char *path, int64_t at, tub_array *out, int64_t *begin, int64_t *bytes,
                             tub_error *err)
{
    unsigned char prefix[12];
    int got = read_at(fd, prefix, sizeof prefix, at);
    if (got < 0)
        return could_not_read(err, path, got);
    if (got == 0 || memcmp(prefix, "\x93NUMPY", 6) != 0 || prefix[6] < 1 || prefix[6] > 3)
        return bad(err, path, "not a .npy file");
    size_t length = (size_t)prefix[8] | (size_t)prefix[9] << 8;
    *begin = at + 10;
    if (prefix[6] > 1) {
        length |= (size_t)prefix[10] << 16 | (size_t)prefix[11] << 24;
        *begin = at + 12;
    }
    if (length > HEADER_MOST)
        return bad(err, path, "its header is longer than 64 KiB");
    char *text = tub_calloc(length + 1, 1);
    if (!text)
        return tub_fail_memory(err, path);
    got = read_at(fd, text, length, *begin);
    const char *reason = NULL;
    bool ok = got > 0 && strlen(text) == length && tub_npy_parse_header(text, out, &reason);
    tub_free(text);
    if (!ok)
        return got > 0 ? bad(err, path, reason ? reason : "its header can't be read") : could_not_read(err, path, got);
    *begin += (int64_t)length;
    if (!tub_npy_data_bytes(out->dtype, out->rank, out->dims, bytes) || *bytes > INT64_MAX - *begin)
        return bad(err, path, "its shape is too large");
    return TUB_OK;
}

static tub_status open_input(const char *path, int *fd, int64_t *size, tub_error *err)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return tub_fail(err, TUB_ERROR_INPUT, "%s: can't open it: %s", path, strerror(errno));
    const char *reason = fstat(*fd, &st) < 0 ? strerror(errno) : S_ISREG(st.st_mode) ? NULL : "not a regular file";
    if (reason) {
        close(*fd);
        return bad(err, path, reason);
    }
    *size = st.st_size;
    return TUB_OK;
}

static tub_status read_elements(int fd, const char *path, int64_t size, tub_array *out, tub_error *err)
{
    int64_t begin, bytes;
    TUB_TRY(tub_npy_header_at(fd, path, 0, out, &begin, &bytes, err));
    if (size != begin + bytes)
        return tub_fail(err, TUB_ERROR_INPUT, "%s: it has %lld bytes where its header promises %lld: %s", path,
                        (long long)size, (long long)(begin + bytes), size < begin + bytes ? "truncated" : "too long");
    out->data = tub_alloc_aligned((size_t)bytes, 1);
    if (!out->data)
        return tub_fail_memory(err, path);
    int got = read_at(fd, out->data, (size_t)bytes, begin);
    return got > 0 ? TUB_OK : could_not_read(err, path, got);
}

tub_status tub_npy_read(const char *path, tub_array *out, tub_error *err)
{
    TUB_TRY(tub_check_given("path", path, err));
    TUB_TRY(tub_check_given("out", out, err));
    int fd;
    int64_t size = 0;
    *out = (tub_array){0};
    TUB_TRY(open_input(path, &fd, &size, err));
    tub_status s = read_elements(fd, path, size, out, err);
    close(fd);
    if (s != TUB_OK)
        tub_array_finish(out);
    return s;
}

void tub_array_finish(tub_array *array)
{
    if (!array)
        return;
    tub_free(array->data);
    *array = (tub_array){0};
}

tub_status tub_npy_stat(const char *path, tub_array *out, int64_t *file_bytes, tub_error *err)
{
    TUB_TRY(tub_check_given("path", path, err));
    TUB_TRY(tub_check_given("out", out, err));
    TUB_TRY(tub_check_given("file_bytes", file_bytes, err));
    int fd;
    int64_t size = 0, begin = 0, bytes = 0;
    *out = (tub_array){0};
    TUB_TRY(open_input(path, &fd, &size, err));
    tub_status s = tub_npy_header_at(fd, path, 0, out, &begin, &bytes, err);
    close(fd);
    if (s == TUB_OK)
        *file_bytes = begin + bytes;
    return s;
}

tub_status tub_npy_begin(const char *path, tub_dtype dtype, int rank, const int64_t *dims, tub_npy_writer **out,
                         tub_error *err)
{
    TUB_TRY(tub_check_given("path", path, err));
    TUB_TRY(tub_check_given("out", out, err));
    *out = NULL;
    TUB_TRY(tub_check_given("dims", rank > 0 ? (const void *)dims : "", err));
    char header[TUB_NPY_HEADER];
    tub_npy_writer *w = tub_calloc(1, sizeof *w);
    if (!w)
        return tub_fail_memory(err, path);
    w->dtype = dtype;
    w->rank = rank;
    for (int i = 0; i < rank && i < TUB_NPY_RANK; i++)
        w->dims[i] = i ? dims[i] : 1;
    // Make the header for one row, so that a type or shape that can't be written is found before the work begins.
    tub_status s = rank < 1
                       ? tub_fail(err, TUB_ERROR_ARGUMENT, "%s: an array written in pieces needs a dimension", path)
                       : tub_npy_header(dtype, rank, w->dims, header, err);
    if (s == TUB_OK) {
        tub_npy_data_bytes(dtype, rank, w->dims, &w->row_bytes);
        tub_atomic_sweep_beside(path);
        s = tub_atomic_open(path, &w->file, err);
    }
    if (s == TUB_OK) {
        // Leave room for the header: a file that was abandoned halfway has no valid one.
        memset(header, 0, sizeof header);
        s = tub_atomic_write(w->file, header, sizeof header, err);
    }
    if (s != TUB_OK) {
        tub_npy_abandon(&w);
        return s;
    }
    *out = w;
    return TUB_OK;
}

tub_status tub_npy_append(tub_npy_writer *w, const void *data, size_t bytes, tub_error *err)
{
    TUB_TRY(tub_check_given("the writer", w, err));
    TUB_TRY(tub_check_given("data", bytes ? data : "", err));
    TUB_TRY(tub_atomic_write(w->file, data, bytes, err));
    w->bytes += (int64_t)bytes;
    return TUB_OK;
}

static tub_status write_header(tub_npy_writer *w, tub_error *err)
{
    char header[TUB_NPY_HEADER];
    if (w->row_bytes ? w->bytes % w->row_bytes != 0 : w->bytes != 0)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "an array of rows of %lld bytes can't have %lld bytes",
                        (long long)w->row_bytes, (long long)w->bytes);
    w->dims[0] = w->row_bytes ? w->bytes / w->row_bytes : 0;
    TUB_TRY(tub_npy_header(w->dtype, w->rank, w->dims, header, err));
    return tub_atomic_write_at(w->file, 0, header, sizeof header, err);
}

tub_status tub_npy_commit(tub_npy_writer **writer, char *checksum, int64_t *bytes, tub_error *err)
{
    tub_npy_writer *w = writer ? *writer : NULL;
    TUB_TRY(tub_check_given("the writer", w, err));
    tub_status s = write_header(w, err);
    if (s == TUB_OK && checksum)
        s = tub_atomic_checksum(w->file, checksum, err);
    if (s != TUB_OK) {
        tub_npy_abandon(writer);
        return s;
    }
    s = tub_atomic_commit(&w->file, err);
    if (s == TUB_OK && bytes)
        *bytes = TUB_NPY_HEADER + w->bytes;
    tub_npy_abandon(writer);
    return s;
}

void tub_npy_abandon(tub_npy_writer **writer)
{
    if (!writer || !*writer)
        return;
    tub_atomic_abandon(&(*writer)->file);
    tub_free(*writer);
    *writer = NULL;
}

tub_status tub_npy_write(const char *path, tub_dtype dtype, int rank, const int64_t *dims, const void *data,
                         tub_error *err)
{
    char header[TUB_NPY_HEADER];
    int64_t bytes;
    tub_atomic_file *f;
    TUB_TRY(tub_check_given("path", path, err));
    TUB_TRY(tub_npy_header(dtype, rank, dims, header, err));
    tub_npy_data_bytes(dtype, rank, dims, &bytes);
    TUB_TRY(tub_check_given("data", bytes ? data : "", err));
    TUB_TRY(tub_atomic_open(path, &f, err));
    tub_status s = tub_atomic_write(f, header, sizeof header, err);
    if (s == TUB_OK)
        s = tub_atomic_write(f, data, (size_t)bytes, err);
    if (s != TUB_OK) {
        tub_atomic_abandon(&f);
        return s;
    }
    return tub_atomic_commit(&f, err);
}
