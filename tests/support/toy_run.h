// Runs over a folder of toy videos, one after the other, for tests of data sets.
#ifndef TOY_RUN_H
#define TOY_RUN_H

#include "toy_videos.h"

typedef struct toy_runs {
    char root[64], out[128], videos[128];   // out and videos are folders in root
    tub_error err;                          // of the last run
    tub_run_totals totals;
    int events, ticks;                      // of all runs since the set-up
    volatile int stop;
    bool stop_at_first, stop_at_tick, retry, dry;
    void (*meanwhile)(void);                // after the first video
    void (*listed)(void);                   // before the first video is read
    int rank, world;
    const char *annotations, *file_name;
    double delay;                           // seconds per batch
} toy_runs;

// What the next run does and what the last one reported; tests may read and write it. Set-up zeroes it.
extern toy_runs toy;

// For each test: an empty folder of videos at the start, and a check that no temporary files are left at the end.
int toy_set_up(void **state);
int toy_tear_down(void **state);

// "v00.mp4", "v01.mp4", ..., each longer than the one before it.
void toy_make_videos(int count);
tub_status toy_open_set(tub_dataset **d);
// The data set is opened, run and closed: with the given encoder and stride, or with a new encoder and stride 2.
tub_status toy_run_with(tub_encoder *encoder, int stride);
tub_status toy_run(void);
void toy_expect(size_t skipped, size_t ok, size_t partial, size_t failed, size_t pending);

// Records of the output folder: how many lines a file has, and the last one about a video (NULL: none; json_decref()).
int toy_lines_of(const char *name);
json_t *toy_line_about(const char *file, const char *video);

#endif
