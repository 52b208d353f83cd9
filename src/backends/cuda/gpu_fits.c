#include "gpu_fits.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "atomic_file.h"
#include "cache_path.h"
#include "hash.h"

enum {
    LINES_MOST = 256, // the oldest are dropped
    LINE_MOST = 96,
    FILE_MOST = 64 << 10,
    SLACK_MIB = 64, // free memory differs by up to this from one start to the next
};

typedef struct fit {
    char key[TUB_HASH_TEXT];
    long long free_mib;
    int wave;
} fit;

// Hashes what the needed memory depends on, the card and its libraries, and the limit.
static void make_key(const tub_executable *e, char out[TUB_HASH_TEXT])
{
    const tub_program *p = e->program;
    const int facts[] = {(int)e->dtype,   e->with_tokens,  e->max_items,   p->value_count,   p->op_count,
                         p->input.frames, p->input.height, p->input.width, p->input.is_float};
    tub_hash *hash = tub_hash_create();
    *out = 0;
    if (!hash)
        return;
    tub_hash_update(hash, facts, sizeof facts);
    for (int i = 0; i < p->value_count; i++) {
        const int shape[] = {p->values[i].rows, p->values[i].cols};
        tub_hash_update(hash, shape, sizeof shape);
    }
    tub_hash_update(hash, e->backend->info.key, strlen(e->backend->info.key));
    tub_hash_update(hash, &e->backend->limit, sizeof e->backend->limit);
    tub_hash_text(hash, out);
    tub_hash_destroy(&hash);
}

static bool read_line(const char *line, fit *out)
{
    return sscanf(line, "%32[0-9a-f] %lld %d", out->key, &out->free_mib, &out->wave) == 3 &&
           strlen(out->key) == TUB_HASH_TEXT - 1 && out->free_mib >= 0 && out->wave > 0;
}

// Reads the file's valid lines except those with key `except`; the newest LINES_MOST - 1 of them.
static int read_file(const char *path, const char *except, fit lines[LINES_MOST])
{
    char *text = NULL;
    size_t bytes = 0;
    int count = 0;
    if (tub_read_file(path, FILE_MOST, &text, &bytes, NULL) != TUB_OK)
        return 0;
    for (char *line = text; line && *line;) {
        char *next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        if (count == LINES_MOST - 1)
            memmove(lines, lines + 1, (size_t)--count * sizeof *lines);
        count += read_line(line, &lines[count]) && (!except || strcmp(lines[count].key, except) != 0);
        line = next;
    }
    tub_free(text);
    return count;
}

static bool is_kept(const tub_executable *e)
{
    return !(e->backend->without & TUB_GPU_WITHOUT_TUNING);
}

int tub_gpu_fits_known(const tub_executable *e)
{
    const long long free_mib = (long long)(e->backend->free_at_open >> 20);
    char key[TUB_HASH_TEXT], *path = is_kept(e) ? tub_cache_path("gpu-fits.txt") : NULL;
    fit *lines = path ? tub_calloc(LINES_MOST, sizeof *lines) : NULL;
    int wave = INT_MAX;
    make_key(e, key);
    for (int i = lines && *key ? read_file(path, NULL, lines) : 0; i-- > 0;)
        if (strcmp(lines[i].key, key) == 0 && free_mib <= lines[i].free_mib + SLACK_MIB)
            wave = lines[i].wave;
    tub_free(lines);
    tub_free(path);
    return wave;
}

static void write_file(const char *path, const fit *lines, int count)
{
    char *text = tub_calloc((size_t)count, LINE_MOST);
    size_t at = 0;
    for (int i = 0; text && i < count; i++)
        at += (size_t)snprintf(text + at, LINE_MOST, "%s %lld %d\n", lines[i].key, lines[i].free_mib, lines[i].wave);
    if (text)
        (void)tub_cache_save(path, text, at);
    tub_free(text);
}

void tub_gpu_fits_keep(const tub_executable *e)
{
    char *path = is_kept(e) ? tub_cache_path("gpu-fits.txt") : NULL;
    fit *lines = path ? tub_calloc(LINES_MOST, sizeof *lines) : NULL, fresh = {.wave = e->wave};
    fresh.free_mib = (long long)(e->backend->free_at_open >> 20);
    make_key(e, fresh.key);
    if (lines && *fresh.key) {
        int count = read_file(path, fresh.key, lines);
        lines[count++] = fresh;
        write_file(path, lines, count);
    }
    tub_free(lines);
    tub_free(path);
}
