#include "found.h"

#include <signal.h>

#include "fail.h"

static tub_status read_all(tub_found *f, tub_error *err)
{
    TUB_TRY(tub_out_listing_read(f->folder, &f->listing, err));
    TUB_TRY(tub_records_read_manifests(&f->listing.manifests, &f->manifests, err));
    return tub_records_read_failures(&f->listing.failures, &f->failures, err);
}

static void *run(void *context)
{
    tub_found *f = context;
    f->status = read_all(f, &f->error);
    atomic_store(&f->is_read, true);
    return NULL;
}

void tub_found_start(tub_found *f, const char *folder)
{
    sigset_t all, before;
    f->folder = folder;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals are for the program's own threads
    f->running = pthread_create(&f->thread, NULL, run, f) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!f->running)
        run(f);
}

bool tub_found_is_read(const tub_found *f)
{
    return atomic_load(&f->is_read);
}

static void wait_for(tub_found *f)
{
    if (f->running)
        pthread_join(f->thread, NULL);
    f->running = false;
}

tub_status tub_found_end(tub_found *f, tub_error *err)
{
    wait_for(f);
    if (f->status != TUB_OK && err)
        *err = f->error;
    return f->status;
}

void tub_found_finish(tub_found *f)
{
    wait_for(f);
    tub_records_finish(&f->failures);
    tub_records_finish(&f->manifests);
    tub_out_listing_finish(&f->listing);
    *f = (tub_found){0};
}
