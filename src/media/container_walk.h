// Whether a file is whole, piece by piece: libav goes on behind what is damaged or gone, and doesn't tell, so that
// frames are missing in the middle.
//
// Each returns where the first thing stands that doesn't belong there, or is longer than what holds it; -1: nowhere.
// Heads are looked at, and contents passed over, unless said otherwise.
#ifndef TUB_CONTAINER_WALK_H
#define TUB_CONTAINER_WALK_H

#include <stdint.h>

// Matroska and WebM: the elements of the segment, its clusters and their groups of blocks. Format: RFC 8794 (EBML),
// RFC 9559.
int64_t tub_matroska_broken_at(int fd, int64_t file_bytes);
// Flash Video: the tags, and the size of each that stands behind it. Format: Adobe's specification, version 10.1.
int64_t tub_flv_broken_at(int fd, int64_t file_bytes);
// GIF: the blocks up to the trailer. Format: GIF89a.
int64_t tub_gif_broken_at(int fd, int64_t file_bytes);
// Ogg: the pages, with their contents, as libav leaves out a page whose checksum is another. Format: RFC 3533.
int64_t tub_ogg_broken_at(int fd, int64_t file_bytes);
// MP4 and its kin, as far as fragments follow, which no index lists: the boxes, down to those of a fragment's tracks.
// Format: ISO/IEC 14496-12.
int64_t tub_mp4_broken_at(int fd, int64_t file_bytes);
// ASF (WMV): the packets, and whether the pieces of each frame are all there. Format: Microsoft's specification, 01.20.
int64_t tub_asf_broken_at(int fd, int64_t file_bytes);
// MPEG-PS (VOB): packs and packets. Format: ISO/IEC 13818-1, 11172-1.
int64_t tub_ps_broken_at(int fd, int64_t file_bytes);
// MPEG-TS: the counters of the packets with this PID. *seams: how many places where libav says that something is
// missing are the ends of files that were joined. Format: ISO/IEC 13818-1.
int64_t tub_ts_broken_at(int fd, int64_t file_bytes, int pid, int64_t *seams);

#endif
