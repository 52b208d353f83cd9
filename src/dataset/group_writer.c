#include "group_writer.h"

#include <pthread.h>
#include <signal.h>

#include "fail.h"
#include "memory.h"

enum { MOST = 64 }; // files that are open at once

// Numbers of files so far; taken <= published <= begun <= put <= taken + MOST.
struct tub_group_writer {
    const char *manifest;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    tub_atomic_file *files[MOST];
    char *lines[MOST];
    void *users[MOST];
    size_t taken, published, begun, put;
    bool closing;
    tub_status status; // of the first failure
    tub_error error;
};

// Publishes files begun .. begun + count - 1 of the ring. *done: how many got their lines.
static tub_status publish(tub_group_writer *w, size_t begun, size_t count, size_t *done, tub_error *err)
{
    tub_atomic_file *files[MOST];
    const char *lines[MOST];
    for (size_t i = 0; i < count; i++) {
        files[i] = w->files[(begun + i) % MOST];
        lines[i] = w->lines[(begun + i) % MOST];
    }
    size_t named = 0;
    tub_status status = tub_atomic_commit_all(files, count, &named, err);
    *done = 0;
    if (named) {
        tub_status appended = tub_append_lines(w->manifest, lines, named, status == TUB_OK ? err : NULL);
        *done = appended == TUB_OK ? named : 0;
        status = status == TUB_OK ? appended : status;
    }
    for (size_t i = 0; i < count; i++)
        tub_free(w->lines[(begun + i) % MOST]);
    return status;
}

static void drop(tub_group_writer *w, size_t begun, size_t count)
{
    for (size_t i = begun; i < begun + count; i++) {
        tub_atomic_abandon(&w->files[i % MOST]);
        tub_free(w->lines[i % MOST]);
    }
}

// Publishes one group. The lock is held before and after.
static void work_once(tub_group_writer *w)
{
    const size_t begun = w->begun, count = w->put - begun;
    const bool failed = w->status != TUB_OK;
    size_t done = 0;
    tub_error error = {0};
    tub_status status = TUB_OK;
    w->begun = w->put;
    pthread_mutex_unlock(&w->lock);
    if (failed)
        drop(w, begun, count);
    else
        status = publish(w, begun, count, &done, &error);
    pthread_mutex_lock(&w->lock);
    w->published += done;
    if (status != TUB_OK) {
        w->status = status;
        w->error = error;
    }
    pthread_cond_broadcast(&w->changed);
}

static void *run(void *context)
{
    tub_group_writer *w = context;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (w->begun == w->put && !w->closing)
            pthread_cond_wait(&w->changed, &w->lock);
        if (w->begun == w->put)
            break;
        work_once(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

// The thread blocks all signals, which are for the program's own threads.
static bool start(tub_group_writer *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&w->thread, NULL, run, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

tub_status tub_group_writer_open(const char *manifest, tub_group_writer **out, tub_error *err)
{
    *out = NULL;
    tub_group_writer *w = tub_calloc(1, sizeof *w);
    if (!w)
        return tub_fail_memory(err, "a writer");
    w->manifest = manifest;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    if (start(w)) {
        *out = w;
        return TUB_OK;
    }
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    tub_free(w);
    return tub_fail(err, TUB_ERROR_MEMORY, "the writing thread can't be started");
}

void tub_group_writer_close(tub_group_writer **writer)
{
    if (!writer || !*writer)
        return;
    tub_group_writer *w = *writer;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    tub_free(w);
    *writer = NULL;
}

// To be called under the lock.
static tub_status state(const tub_group_writer *w, tub_error *err)
{
    if (w->status != TUB_OK && err)
        *err = w->error;
    return w->status;
}

tub_status tub_group_writer_put(tub_group_writer *w, tub_atomic_file *file, char *line, void *user, tub_error *err)
{
    pthread_mutex_lock(&w->lock);
    tub_status status = state(w, err);
    if (status == TUB_OK) {
        const size_t at = w->put++ % MOST;
        w->files[at] = file;
        w->lines[at] = line;
        w->users[at] = user;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    if (status != TUB_OK) {
        tub_atomic_abandon(&file);
        tub_free(line);
    }
    return status;
}

bool tub_group_writer_has_room(tub_group_writer *w)
{
    pthread_mutex_lock(&w->lock);
    bool room = w->put - w->taken < MOST || w->status != TUB_OK;
    pthread_mutex_unlock(&w->lock);
    return room;
}

void *tub_group_writer_take(tub_group_writer *w)
{
    pthread_mutex_lock(&w->lock);
    void *user = w->taken < w->published ? w->users[w->taken++ % MOST] : NULL;
    pthread_mutex_unlock(&w->lock);
    return user;
}

void tub_group_writer_wait(tub_group_writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->status == TUB_OK && w->taken == w->published && w->published < w->put)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

tub_status tub_group_writer_wait_all(tub_group_writer *w, tub_error *err)
{
    pthread_mutex_lock(&w->lock);
    while (w->status == TUB_OK && w->published < w->put)
        pthread_cond_wait(&w->changed, &w->lock);
    tub_status status = state(w, err);
    pthread_mutex_unlock(&w->lock);
    return status;
}
