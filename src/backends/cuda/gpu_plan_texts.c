#include "gpu_plan_texts.h"

#include <stdio.h>
#include <string.h>

#include "atomic_file.h"
#include "cache_path.h"
#include "memory.h"

enum { NAME_MOST = 192, FILE_MOST = 16 << 20, LINE = TUB_HASH_TEXT }; // 32 digits and a newline

static void name_of(const tub_backend *b, const tub_gpu_attention *a, char out[NAME_MOST])
{
    snprintf(out, NAME_MOST, "gpu-%s-%d-%dx%dx%d-%dx%d.plan", b->info.key, (int)a->type, a->batch, a->heads, a->dim,
             a->queries, a->keys);
}

static bool hash(const char *name, const tub_gpu_attention *a, const char *text, size_t bytes, char out[TUB_HASH_TEXT])
{
    const int64_t distances[] = {a->q_row,   a->k_row,   a->v_row,   a->out_row,
                                 a->q_batch, a->k_batch, a->v_batch, a->out_batch};
    tub_hash *h = tub_hash_create();
    if (!h)
        return false;
    tub_hash_update(h, name, strlen(name));
    tub_hash_update(h, distances, sizeof distances);
    tub_hash_update(h, text, bytes);
    tub_hash_text(h, out);
    tub_hash_destroy(&h);
    return true;
}

size_t tub_gpu_plan_text_read(const tub_backend *b, const tub_gpu_attention *shape, char **out)
{
    char name[NAME_MOST], wanted[TUB_HASH_TEXT];
    size_t bytes = 0;
    name_of(b, shape, name);
    char *path = tub_cache_path(name), *file = NULL;
    *out = NULL;
    if (path && tub_read_file(path, FILE_MOST, &file, &bytes, NULL) == TUB_OK && bytes > LINE &&
        hash(name, shape, file + LINE, bytes - LINE, wanted) && memcmp(file, wanted, LINE - 1) == 0) {
        bytes -= LINE;
        memmove(file, file + LINE, bytes);
        *out = file;
        file = NULL;
    }
    tub_free(file);
    tub_free(path);
    return *out ? bytes : 0;
}

static void write_text(const tub_backend *b, const tub_gpu_attention *shape, const char *text, size_t bytes)
{
    char name[NAME_MOST], line[TUB_HASH_TEXT];
    name_of(b, shape, name);
    char *path = tub_cache_path(name), *file = tub_alloc_aligned(1, LINE + bytes);
    if (path && file && hash(name, shape, text, bytes, line)) {
        memcpy(file, line, LINE - 1);
        file[LINE - 1] = '\n';
        memcpy(file + LINE, text, bytes);
        (void)tub_cache_save(path, file, LINE + bytes);
    }
    tub_free(file);
    tub_free(path);
}

void tub_gpu_plan_text_keep(const tub_backend *b, const tub_gpu_attention *shape, const tub_gpu_plan *plan,
                            tub_gpu_text read)
{
    size_t room = 0;
    char *text = b->ops->write_plan(b->gpu, plan, NULL, &room) ? tub_alloc_aligned(1, room) : NULL;
    size_t bytes = room; // if the text has become larger since, nothing was written
    if (text && b->ops->write_plan(b->gpu, plan, text, &bytes) && bytes <= room &&
        (bytes != read.bytes || memcmp(text, read.data, bytes) != 0))
        write_text(b, shape, text, bytes);
    tub_free(text);
}
