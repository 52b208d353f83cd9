// UNROLL(n) before a loop of at most n turns, a number known at compile time, makes straight-line code of it, so that
// arrays of lanes become registers. Without it, products take two to four times as long.
#ifndef TUB_UNROLL_H
#define TUB_UNROLL_H

#define UNROLL_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define UNROLL(n) UNROLL_PRAGMA(clang loop unroll(full))
#else
#define UNROLL(n) UNROLL_PRAGMA(GCC unroll n)
#endif

#endif
