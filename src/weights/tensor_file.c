#include "tensor_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "half.h"
#include "memory.h"
#include "shortage.h"

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// Refuses what git leaves in place of a large file that it didn't fetch, and what a server says instead of sending one.
// No file of weights begins with as much text.
static tub_status refuse_text(const tub_tensor_file *f, tub_error *err)
{
    static const char mark[] = "version https://git-lfs.";
    enum { TEXT_LEAST = 15 }; // "Entry not found"
    char begin[48] = "";
    int64_t bytes = f->file_bytes < (int64_t)sizeof begin - 1 ? f->file_bytes : (int64_t)sizeof begin - 1;
    if (bytes < TEXT_LEAST || tub_tensor_file_read(f, begin, bytes, 0, NULL) != TUB_OK)
        return TUB_OK;
    if (strncmp(begin, mark, sizeof mark - 1) == 0)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: is a Git LFS pointer and not the file itself: `git lfs pull` fetches it", f->path);
    size_t text = 0;
    while (begin[text] >= ' ' && begin[text] <= '~')
        text++;
    if (text < TEXT_LEAST)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_MODEL, "%s: is text and not a file of weights (\"%.*s\"): download it again",
                    f->path, (int)text, begin);
}

tub_status tub_tensor_file_open(const char *path, tub_tensor_file *out, tub_error *err)
{
    *out = (tub_tensor_file){.fd = -1, .path = tub_strdup(path)};
    if (!out->path)
        return tub_fail_memory(err, "a path");
    // Non-blocking, or a FIFO of that name would hang us before it can be refused.
    out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    if (out->fd < 0 || fstat(out->fd, &info) != 0)
        return tub_fail(err, tub_shortage_status(errno, TUB_ERROR_MODEL), "%s: can't be opened: %s", path,
                        strerror(errno));
    if (!S_ISREG(info.st_mode))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: isn't a file", path);
    out->file_bytes = info.st_size;
    out->changed = nanoseconds(info.st_mtim);
    TUB_TRY(refuse_text(out, err));
    out->map = tub_file_map_open(out->fd, out->file_bytes);
    return TUB_OK;
}

tub_status tub_tensor_file_unchanged(const tub_tensor_file *f, tub_error *err)
{
    struct stat info;
    if (fstat(f->fd, &info) == 0 && info.st_size == f->file_bytes && nanoseconds(info.st_mtim) == f->changed)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_MODEL, "%s: was written to while it was read: try again when it is whole", f->path);
}

void tub_tensor_file_finish(tub_tensor_file *f)
{
    for (size_t i = 0; i < f->count; i++)
        tub_free(f->entries[i].name);
    tub_free(f->entries);
    tub_free(f->path);
    tub_file_map_release(f->map);
    if (f->fd >= 0)
        close(f->fd);
    *f = (tub_tensor_file){.fd = -1};
}

tub_status tub_tensor_file_read(const tub_tensor_file *f, void *out, int64_t bytes, int64_t offset, tub_error *err)
{
    char *to = out;
    while (bytes > 0) {
        ssize_t got = pread(f->fd, to, bytes > 1 << 30 ? 1 << 30 : (size_t)bytes, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tub_fail(err, TUB_ERROR_MODEL, "%s: can't be read: %s", f->path, strerror(errno));
        if (got == 0)
            return tub_fail(err, TUB_ERROR_MODEL, "%s: is truncated: it became shorter while it was read", f->path);
        to += got;
        bytes -= got;
        offset += got;
    }
    return TUB_OK;
}

// Copies the values from dimension `dim` on, which begin at `from`; returns where the next ones go.
static char *gather(const tub_tensor_entry *e, int dim, const char *from, char *to)
{
    size_t width = (size_t)e->width;
    int64_t step = e->strides[dim] * e->width;
    for (int64_t i = 0; i < e->tensor.dims[dim]; i++, from += step) {
        if (dim + 1 < e->tensor.rank) {
            to = gather(e, dim + 1, from, to);
        } else {
            memcpy(to, from, width);
            to += width;
        }
    }
    return to;
}

// Opening the file has checked that the span is inside it.
static tub_status read_strided(const tub_tensor_file *f, const tub_tensor_entry *e, void *out, tub_error *err)
{
    int64_t last = 0;
    for (int i = 0; i < e->tensor.rank; i++)
        last += (e->tensor.dims[i] - 1) * e->strides[i];
    int64_t span = (last + 1) * e->width;
    char *values = tub_alloc_aligned((size_t)span, 1);
    if (!values)
        return tub_fail_memory(err, "a tensor");
    tub_status status = tub_tensor_file_read(f, values, span, e->offset, err);
    if (status == TUB_OK)
        gather(e, 0, values, out);
    tub_free(values);
    return status;
}

tub_status tub_tensor_file_values(const tub_tensor_file *f, const tub_tensor_entry *e, void *out, tub_error *err)
{
    if (e->strided && e->bytes)
        return read_strided(f, e, out, err);
    return tub_tensor_file_read(f, out, e->bytes, e->offset, err);
}

const void *tub_tensor_file_in_place(const tub_tensor_file *f, const tub_tensor_entry *e)
{
    const size_t width = tub_dtype_bytes(e->tensor.dtype);
    if (!f->map || e->strided || !width || e->offset % (int64_t)width)
        return NULL;
    return (const char *)tub_file_map_data(f->map) + e->offset;
}
