// Lines of manifest.jsonl and failures.jsonl.
#ifndef TUB_RECORD_LINE_H
#define TUB_RECORD_LINE_H

#include "inputs.h"
#include "settings.h"

typedef struct tub_finished {
    const tub_result *result;
    const char *checksum;       // XXH3-128 of the .npy
    int64_t bytes;              // of the .npy
    int64_t mtime;              // time of the .npy's last modification, nanoseconds since 1970
    int dim;
    double save_seconds;
} tub_finished;

// Each function returns one line without a newline, to be freed with tub_free(); NULL on failure.
//   {"video", "output", "status": "ok" | "partial", "reason", "short", "T", "C", "frames", "fps", "fps_native",
//    "frames_used", "duration", "clip_length", "stride", "interval", "align", "pool", "dtype", "num_frames",
//    "offset_frames", "file_dtype", "settings", "model", "bytes", "checksum", "mtime_ns",
//    "video_bytes", "seconds": {"init", "decode", "convert", "forward", "save", "wall"}, "tubelet", "time"}
char *tub_record_line(const tub_entry *entry, const tub_finished *finished, const tub_settings *settings,
                      const tub_layout *layout);
//   {"video", "stem", "status": "failed", "error", "reason", "video_bytes", "tubelet", "time"}
char *tub_failure_line(const tub_entry *entry, const tub_result *result);

#endif
