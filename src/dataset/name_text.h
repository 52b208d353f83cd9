// File names in JSON. A name is bytes, JSON is UTF-8. Each byte that isn't part of valid UTF-8 becomes U+FFFD and its
// two hexadecimal digits ("caf\xe9" -> "caf\uFFFDe9"). So do the bytes of a U+FFFD in the name itself: different names
// stay different, and the bytes can be recovered.
#ifndef TUB_NAME_TEXT_H
#define TUB_NAME_TEXT_H

#include "memory.h"

// The name as such text: the name itself, or a text in the arena; NULL on failure.
const char *tub_name_text(tub_arena *arena, const char *name);

// Length of a video's stem: its base name (what follows the last slash, *base) without the last extension. A leading
// dot doesn't begin an extension: ".mp4" stays ".mp4".
size_t tub_stem_of(const char *path, const char **base);

#endif
