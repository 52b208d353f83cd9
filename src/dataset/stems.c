#include "stems.h"

#include <string.h>

#include "fail.h"
#include "stem_map.h"

static bool same_file(tub_entry *a, tub_entry *b)
{
    if (strcmp(a->path, b->path) == 0)
        return true;
    tub_entry_ask(a);
    tub_entry_ask(b);
    return a->bytes >= 0 && b->bytes >= 0 && a->device == b->device && a->inode == b->inode;
}

static tub_status keep_first(tub_entries *list, const char *extension, tub_stem_map *seen, tub_error *err)
{
    size_t kept = 0, collisions = 0;
    tub_error first;
    for (size_t i = 0; i < list->count; i++) {
        tub_entry *entry = &list->items[i];
        size_t other;
        if (!tub_stem_map_add(seen, entry->name, kept, &other))
            return tub_fail_memory(err, "the list of videos");
        if (other == (size_t)TUB_NO_STEM) {
            list->items[kept++] = *entry;
        } else if (!same_file(entry, &list->items[other])) {
            if (collisions++ == 0)
                tub_fail(&first, TUB_ERROR_ARGUMENT,
                         "%s and %s would both become %s%s: rename one of them, or extract them into different "
                         "output folders",
                         list->items[other].path, entry->path, entry->name, extension);
        }
    }
    if (collisions > 1)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s (%zu more names collide)", first.text, collisions - 1);
    if (collisions)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s", first.text);
    list->count = kept;
    return TUB_OK;
}

tub_status tub_stems_unique(tub_entries *list, const char *extension, tub_error *err)
{
    tub_stem_map seen = {0};
    tub_status status = keep_first(list, extension, &seen, err);
    tub_stem_map_finish(&seen);
    return status;
}
