// Checks the params structs of the public API: the rule for `size` (tubelet.h), and members that accept only some
// values. Members are named as "struct.member".
#ifndef TUB_PARAMS_H
#define TUB_PARAMS_H

#include <stddef.h>
#include <stdint.h>
#include <tubelet/status.h>

// `size`: what the caller's struct says. `ours`: what it is in this library.
tub_status tub_check_size(const char *name, size_t size, size_t ours, tub_error *err);

// An enum that goes from 0 to `last`.
tub_status tub_check_choice(const char *member, int value, int last, tub_error *err);

// A pointer that the call can't do without. `what` names it: "out".
tub_status tub_check_given(const char *what, const void *pointer, tub_error *err);

// A set of flags.
tub_status tub_check_flags(const char *member, unsigned value, unsigned known, tub_error *err);

// A count, 0: the default.
tub_status tub_check_count(const char *member, int64_t value, tub_error *err);

#endif
