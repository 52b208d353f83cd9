// Files of torch.save (.pt, .pth, .bin): the tensors of the state dict in them, by name.
//
// Both containers can be read: ZIP, and the legacy one of consecutive pickles followed by the storages (before torch
// 1.6). Nothing in the file is run: see torch_pickle.h. The values stay in the file until they are needed.
//
// The state dict is the file's dict, or the value in it under "model", "state_dict", "module", "model_state" or
// "model_state_dict", in this order, even one within another. Anything that isn't a tensor is skipped. "_orig_mod." and
// "module." are removed from names wherever they occur: the wrappers of torch.compile and DataParallel add them.
//
// Refused: names outside of the fixed list (the error says which); tensors that leave their storage; storages that
// leave the file or don't have the stated length; tensors that together need more than twice the file's bytes (one
// value repeated at will); two tensors with one name; big-endian files. Opening a file uses at most twice its size plus
// a few megabytes.
#ifndef TUB_TORCH_FILE_H
#define TUB_TORCH_FILE_H

#include "tensor_file.h"

// Entries are in the order of their names. Errors: TUB_ERROR_MODEL, TUB_ERROR_MEMORY; then there is nothing to finish.
tub_status tub_torch_open(const char *path, tub_tensor_file *out, tub_error *err);

#endif
