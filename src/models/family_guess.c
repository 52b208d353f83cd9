// Which family a state dict belongs to, by the names of its tensors.
#include <string.h>

#include "model.h"

// Whether a tensor's name is `name`, or ends in "." and `name`.
static bool is_there(const tub_checkpoint *c, const char *name, size_t length)
{
    for (size_t i = 0; i < tub_checkpoint_count(c); i++) {
        tub_tensor t;
        tub_checkpoint_tensor(c, i, &t);
        size_t whole = strlen(t.name);
        if (whole < length || memcmp(t.name + whole - length, name, length) != 0)
            continue;
        if (whole == length || t.name[whole - length - 1] == '.')
            return true;
    }
    return false;
}

// Whether one of the names in "a|b" is there.
static bool is_one_there(const tub_checkpoint *c, const char *names, size_t length)
{
    for (const char *at = names, *end = names + length; at < end;) {
        size_t one = strcspn(at, "|,");
        if (is_there(c, at, one))
            return true;
        at += one + 1;
    }
    return false;
}

bool tub_architecture_fits(const tub_architecture *a, const tub_checkpoint *c)
{
    const char *at = a->names;
    while (at && *at) {
        size_t length = strcspn(at, ",");
        bool wanted = *at != '!';
        if (is_one_there(c, at + !wanted, length - !wanted) != wanted)
            return false;
        at += length + (at[length] == ',');
    }
    return a->names != NULL;
}

const tub_architecture *tub_architecture_guess(const tub_checkpoint *c)
{
    const tub_architecture *a;
    for (size_t i = 0; (a = tub_architecture_at(i)); i++)
        if (tub_architecture_fits(a, c))
            return a;
    return NULL;
}
