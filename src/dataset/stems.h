// Every name belongs to one feature file: duplicates are dropped, collisions are refused before anything starts.
#ifndef TUB_STEMS_H
#define TUB_STEMS_H

#include "inputs.h"

// `list` is in the order of its paths and stays so. The same file under the same name (given twice, or through a link)
// is kept once. Errors: TUB_ERROR_ARGUMENT if two files share a name, naming both; `extension` is for that text.
tub_status tub_stems_unique(tub_entries *list, const char *extension, tub_error *err);

#endif
