// Many small questions to a file system at once: it answers them side by side, a remote one above all.
#ifndef TUB_IN_PARALLEL_H
#define TUB_IN_PARALLEL_H

#include <stddef.h>

// each(context, i) for every i below `count`, in any order, from several threads where there are many.
void tub_in_parallel(size_t count, void (*each)(void *context, size_t i), void *context);

#endif
