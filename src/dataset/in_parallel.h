// Many small requests to a file system at once: it handles them side by side, which helps most if it is remote.
#ifndef TUB_IN_PARALLEL_H
#define TUB_IN_PARALLEL_H

#include <stddef.h>

// Calls each(context, i) for every i below `count`, in any order; from several threads if there are many.
void tub_in_parallel(size_t count, void (*each)(void *context, size_t i), void *context);

#endif
