// Puts failures*.jsonl in order at the end of a run: one line per video, and none for a video that has features now.
#ifndef TUB_FAILURES_H
#define TUB_FAILURES_H

#include "dataset_impl.h"

// Errors: TUB_ERROR_OUTPUT, TUB_ERROR_MEMORY. The files are whole in any case.
tub_status tub_failures_tidy(const tub_dataset *d, tub_error *err);

#endif
