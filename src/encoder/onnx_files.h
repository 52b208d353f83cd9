// The files of a custom model: which files belong to it, that none lies outside its folder, and their checksum.
//
//   model.onnx   + the files that its tensors name (external data), all within the folder of model.onnx
//   model.xml    + model.bin beside it (OpenVINO IR)
#ifndef TUB_ONNX_FILES_H
#define TUB_ONNX_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/status.h>

#include "hash.h"

typedef struct tub_custom_files {
    char *model;        // path of the .onnx or .xml file
    char *weights;      // IR: path of the .bin file; else NULL
    char *folder;       // of the model file, as given
    char **external;    // ONNX: resolved paths of the files with external data, each once
    size_t external_count, external_capacity;
    bool is_onnx;
} tub_custom_files;

// Whether `path` means a custom model: a .onnx or .xml file, or a folder without config.json that contains exactly one
// of them. TUB_END: it doesn't (a checkpoint folder, or nothing at all). *file: the model file, freed with tub_free().
// Errors: TUB_ERROR_MODEL (no such file; a folder with several such files, naming two; a folder with config.json but no
// checkpoint, naming its model), TUB_ERROR_MEMORY.
tub_status tub_custom_find(const char *path, char **file, tub_error *err);

// Lists and checks the files. Errors: TUB_ERROR_MODEL naming the file or the tensor: not readable, malformed (see
// onnx_scan.h), external data outside the folder or beyond the end of its file, no .bin beside the .xml.
// Finish `out` in every case.
tub_status tub_custom_files_open(const char *file, tub_custom_files *out, tub_error *err);
void tub_custom_files_finish(tub_custom_files *files);

// Adds the contents of all files, in a fixed order. Errors: TUB_ERROR_MODEL.
tub_status tub_custom_files_hash(const tub_custom_files *files, tub_hash *hash, tub_error *err);

#endif
