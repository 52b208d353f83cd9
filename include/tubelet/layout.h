// Layouts: names and contents of feature files.
//
// A name is a template, without the extension:
//
//   {stem}    the video's file name without its extension
//   {bare}    the same without a leading "v_": "v_{bare}" gives v_abc.mp4 and abc.mp4 the same form of name
//   {split}   the video's `subset` in the annotations ("training"); may name folders, as in "{split}/{stem}"
//
// The array is [T, C]. In a .npz it has a key, by default `feats`, which ActionFormer's EPIC loader and OpenTAD look
// for. With the key `feature` it is [1, T, C], one crop, as in tridetplus and CMCS.
#ifndef TUBELET_LAYOUT_H
#define TUBELET_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/encoder.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TUB_LAYOUT_NAME = 200 };     // maximum length of a template, bytes

typedef enum tub_container {
    TUB_CONTAINER_AUTO = 0,
    TUB_CONTAINER_NPY = 1,
    TUB_CONTAINER_NPZ = 2,          // an uncompressed zip file with one .npy in it
} tub_container;

// What is left open (NULL, AUTO) is as the folder already has it; in a new folder "{stem}", .npy, "feats", float32.
typedef struct tub_layout {
    const char *name;
    tub_container container;
    const char *key;                // the array's key; only with NPZ
    tub_dtype dtype;                // TUB_F32 or TUB_F16
} tub_layout;

// Checks a layout. Errors: TUB_ERROR_ARGUMENT (a template without the video's name, with an unknown word, that leads
// out of the folder or isn't UTF-8; a key for a .npy, or one that isn't a plain word; another dtype). Thread-safety:
// safe.
TUB_API tub_status tub_layout_check(const tub_layout *layout, tub_error *err);

// The name of a video's file in the folder, without the extension. `split` may be NULL if the template has no {split}.
// Errors: TUB_ERROR_ARGUMENT (a split is needed but missing, or the name doesn't fit). Thread-safety: safe.
TUB_API tub_status tub_layout_file_name(const char *name, const char *stem, const char *split, char *out, size_t bytes,
                                        tub_error *err);
// Whether the template has {split}.
TUB_API bool tub_layout_has_split(const char *name);

// "npy", "npz"; and back (TUB_ERROR_ARGUMENT for another name).
TUB_API const char *tub_container_name(tub_container container);
TUB_API tub_status tub_container_parse(const char *name, tub_container *out, tub_error *err);

#ifdef __cplusplus
}
#endif
#endif
