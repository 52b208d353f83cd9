// Layouts: what the files of features are called, and what is in them.
//
// A name is a template, without the extension:
//
//   {stem}    the video's file name without its extension
//   {bare}    the same without a leading "v_": "v_{bare}" names v_abc.mp4 and abc.mp4 alike
//   {split}   the video's `subset` in the annotations ("training"); makes folders, as in "{split}/{stem}"
//
// The array is [T, C]. In a .npz it has a name, `feats` unless told: what ActionFormer's EPIC loader and OpenTAD look
// for. Under the name `feature` it is [1, T, C], one crop, as tridetplus and CMCS have it.
#ifndef TUBELET_LAYOUT_H
#define TUBELET_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/encoder.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TUB_LAYOUT_NAME = 200 };     // most bytes of a template

typedef enum tub_container {
    TUB_CONTAINER_AUTO = 0,
    TUB_CONTAINER_NPY = 1,
    TUB_CONTAINER_NPZ = 2,          // a zip of one .npy, not compressed
} tub_container;

// What is left open (NULL, AUTO) is what the folder already has, or else "{stem}", .npy, "feats", float32.
typedef struct tub_layout {
    const char *name;
    tub_container container;
    const char *key;                // of NPZ
    tub_dtype dtype;                // TUB_F32 or TUB_F16
} tub_layout;

// Errors: TUB_ERROR_ARGUMENT (a template without the video's name, with an unknown word, that would leave the folder
// or isn't UTF-8; a key for a .npy, or that is no plain word; another dtype). Thread-safety: safe.
TUB_API tub_status tub_layout_check(const tub_layout *layout, tub_error *err);

// The name of a video's file in the folder, without the extension. `split` may be NULL where the template has none.
// Errors: TUB_ERROR_ARGUMENT (it needs a split and has none, it doesn't fit).
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
