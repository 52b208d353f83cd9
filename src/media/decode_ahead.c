#include "decode_ahead.h"

#include <pthread.h>

#include "clock.h"
#include "fail.h"
#include "memory.h"
#include "queue.h"

enum { FRAMES_AHEAD = 4 };

typedef struct step {
    tub_status status;
    AVFrame *frame; // if the status is TUB_OK
    tub_video_damage damage;
    double seconds;
    tub_error error;
} step;

struct tub_ahead {
    tub_decoding *decoding;
    tub_queue *steps;
    pthread_t thread;
    step last; // what ended the decoding
    bool ended;
};

static step make_step(tub_decoding *decoding)
{
    double start = tub_now();
    step s = {.status = TUB_ERROR_MEMORY, .frame = av_frame_alloc()};
    if (s.frame)
        s.status = tub_decoding_next(decoding, s.frame, &s.error);
    else
        tub_fail_memory(&s.error, "a frame");
    if (s.status != TUB_OK)
        av_frame_free(&s.frame);
    s.damage = decoding->damage;
    s.seconds = tub_now() - start;
    return s;
}

static void *decode(void *ahead)
{
    tub_ahead *a = ahead;
    for (;;) {
        step s = make_step(a->decoding);
        tub_status status = s.status;
        if (tub_queue_send(a->steps, &s) != TUB_OK) {
            av_frame_free(&s.frame);
            return NULL;
        }
        if (status != TUB_OK)
            return NULL;
    }
}

tub_ahead *tub_ahead_open(tub_decoding *decoding)
{
    tub_ahead *a = tub_calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->decoding = decoding;
    a->steps = tub_queue_create(FRAMES_AHEAD, sizeof(step));
    if (a->steps && pthread_create(&a->thread, NULL, decode, a) == 0)
        return a;
    tub_queue_destroy(&a->steps);
    tub_free(a);
    return NULL;
}

tub_status tub_ahead_next(tub_ahead *a, AVFrame *out, tub_video_damage *damage, double *seconds, tub_error *err)
{
    step s = a->last;
    s.seconds = 0;
    if (!a->ended && tub_queue_receive(a->steps, &s) != TUB_OK)
        s.status = TUB_END;
    *damage = s.damage;
    *seconds = s.seconds;
    if (s.status == TUB_OK) {
        av_frame_move_ref(out, s.frame);
        av_frame_free(&s.frame);
        return TUB_OK;
    }
    a->last = s;
    a->ended = true;
    if (err && s.status < 0)
        *err = s.error;
    return s.status;
}

void tub_ahead_close(tub_ahead **ahead)
{
    if (!ahead || !*ahead)
        return;
    tub_ahead *a = *ahead;
    step s;
    tub_queue_stop(a->steps);
    pthread_join(a->thread, NULL);
    while (tub_queue_drain(a->steps, &s))
        av_frame_free(&s.frame);
    tub_queue_destroy(&a->steps);
    tub_free(a);
    *ahead = NULL;
}
