// Keeps GPUs ready for decoders while videos come and go: a GPU's context goes with the last one who uses it, and is
// made anew in fractions of a second.
//
// Thread-safety: safe.
#ifndef TUB_NVDEC_HOLD_H
#define TUB_NVDEC_HOLD_H

typedef struct tub_nvdec_hold tub_nvdec_hold;

// GPUs by their numbers, as CUDA counts. One that can't be had isn't kept: a decoder will say why. NULL: out of memory.
tub_nvdec_hold *tub_nvdec_hold_open(const int *gpus, int count);
void tub_nvdec_hold_close(tub_nvdec_hold **hold); // accepts NULL

#endif
