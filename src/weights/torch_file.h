// Files of torch.save (.pt, .pth, .bin): the tensors of the state dict in them, by name.
//
// Both containers are read: the ZIP one, and the legacy one of consecutive pickles with the storages behind them
// (before torch 1.6). Nothing in the file is run: see torch_pickle.h. The values stay in the file until they are asked
// for.
//
// The state dict is the file's dict, or what lies in it under "model", "state_dict", "module", "model_state" or
// "model_state_dict", in this order, also one within another. What isn't a tensor is passed over. "_orig_mod." and
// "module." are taken out of names wherever they occur, as the wrappers of torch.compile and DataParallel put them in.
//
// Refused: names outside of the fixed list, by name; tensors that leave their storage, storages that leave the file or
// aren't as long as said; tensors that together need more than twice the file's bytes (one value repeated at will); two
// tensors of one name; big-endian files. While a file is opened, at most twice its size and a few megabytes are used.
#ifndef TUB_TORCH_FILE_H
#define TUB_TORCH_FILE_H

#include "tensor_file.h"

// Entries are in the order of their names. Errors: TUB_ERROR_MODEL, TUB_ERROR_MEMORY; nothing is left to be finished
// then.
tub_status tub_torch_open(const char *path, tub_tensor_file *out, tub_error *err);

#endif
