// Where libopenvino_c.so may be.
#ifndef TUB_OPENVINO_FIND_H
#define TUB_OPENVINO_FIND_H

#include <stdbool.h>

// Called with one candidate after another, best first, until it returns true.
typedef bool (*tub_openvino_try)(void *user, const char *path);

// Tries the files under `place`, or `place` itself if it is a file.
bool tub_openvino_try_place(const char *place, tub_openvino_try attempt, void *user);
// Tries the usual places, except TUBELET_OPENVINO.
bool tub_openvino_try_usual(tub_openvino_try attempt, void *user);

#endif
