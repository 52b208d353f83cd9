#include "weight_cache.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "atomic_file.h"
#include "cache_path.h"
#include "fail.h"
#include "memory.h"
#include "weight_file.h"

struct tub_weight_cache {
    tub_weight_cache_params params;
    char *folder, *path; // path: set once a key is known
    tub_weight_facts facts;
    tub_file_map *map;
    ino_t passed_over; // inode of a file that was of no use; 0: none
    const void *data;  // what to write; NULL: nothing
    pthread_t thread;
    bool writing;
    atomic_bool stop;
    tub_status status; // of writing; TUB_END: another process has done it
    tub_error error;
};

tub_weight_cache *tub_weight_cache_open(const tub_weight_cache_params *params)
{
    tub_weight_cache *c = tub_calloc(1, sizeof *c);
    char *folder = tub_cache_path("weights");
    if (!c || !folder) {
        tub_warn(&params->log, "packed weights aren't cached: neither XDG_CACHE_HOME nor HOME says where");
        tub_free(folder);
        tub_free(c);
        return NULL;
    }
    c->params = *params;
    c->folder = folder;
    snprintf(c->facts.version, sizeof c->facts.version, "%s %s", tub_version(), tub_backends_identity());
    snprintf(c->facts.stamp, sizeof c->facts.stamp, "%s", params->stamp);
    return c;
}

// A checkpoint's name, with characters that any file system accepts.
static void plain_name(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(out, size, "%s", slash && slash[1] ? slash + 1 : "model");
    for (char *c = out; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            *c = '_';
    if (*out == '.')
        *out = '_';
}

// "videomae-base.bf16.amx.0123456789abcdef" in the cache's folder; NULL: out of memory.
static char *path_of(const tub_weight_cache *c)
{
    char name[64], digest[TUB_HASH_TEXT];
    char *real = realpath(c->params.model, NULL);
    const char *model = real ? real : c->params.model;
    char *text = tub_format("%s\n%s", model, c->facts.key);
    plain_name(model, name, sizeof name);
    if (text)
        tub_hash_bytes(text, strlen(text), digest);
    char *path =
        text ? tub_format("%s/%s.%s.%s.%.16s", c->folder, name, tub_dtype_name(c->params.dtype), c->params.isa, digest)
             : NULL;
    tub_free(text);
    free(real);
    return path;
}

// 0: there is no file.
static ino_t inode_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_ino : 0;
}

const void *tub_weight_cache_take(tub_weight_cache *c, const char *key, size_t bytes, char hash[TUB_HASH_TEXT])
{
    size_t start = 0;
    snprintf(c->facts.key, sizeof c->facts.key, "%s", key);
    c->facts.bytes = bytes;
    c->path = path_of(c);
    if (!c->path)
        return NULL;
    c->passed_over = inode_of(c->path);
    const tub_weight_trouble trouble = tub_weight_file_open(c->path, &c->facts, c->params.team, &c->map, &start, hash);
    if (!trouble) {
        tub_inform(&c->params.log, "packed weights from %s", c->path);
        return (const char *)tub_file_map_data(c->map) + start;
    }
    if (*trouble)
        tub_warn(&c->params.log, "%s: %s: the weights are packed anew", c->path, trouble);
    return NULL;
}

void tub_weight_cache_keep(tub_weight_cache *c, const char *key, const void *data, size_t bytes)
{
    if (c->path && bytes == c->facts.bytes && !strcmp(key, c->facts.key))
        c->data = data;
}

// Processes that start together needn't all write the same, so only one may use the folder at a time. -1: it can't be
// locked.
static int lock_folder(const tub_weight_cache *c)
{
    const int folder = open(c->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) != 0) {
        if (atomic_load(&c->stop) || (errno != EWOULDBLOCK && errno != EINTR)) {
            close(folder);
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return folder;
}

static tub_status write_locked(tub_weight_cache *c, tub_error *err)
{
    if (inode_of(c->path) != c->passed_over && !tub_weight_file_open(c->path, &c->facts, NULL, NULL, NULL, NULL))
        return TUB_END;
    tub_atomic_sweep(c->folder);
    return tub_weight_file_write(c->path, &c->facts, c->data, &c->stop, err);
}

static void *write_file(void *context)
{
    tub_weight_cache *c = context;
    c->status = tub_make_folder(c->folder, &c->error);
    if (c->status != TUB_OK)
        return NULL;
    const int lock = lock_folder(c);
    c->status = lock >= 0 ? write_locked(c, &c->error)
                          : tub_fail(&c->error, TUB_ERROR_OUTPUT, "%s: can't be locked", c->folder);
    if (lock >= 0)
        close(lock);
    return NULL;
}

void tub_weight_cache_write(tub_weight_cache *c, const char *hash)
{
    sigset_t all, before;
    if (!c->data)
        return;
    snprintf(c->facts.hash, sizeof c->facts.hash, "%s", hash);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals are for the program's own threads
    c->writing = pthread_create(&c->thread, NULL, write_file, c) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!c->writing)
        tub_warn(&c->params.log, "packed weights aren't cached: no thread can be started");
}

// The thread itself logs nothing: the log belongs to its object and takes one call at a time.
static void end_writing(tub_weight_cache *c, bool hurry)
{
    if (hurry)
        atomic_store(&c->stop, true);
    pthread_join(c->thread, NULL);
    if (c->status == TUB_OK)
        tub_inform(&c->params.log, "packed weights are kept in %s, %.0f MiB", c->path,
                   (double)c->facts.bytes / (1 << 20));
    else if (c->status != TUB_END && !atomic_load(&c->stop))
        tub_warn(&c->params.log, "packed weights aren't cached: %s", c->error.text);
}

void tub_weight_cache_close(tub_weight_cache **cache, bool hurry)
{
    tub_weight_cache *c = *cache;
    *cache = NULL;
    if (!c)
        return;
    if (c->writing)
        end_writing(c, hurry);
    tub_file_map_release(c->map);
    tub_free(c->path);
    tub_free(c->folder);
    tub_free(c);
}
