#include "gpu_choices.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "atomic_file.h"
#include "cache_path.h"
#include "fail.h"
#include "memory.h"

enum { FILE_MOST = 1 << 20, LINE_MOST = 4 * 12 + 8 * 17 + 4 };

typedef struct choice {
    tub_gpu_answer answer;
    bool measured; // by this process
} choice;

struct tub_gpu_choices {
    bool tune, changed;
    char *path; // NULL: there is no place to keep them
    choice *list;
    size_t count, capacity;
};

bool tub_gpu_choices_tune(const tub_gpu_choices *c)
{
    return c->tune;
}

static choice *find(const tub_gpu_choices *c, const tub_gpu_question *q)
{
    for (size_t i = 0; i < c->count; i++)
        if (memcmp(&c->list[i].answer.question, q, sizeof *q) == 0)
            return &c->list[i];
    return NULL;
}

const tub_gpu_answer *tub_gpu_choices_find(const tub_gpu_choices *c, const tub_gpu_question *q)
{
    const choice *known = find(c, q);
    return known ? &known->answer : NULL;
}

static choice *place_for(tub_gpu_choices *c, const tub_gpu_question *q)
{
    choice *known = find(c, q);
    if (known)
        return known;
    if (!tub_grow((void **)&c->list, &c->capacity, c->count + 1, sizeof *c->list))
        return NULL;
    c->list[c->count] = (choice){0};
    return &c->list[c->count++];
}

tub_status tub_gpu_choices_keep(tub_gpu_choices *c, const tub_gpu_answer *answer, bool measured, tub_error *err)
{
    choice *place = place_for(c, &answer->question);
    if (!place)
        return tub_fail_memory(err, "the list of algorithms");
    place->answer = *answer;
    place->measured = place->measured || measured;
    c->changed = c->changed || measured;
    return TUB_OK;
}

// ---- the file ----

static char *file_of(const char *key)
{
    char name[128];
    return snprintf(name, sizeof name, "gpu-%s.txt", key) < (int)sizeof name ? tub_cache_path(name) : NULL;
}

static bool read_line(const char *line, tub_gpu_answer *answer)
{
    tub_gpu_question *q = &answer->question;
    int at = 0;
    if (sscanf(line, "%d %d %d %d :%n", &q->m, &q->n, &q->k, &q->flags, &at) != 4 || at == 0)
        return false;
    for (int i = 0; i < 8; i++) {
        int length = 0;
        if (sscanf(line + at, " %16" SCNx64 "%n", &answer->algorithm.data[i], &length) != 1)
            return false;
        at += length;
    }
    answer->checked = false;
    return true;
}

static tub_status read_file(tub_gpu_choices *c, tub_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    if (tub_read_file(c->path, FILE_MOST, &text, &bytes, NULL) != TUB_OK)
        return TUB_OK;
    tub_status status = TUB_OK;
    for (char *line = text; line && *line && status == TUB_OK;) {
        char *next = strchr(line, '\n');
        tub_gpu_answer answer;
        if (next)
            *next++ = 0;
        if (read_line(line, &answer))
            status = tub_gpu_choices_keep(c, &answer, false, err);
        line = next;
    }
    tub_free(text);
    return status;
}

tub_status tub_gpu_choices_open(const char *key, bool tune, tub_gpu_choices **out, tub_error *err)
{
    tub_gpu_choices *c = *out = tub_calloc(1, sizeof *c);
    if (!c)
        return tub_fail_memory(err, "the list of algorithms");
    c->tune = tune;
    c->path = tune ? file_of(key) : NULL;
    return c->path ? read_file(c, err) : TUB_OK;
}

void tub_gpu_choices_close(tub_gpu_choices **choices)
{
    if (!choices || !*choices)
        return;
    tub_free((*choices)->path);
    tub_free((*choices)->list);
    tub_free(*choices);
    *choices = NULL;
}

static size_t write_line(char *to, const tub_gpu_answer *answer)
{
    const tub_gpu_question *q = &answer->question;
    size_t at = (size_t)sprintf(to, "%d %d %d %d :", q->m, q->n, q->k, q->flags);
    for (int i = 0; i < 8; i++)
        at += (size_t)sprintf(to + at, " %016" PRIx64, answer->algorithm.data[i]);
    to[at++] = '\n';
    return at;
}

// The file's current contents, which others may have changed, updated with what this process has measured.
static tub_status gather(const tub_gpu_choices *c, tub_gpu_choices *all, tub_error *err)
{
    TUB_TRY(read_file(all, err));
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].measured || !find(all, &c->list[i].answer.question))
            TUB_TRY(tub_gpu_choices_keep(all, &c->list[i].answer, false, err));
    return TUB_OK;
}

// False: out of memory. If the file can't be written, that is no error.
static bool write_file(tub_gpu_choices *c, const tub_gpu_choices *all)
{
    char *text = tub_alloc_aligned(all->count, LINE_MOST);
    size_t bytes = 0;
    if (!text)
        return false;
    for (size_t i = 0; i < all->count; i++)
        bytes += write_line(text + bytes, &all->list[i].answer);
    if (tub_cache_save(c->path, text, bytes))
        c->changed = false;
    tub_free(text);
    return true;
}

tub_status tub_gpu_choices_save(tub_gpu_choices *c, tub_error *err)
{
    if (!c->path || !c->changed)
        return TUB_OK;
    tub_gpu_choices all = {.path = c->path};
    tub_status status = gather(c, &all, err);
    if (status == TUB_OK && !write_file(c, &all))
        status = tub_fail_memory(err, "the list of algorithms");
    tub_free(all.list);
    return status;
}
