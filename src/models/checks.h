// Checks of an item's shape that several families share; for tub_architecture.check.
#ifndef TUB_CHECKS_H
#define TUB_CHECKS_H

#include "model.h"

// For a stored table of positions: the size must be the config's, or one that the user asked for, of at least one
// patch.
tub_status tub_check_image_size(const tub_config *c, const tub_build *build, tub_error *err);
// At least one patch.
tub_status tub_check_one_patch(const tub_config *c, const tub_build *build, tub_error *err);

#endif
