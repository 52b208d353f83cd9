// Whether a file is whole, piece by piece. libav goes on after what is damaged or missing and doesn't report it, so
// frames are missing in the middle.
//
// Each function returns the offset of the first thing that doesn't belong where it is, or is longer than what contains
// it; -1: there is none. Unless stated otherwise, headers are read and contents are skipped.
#ifndef TUB_CONTAINER_WALK_H
#define TUB_CONTAINER_WALK_H

#include <stdint.h>

// Matroska and WebM: the elements of the segment, its clusters and their groups of blocks. Format: RFC 8794 (EBML),
// RFC 9559.
int64_t tub_matroska_broken_at(int fd, int64_t file_bytes);
// Flash Video: the tags, and each tag's size, which follows it. Format: Adobe's specification, version 10.1.
int64_t tub_flv_broken_at(int fd, int64_t file_bytes);
// GIF: the blocks up to the trailer. Format: GIF89a.
int64_t tub_gif_broken_at(int fd, int64_t file_bytes);
// Ogg: the pages with their contents, as libav drops a page with a wrong checksum. Format: RFC 3533.
int64_t tub_ogg_broken_at(int fd, int64_t file_bytes);
// MP4 and similar files, if they have fragments, which no index lists: the boxes, down to those of a fragment's tracks.
// Format: ISO/IEC 14496-12.
int64_t tub_mp4_broken_at(int fd, int64_t file_bytes);
// ASF (WMV): the packets, and whether the pieces of each frame are all there. Format: Microsoft's specification, 01.20.
int64_t tub_asf_broken_at(int fd, int64_t file_bytes);
// MPEG-PS (VOB): packs and packets. Format: ISO/IEC 13818-1, 11172-1.
int64_t tub_ps_broken_at(int fd, int64_t file_bytes);
// MPEG-TS: the counters of the packets with this PID. *seams: how many of the places where libav reports something as
// missing are only ends of joined files. Format: ISO/IEC 13818-1.
int64_t tub_ts_broken_at(int fd, int64_t file_bytes, int pid, int64_t *seams);

#endif
