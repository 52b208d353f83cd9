// Stands in for the toolkit's header of the same name: see emulator.h.
#include "emulated_narrow.h"
