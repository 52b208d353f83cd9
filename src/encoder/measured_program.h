// The program that backends are measured with: a block of a small vision transformer with random values.
#ifndef TUB_MEASURED_PROGRAM_H
#define TUB_MEASURED_PROGRAM_H

#include "memory.h"
#include "program.h"

// Constants lie in the arena. Errors: TUB_ERROR_MEMORY.
tub_status tub_measured_program(tub_arena *arena, tub_program **out, tub_error *err);

#endif
