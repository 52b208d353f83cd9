// Finds out whether a third-party library lacked memory in a call without saying so, because it treated what it
// couldn't keep as damaged or missing.
//
// The C library leaves ENOMEM in errno when an allocation fails. ENOMEM stays there even if a second try of its own
// succeeded, which is common near a limit. So if something went wrong, errno alone explains it; if nothing seems to
// have gone wrong, we test whether more memory can be allocated.
//
// Thread-safety: safe; covers only the calling thread's allocations.
#ifndef TUB_SHORTAGE_H
#define TUB_SHORTAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/status.h>

// The status for a failed system call: TUB_ERROR_MEMORY if the process or the machine is short of something (memory,
// file descriptors), which says nothing about the file; else `otherwise`.
tub_status tub_shortage_status(int error, tub_status otherwise);

// Call this before the library's calls.
void tub_shortage_watch(void);
// After them: whether an allocation failed, at least at first.
bool tub_shortage_may_be(void);
// The same, and there is still too little memory: `bytes` can't be allocated, which the library may have asked for at
// once.
bool tub_shortage_is(size_t bytes);

#endif
