// Whether a Matroska or WebM file is whole, element by element: libav goes on at the next cluster where it isn't, and
// doesn't tell, so that frames are missing in the middle.
#ifndef TUB_MATROSKA_WALK_H
#define TUB_MATROSKA_WALK_H

#include <stdint.h>

// Where the first element stands that isn't one, or is longer than what holds it; -1: nowhere. Only the elements of the
// segment, its clusters and their groups of blocks are looked at, by their heads. Format: RFC 8794 (EBML), RFC 9559.
int64_t tub_matroska_broken_at(int fd, int64_t file_bytes);

#endif
