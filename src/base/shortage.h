// Whether another's library lacked memory in a call where it doesn't say so, as it took what it couldn't keep for
// damaged, or for not there.
//
// The C library leaves ENOMEM in errno where an allocation fails. It is there, too, where a second try of its own
// succeeded, which is common where a limit is near. So errno alone explains what went wrong; where nothing seems to, it
// is asked whether more can be had.
//
// Thread-safety: of the calling thread's allocations only.
#ifndef TUB_SHORTAGE_H
#define TUB_SHORTAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/status.h>

// Of a system call that failed: TUB_ERROR_MEMORY where what is short is the process's or the machine's (memory, file
// descriptors) and says nothing of the file, else `otherwise`.
tub_status tub_shortage_status(int error, tub_status otherwise);

// Before the calls.
void tub_shortage_watch(void);
// After them: an allocation failed, at least at first.
bool tub_shortage_may_be(void);
// The same, and there is no memory to go on with: not so many bytes, which the library may have asked for at a time.
bool tub_shortage_is(size_t bytes);

#endif
