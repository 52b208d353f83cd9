// The rows in front of the patches' rows, for families with a stored table of positions.
#ifndef TUB_CLASS_ROW_H
#define TUB_CLASS_ROW_H

#include "vit.h"

// `token` [.., n], `table` [.., 1 + patches, n]: returns the token's row plus its position [1, n], and sets *positions
// to the patches' positions (NULL after a failure, which the binder keeps).
tub_tensor tub_bind_class_row(tub_binder *b, int n, const tub_tensor *token, const tub_tensor *table,
                              const float **positions);
// The same, followed by `count` registers [.., count, n], which have no positions: [1 + count, n].
tub_tensor tub_bind_prefix(tub_binder *b, int n, const tub_tensor *token, const tub_tensor *table,
                           const tub_tensor *registers, int count, const float **positions);

#endif
