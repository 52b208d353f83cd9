// Keeps GPUs ready for decoders while videos come and go. Otherwise a GPU's context would end with its last user, and
// making a new one takes fractions of a second.
//
// Thread-safety: safe.
#ifndef TUB_NVDEC_HOLD_H
#define TUB_NVDEC_HOLD_H

typedef struct tub_nvdec_hold tub_nvdec_hold;

// Keeps GPUs by CUDA's numbers. One that isn't available is skipped: a decoder will say why. NULL: out of memory.
tub_nvdec_hold *tub_nvdec_hold_open(const int *gpus, int count);
void tub_nvdec_hold_close(tub_nvdec_hold **hold); // accepts NULL

#endif
