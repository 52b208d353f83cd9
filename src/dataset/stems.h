// One stem, one file of features: doubles go, collisions are refused before anything starts.
#ifndef TUB_STEMS_H
#define TUB_STEMS_H

#include "inputs.h"

// `list` is in the order of its paths and stays so. The same file under the same stem (given twice, or through a link)
// is kept once. Errors: TUB_ERROR_ARGUMENT where two files share a stem, naming both.
tub_status tub_stems_unique(tub_entries *list, tub_error *err);

#endif
