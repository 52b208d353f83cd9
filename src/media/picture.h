// A decoded picture in the form that the resize reads: packed RGB, or YUV planes whose rows are converted as they are
// read.
//
// The arithmetic from YUV to RGB is in pixel_arithmetic.h.
#ifndef TUB_PICTURE_H
#define TUB_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame_recipe.h"

typedef enum tub_picture_kind {
    TUB_PICTURE_RGB,  // one plane, three bytes per pixel
    TUB_PICTURE_HALF, // luma and two planes of chroma with half the columns (rounded up): 4:2:0, 4:2:2
    TUB_PICTURE_FULL, // three planes of one size: 4:4:4
} tub_picture_kind;

typedef struct tub_picture {
    tub_picture_kind kind;
    const uint8_t *planes[3];
    ptrdiff_t pitches[3];
    int chroma_shift; // luma row y has chroma row y >> chroma_shift
    tub_matrix matrix;
} tub_picture;

// The begin of row `y` in each plane of a YUV picture.
static inline void tub_picture_row(const tub_picture *picture, int y, const uint8_t *row[3])
{
    for (int i = 0; i < 3; i++)
        row[i] = picture->planes[i] + (i ? y >> picture->chroma_shift : y) * picture->pitches[i];
}

// The same picture in the form that a device reads; the planes are on the host.
tub_frame_planes tub_picture_planes(const tub_picture *picture, int width, int height);

// `coefficients`: the four of sws_getCoefficients(): V to red, U to blue, U and V to green. `full`: luma from 0 to 255.
tub_matrix tub_matrix_make(const int coefficients[4], bool full);
// The same for pictures with more than 8 bits.
tub_steps tub_steps_make(const int coefficients[4], bool full);

#endif
