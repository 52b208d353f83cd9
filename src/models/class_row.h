// A class token in front of a stored table of positions.
#ifndef TUB_CLASS_ROW_H
#define TUB_CLASS_ROW_H

#include "vit.h"

// `token` [.., n], `table` [.., 1 + patches, n]: the token's row with its position [1, n], and the patches' positions.
tub_tensor tub_bind_class_row(tub_binder *b, int n, const tub_tensor *token, const tub_tensor *table,
                              const float **positions);

#endif
