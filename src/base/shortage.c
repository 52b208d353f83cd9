#include "shortage.h"

#include <errno.h>

#include "memory.h"

enum { LEAST = 1 << 20 }; // what the C library itself asks for

tub_status tub_shortage_status(int error, tub_status otherwise)
{
    return error == ENOMEM || error == EMFILE || error == ENFILE ? TUB_ERROR_MEMORY : otherwise;
}

void tub_shortage_watch(void)
{
    errno = 0;
}

bool tub_shortage_may_be(void)
{
    return errno == ENOMEM;
}

bool tub_shortage_is(size_t bytes)
{
    if (errno != ENOMEM)
        return false;
    void *enough = tub_calloc(LEAST + bytes, 1); // never written to: it costs nothing
    tub_free(enough);
    errno = ENOMEM;
    return !enough;
}
