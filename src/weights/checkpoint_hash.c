#include "checkpoint_hash.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "checkpoint_impl.h"
#include "fail.h"
#include "memory.h"

static tub_status hash_weights(tub_hash *hash, const tub_tensor_file *file, tub_error *err)
{
    if (!file->map)
        return tub_hash_file(hash, file->path, TUB_ERROR_MODEL, err);
    tub_hash_update(hash, tub_file_map_data(file->map), (size_t)file->file_bytes);
    return TUB_OK;
}

tub_status tub_checkpoint_hash(const tub_checkpoint *c, char out[TUB_HASH_TEXT], tub_error *err)
{
    tub_hash *hash = tub_hash_create();
    tub_status status = hash ? TUB_OK : tub_fail_memory(err, "a checksum");
    if (status == TUB_OK && c->config_path)
        status = tub_hash_file(hash, c->config_path, TUB_ERROR_MODEL, err);
    for (size_t i = 0; i < c->file_count && status == TUB_OK; i++)
        status = hash_weights(hash, &c->files[i], err);
    if (status == TUB_OK)
        tub_hash_text(hash, out);
    tub_hash_destroy(&hash);
    return status;
}

// A file as its folder describes it.
typedef struct tub_print {
    int64_t bytes, inode, modified, changed;
} tub_print;

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// False: the file was written to just now, or has a time in the future.
static bool add_print(tub_hash *hash, const struct stat *info)
{
    static const int64_t settled = 2000000000;
    struct timespec now;
    const tub_print print = {.bytes = info->st_size,
                             .inode = (int64_t)info->st_ino,
                             .modified = nanoseconds(info->st_mtim),
                             .changed = nanoseconds(info->st_ctim)};
    clock_gettime(CLOCK_REALTIME, &now);
    tub_hash_update(hash, &print, sizeof print);
    return nanoseconds(now) - print.modified > settled && nanoseconds(now) - print.changed > settled;
}

static bool add_prints(const tub_checkpoint *c, tub_hash *hash)
{
    struct stat info;
    if (c->config_path && (stat(c->config_path, &info) != 0 || !add_print(hash, &info)))
        return false;
    for (size_t i = 0; i < c->file_count; i++)
        if (fstat(c->files[i].fd, &info) != 0 || !add_print(hash, &info))
            return false;
    return true;
}

void tub_checkpoint_stamp(const tub_checkpoint *c, char out[TUB_HASH_TEXT])
{
    tub_hash *hash = tub_hash_create();
    out[0] = '\0';
    if (hash && add_prints(c, hash))
        tub_hash_text(hash, out);
    tub_hash_destroy(&hash);
}

static void *run(void *context)
{
    tub_hash_job *job = context;
    job->status = tub_checkpoint_hash(job->checkpoint, job->text, &job->error);
    return NULL;
}

void tub_hash_job_start(tub_hash_job *job, const tub_checkpoint *c)
{
    sigset_t all, before;
    job->checkpoint = c;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals are for the program's own threads
    job->running = pthread_create(&job->thread, NULL, run, job) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!job->running)
        run(job);
}

tub_status tub_hash_job_end(tub_hash_job *job, tub_error *err)
{
    if (job->running)
        pthread_join(job->thread, NULL);
    job->running = false;
    if (job->status != TUB_OK && err)
        *err = job->error;
    return job->status;
}
