#include "extractor_impl.h"
#include "memory.h"

tub_reel *tub_reel_create(tub_extractor *x, const tub_job *job)
{
    tub_reel *reel = tub_calloc(1, sizeof *reel);
    if (!reel)
        return NULL;
    reel->path = tub_strdup(job->path);
    if (!reel->path) {
        tub_free(reel);
        return NULL;
    }
    reel->tag = job->tag;
    pthread_mutex_lock(&x->lock);
    reel->after = x->reels;
    if (reel->after)
        reel->after->before = reel;
    x->reels = reel;
    pthread_mutex_unlock(&x->lock);
    return reel;
}

static void unlink_reel(tub_extractor *x, tub_reel *reel)
{
    pthread_mutex_lock(&x->lock);
    if (reel->before)
        reel->before->after = reel->after;
    else
        x->reels = reel->after;
    if (reel->after)
        reel->after->before = reel->before;
    pthread_mutex_unlock(&x->lock);
}

void tub_reel_release(tub_extractor *x, tub_reel *reel)
{
    unlink_reel(x, reel);
    tub_frame_rows_close(&reel->frame_rows);
    tub_free(reel->chunk);
    tub_free(reel->path);
    tub_free(reel);
}
