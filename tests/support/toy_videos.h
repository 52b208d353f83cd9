// Toy videos and a toy encoder for tests of data sets: real files on disk, whose text says what decoding gives
// ("frames=40 seed=3", and words: bad, away, partial, slow), and rows that depend on those pixels alone.
#ifndef TOY_VIDEOS_H
#define TOY_VIDEOS_H

#include "dataset_impl.h"

enum { TOY_CLIP = 4, TOY_DIM = 5 };

extern const tub_source_ops toy_source;

// A clip model of TOY_CLIP frames and TOY_DIM values per row; `delay`: seconds per batch. Close it:
// tub_encoder_close().
tub_encoder *toy_encoder(double delay);

// A temporary folder with the sub-folder "videos"; returns its path in static memory, which the test may change.
char *toy_folder(void);
void toy_remove(const char *folder);                        // and everything in it
void toy_write(const char *folder, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
char *toy_path(const char *folder, const char *name);       // one of a few static buffers
bool toy_exists(const char *folder, const char *name);
char *toy_read(const char *folder, const char *name);       // the whole file, "" if it isn't there; tub_free()
// Checksum of all .npy files of `folder` in the order of their names, and how many there are.
int toy_digest(const char *folder, char out[TUB_HASH_TEXT]);
int toy_count_temporary(const char *folder);

#endif
