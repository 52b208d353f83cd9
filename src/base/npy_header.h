// The header of a .npy file: a Python dictionary in text.
#ifndef TUB_NPY_HEADER_H
#define TUB_NPY_HEADER_H

#include <tubelet/npy.h>

// `text` is NUL-terminated; `out` gets type, rank and dims. False: it isn't a header, or not one that we can read;
// *reason is then a static string.
bool tub_npy_parse_header(const char *text, tub_array *out, const char **reason);

// For a .npy that begins at `at` in a file: its type and dims, and where its elements begin and how many bytes they
// have.
// Errors: TUB_ERROR_INPUT naming the file and what is wrong.
tub_status tub_npy_header_at(int fd, const char *path, int64_t at, tub_array *out, int64_t *begin, int64_t *bytes, tub_error *err);

// Bytes of the elements; false on overflow, or if the type isn't supported.
bool tub_npy_data_bytes(tub_dtype dtype, int rank, const int64_t *dims, int64_t *bytes);

#endif
