#include "gpu_plan_texts.h"

#include <stdio.h>
#include <string.h>

#include "atomic_file.h"
#include "cache_path.h"
#include "memory.h"

enum { NAME_MOST = 160, FILE_MOST = 16 << 20, LINE = TUB_HASH_TEXT }; // 32 digits and a newline

static void name_of(const char *key, const tub_gpu_question *q, char out[NAME_MOST])
{
    snprintf(out, NAME_MOST, "gpu-%s-%dx%dx%d-%x.plan", key, q->m, q->n, q->k, (unsigned)q->flags);
}

static bool hash(const char *name, const tub_gpu_algorithm *a, const char *text, size_t bytes, char out[TUB_HASH_TEXT])
{
    tub_hash *h = tub_hash_create();
    if (!h)
        return false;
    tub_hash_update(h, name, strlen(name));
    tub_hash_update(h, a, sizeof *a);
    tub_hash_update(h, text, bytes);
    tub_hash_text(h, out);
    tub_hash_destroy(&h);
    return true;
}

size_t tub_gpu_plan_text_read(const char *key, const tub_gpu_answer *answer, char **out)
{
    char name[NAME_MOST], wanted[TUB_HASH_TEXT];
    size_t bytes = 0;
    name_of(key, &answer->question, name);
    char *path = tub_cache_path(name), *file = NULL;
    *out = NULL;
    if (path && tub_read_file(path, FILE_MOST, &file, &bytes, NULL) == TUB_OK && bytes > LINE &&
        hash(name, &answer->algorithm, file + LINE, bytes - LINE, wanted) && memcmp(file, wanted, LINE - 1) == 0) {
        bytes -= LINE;
        memmove(file, file + LINE, bytes);
        *out = file;
        file = NULL;
    }
    tub_free(file);
    tub_free(path);
    return *out ? bytes : 0;
}

void tub_gpu_plan_text_write(const char *key, const tub_gpu_answer *answer, const char *text, size_t bytes)
{
    char name[NAME_MOST], line[TUB_HASH_TEXT];
    name_of(key, &answer->question, name);
    char *path = tub_cache_path(name), *file = tub_alloc_aligned(1, LINE + bytes);
    if (path && file && hash(name, &answer->algorithm, text, bytes, line)) {
        memcpy(file, line, LINE - 1);
        file[LINE - 1] = '\n';
        memcpy(file + LINE, text, bytes);
        (void)tub_cache_save(path, file, LINE + bytes);
    }
    tub_free(file);
    tub_free(path);
}

void tub_gpu_plan_text_keep(const tub_backend *b, const tub_gpu_answer *answer, const tub_gpu_plan *plan,
                            tub_gpu_text read)
{
    size_t bytes = 0;
    char *text = b->ops->write_plan(b->gpu, plan, NULL, &bytes) ? tub_alloc_aligned(1, bytes) : NULL;
    if (text && b->ops->write_plan(b->gpu, plan, text, &bytes) &&
        (bytes != read.bytes || memcmp(text, read.data, bytes) != 0))
        tub_gpu_plan_text_write(b->info.key, answer, text, bytes);
    tub_free(text);
}
