// Holds the output folder of a run. After hours, its path may lead to another folder, and what was written would be
// gone.
#ifndef TUB_OUT_FOLDER_H
#define TUB_OUT_FOLDER_H

#include <tubelet/status.h>

typedef struct tub_out_folder {
    const char *path;           // the caller's
    int fd;
} tub_out_folder;

// Holds a folder that has its features.json, until it is released. Errors: TUB_ERROR_OUTPUT.
tub_status tub_out_folder_hold(const char *path, tub_out_folder *out, tub_error *err);

// Checks that the path still leads there. Errors: TUB_ERROR_OUTPUT if the folder was deleted, renamed, emptied or
// replaced.
tub_status tub_out_folder_check(const tub_out_folder *f, tub_error *err);

void tub_out_folder_release(tub_out_folder *f);

#endif
