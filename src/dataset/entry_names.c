#include "entry_names.h"

#include <limits.h>
#include <string.h>

#include "fail.h"
#include "name_text.h"

static tub_status name_entry(tub_arena *arena, tub_entry *entry, const tub_layout *layout, const tub_video_facts *facts,
                             tub_error *err)
{
    char name[PATH_MAX];
    const tub_fact *fact = facts ? tub_video_facts_find(facts, entry->stem) : NULL;
    TUB_TRY(tub_layout_file_name(layout->name, entry->stem, fact ? fact->split : NULL, name, sizeof name, err));
    entry->name = tub_arena_strdup(arena, name);
    entry->key = entry->name ? tub_name_text(arena, entry->name) : NULL;
    return entry->key ? TUB_OK : tub_fail_memory(err, "the list of videos");
}

tub_status tub_entries_name(tub_arena *arena, tub_entries *list, const tub_layout *layout, const tub_video_facts *facts,
                            tub_error *err)
{
    bool plain = strcmp(layout->name, "{stem}") == 0; // and so is the key
    for (size_t i = 0; i < list->count; i++)
        if (plain)
            list->items[i].name = list->items[i].stem;
        else
            TUB_TRY(name_entry(arena, &list->items[i], layout, facts, err));
    return TUB_OK;
}
