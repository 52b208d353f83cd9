#include "toy_run.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <string.h>

#include "encoder_impl.h"

toy_runs toy;

int toy_set_up(void **state)
{
    (void)state;
    const char *folder = toy_folder();
    if (!folder)
        return -1;
    toy = (toy_runs){0};
    snprintf(toy.root, sizeof toy.root, "%s", folder);
    snprintf(toy.out, sizeof toy.out, "%s/out/deep", toy.root);
    snprintf(toy.videos, sizeof toy.videos, "%s/videos", toy.root);
    return 0;
}

int toy_tear_down(void **state)
{
    (void)state;
    assert_int_equal(toy_count_temporary(toy.out), 0);
    toy_remove(toy.root);
    return 0;
}

static void on_event(void *user, const tub_event *event)
{
    (void)user;
    assert_non_null(event->totals);
    if (event->kind == TUB_EVENT_TICK) {
        assert_non_null(event->progress);
        toy.ticks++;
        toy.stop = toy.stop || toy.stop_at_tick;
        return;
    }
    if (toy.events++ == 0 && toy.meanwhile)
        toy.meanwhile();
    assert_non_null(event->result);
    assert_true((event->output != NULL) == (event->result->status == TUB_OK));
    assert_true((event->item->state == TUB_ITEM_FAILED) == (event->result->status != TUB_OK));
    toy.stop = toy.stop || toy.stop_at_first;
}

tub_status toy_open_set(tub_dataset **d)
{
    const char *inputs[] = {toy.videos};
    tub_dataset_params params = {.size = sizeof params,
                                 .inputs = inputs,
                                 .input_count = 1,
                                 .out = toy.out,
                                 .shard_rank = toy.rank,
                                 .shard_world = toy.world,
                                 .annotations = toy.annotations,
                                 .layout = {.name = toy.file_name},
                                 .retry_failed = toy.retry,
                                 .dry_run = toy.dry};
    return tub_dataset_open(&params, d, &toy.err);
}

tub_status toy_run_with(tub_encoder *encoder, int stride)
{
    tub_dataset *d = NULL;
    const tub_run_totals *t = &toy.totals;
    toy.totals = (tub_run_totals){0};
    tub_status status = toy_open_set(&d);
    tub_run_params params = {.size = sizeof params, .on_event = on_event, .stop = &toy.stop};
    params.extractor =
        (tub_extractor_params){.size = sizeof params.extractor, .decode_threads = 2, .sampling = {.stride = stride}};
    if (toy.listed)
        toy.listed();
    if (status == TUB_OK)
        status = tub_dataset_run_source(d, encoder, &params, &toy_source, &toy.totals, &toy.err);
    if (status == TUB_OK)
        assert_int_equal(toy.totals.videos, t->skipped + t->ok + t->partial + t->failed + t->pending);
    tub_dataset_close(&d);
    return status;
}

tub_status toy_run(void)
{
    tub_encoder *encoder = toy_encoder(toy.delay);
    tub_status status = toy_run_with(encoder, 2);
    tub_encoder_close(&encoder);
    return status;
}

void toy_expect(size_t skipped, size_t ok, size_t partial, size_t failed, size_t pending)
{
    assert_int_equal(toy.totals.skipped, skipped);
    assert_int_equal(toy.totals.ok, ok);
    assert_int_equal(toy.totals.partial, partial);
    assert_int_equal(toy.totals.failed, failed);
    assert_int_equal(toy.totals.pending, pending);
}

void toy_make_videos(int count)
{
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "v%02d.mp4", i);
        toy_write(toy.videos, name, "frames=%d seed=%d", 3 + 5 * i, i);
    }
}

int toy_lines_of(const char *name)
{
    char *text = toy_read(toy.out, name);
    int lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    tub_free(text);
    return lines;
}

json_t *toy_line_about(const char *file, const char *video)
{
    char *text = toy_read(toy.out, file), *rest;
    json_t *found = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *object = json_loads(line, 0, NULL);
        assert_non_null(object);
        if (strcmp(json_string_value(json_object_get(object, "video")), toy_path(toy.videos, video)) == 0) {
            json_decref(found);
            found = json_incref(object);
        }
        json_decref(object);
    }
    tub_free(text);
    return found;
}
