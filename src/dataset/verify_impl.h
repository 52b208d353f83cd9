// Verifying a folder, from inside.
//
//   verify.c        which files and videos to look at, and missing_files.txt
//   verify_file.c   one file: its array, what the manifest says about it, its video, the annotations' length
#ifndef TUB_VERIFY_IMPL_H
#define TUB_VERIFY_IMPL_H

#include "fail.h"
#include "feature_array.h"
#include "feature_folder.h"
#include "video_facts.h"

typedef struct tub_verify {
    const tub_verify_params *params;
    tub_verify_totals *totals;
    tub_feature_folder folder;
    tub_video_facts facts;
    const tub_fact **fact;      // of each file; NULL: no id is known
    bool *unusable;             // of each file
    int64_t dim;                // C that files must have, 0 = unknown
    tub_dtype dtype;
    size_t found;               // findings about the current file
} tub_verify;

// Checks file number `file` of the listing. Errors: TUB_ERROR_MEMORY.
tub_status tub_verify_file(tub_verify *v, size_t file, tub_error *err);

// Reports a finding and counts it.
void tub_verify_tell(tub_verify *v, tub_finding_kind kind, const char *file, const char *id, const char *format, ...)
    TUB_PRINTF(5, 6);

// The manifest's line about a file of the listing, NULL: none.
const tub_told *tub_verify_told(tub_verify *v, const char *file);

#endif
