// Scales rows to length 1.
#ifndef TUB_UNIT_ROW_H
#define TUB_UNIT_ROW_H

#include <stddef.h>

// x / max(||x||, 1e-12), as torch's F.normalize; the sum is in double.
void tub_make_unit(float *row, size_t count);

#endif
