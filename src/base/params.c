#include "params.h"

#include "fail.h"

tub_status tub_check_size(const char *name, size_t size, size_t ours, tub_error *err)
{
    if (size == 0 || size == ours)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_ARGUMENT,
                    "%s.size is %zu: this library's is %zu: set it to sizeof(%s), and compile the program with the "
                    "headers of this library",
                    name, size, ours, name);
}

tub_status tub_check_choice(const char *member, int value, int last, tub_error *err)
{
    if (value >= 0 && value <= last)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_ARGUMENT, "%s is %d: its values go from 0 to %d", member, value, last);
}

tub_status tub_check_given(const char *what, const void *pointer, tub_error *err)
{
    return pointer ? TUB_OK : tub_fail(err, TUB_ERROR_ARGUMENT, "%s is NULL: it must be given here", what);
}

tub_status tub_check_flags(const char *member, unsigned value, unsigned known, tub_error *err)
{
    if ((value & ~known) == 0)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_ARGUMENT, "%s is 0x%x: 0x%x is no flag of it", member, value, value & ~known);
}

tub_status tub_check_count(const char *member, int64_t value, tub_error *err)
{
    if (value >= 0)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_ARGUMENT, "%s is %lld: it can't be negative", member, (long long)value);
}
