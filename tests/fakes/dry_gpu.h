// GPUs that compute nothing: what the stand-ins for the CUDA runtime (dry_runtime.c), cuBLASLt (dry_cublaslt.c) and cuDNN
// (dry_cudnn.c) share, and what tests ask of them.
//
// Device memory is addresses without memory behind them: a test that follows one ends. Launches, products and attention
// are checked against what the documents of CUDA 13.0 say, counted and forgotten. What is copied from a device is
// zeros. Every piece of work takes 2 ms. A call that breaks a rule is refused as in the real library, and always kept
// for the test too, because nobody looks at some results.
//
// DRY_GPUS: the machine's cards, "h100" unless it says otherwise ("a100,t4").
#ifndef DRY_GPU_H
#define DRY_GPU_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct CUstream_st;

// Numbers are from NVIDIA's data sheets and the CUDA programming guide's table of compute capabilities.
typedef struct dry_card {
    const char *key, *name;
    int major, minor;
    int processors;
    size_t memory;          // bytes
    int shared;             // bytes per block, for kernels that ask for it
    const char *described;  // as cuDNN describes GPUs; NULL: it doesn't start on this one
} dry_card;

// What was done so far, on all devices and by all threads.
typedef struct dry_tally {
    long launches, products, attentions;    // done immediately
    long captured, replayed;                // work recorded; graphs launched
    long algorithms;                        // products that an algorithm was requested for
    long refused;                           // calls that broke a rule
    char first[256];                        // why the first of them was refused
    long blocks, pinned, streams, events, graphs, handles, descriptions;    // that exist; the last two: libraries'
} dry_tally;

const dry_card *dry_card_at(int i);         // NULL past the last
// Likewise for the thread's device.
const dry_card *dry_current(void);

void dry_get_tally(dry_tally *out);
void dry_clear_tally(void);                 // except what exists now

// For the libraries' stand-ins.

// Says why a call is refused: false.
bool dry_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Whether all bytes are in one block of the thread's device. `what`: for the refusal.
bool dry_is_device(const void *data, size_t bytes, const char *what);
// A library's work for a stream of the thread's device. false: refused.
bool dry_work(struct CUstream_st *stream, long *tally, const char *what);
// The tally; change it with dry_count() only.
dry_tally *dry_the_tally(void);
void dry_count(long *tally, long by);
// Stores the real library's function in a pointer to it.
static inline void dry_find(void *library, void *function, const char *name)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
}

#endif
