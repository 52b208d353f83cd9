#include "plan_report.h"

#include "cli.h"
#include "console.h"
#include "json_events.h"
#include "translate.h"

static const char *plan_word(tub_item_state state)
{
    switch (state) {
    case TUB_ITEM_DONE:
        return N_("done");
    case TUB_ITEM_DONE_PARTIAL:
        return N_("done, partial");
    case TUB_ITEM_FAILED:
        return N_("failed before");
    case TUB_ITEM_TODO:
        break;
    }
    return N_("to do");
}

// Why a video is skipped, or what will be made of it.
static void write_reason(const tub_item *item, const tub_plan_item *plan, char *out, size_t size)
{
    if (item->state == TUB_ITEM_FAILED)
        snprintf(out, size, "skipped without --retry-failed: %s", item->reason ? item->reason : "unknown reason");
    else if (item->state != TUB_ITEM_TODO)
        snprintf(out, size, "skipped, as its features are there%s%s", item->reason ? ": " : "",
                 item->reason ? item->reason : "");
    else if (plan->error)
        snprintf(out, size, "will fail: %s", plan->error);
    else
        snprintf(out, size, "%s%lld frames, %lld rows, %.2f MB", plan->by_size ? "by its size " : "",
                 (long long)plan->frames, (long long)plan->rows, (double)plan->bytes / 1e6);
}

static void plan_item(const cli_report *r, const tub_item *item, const tub_plan_item *plan)
{
    const char *word = plan_word(item->state);
    char reason[2048];
    write_reason(item, plan, reason, sizeof reason);
    if (!r->json)
        cli_say(r->text, "%-13s  %s -> %s/%s.%s: %s", _(word), item->path, r->out, item->name, r->extension, reason);
    else
        cli_print_json(json_pack("{s:s, s:o, s:o, s:s, s:o, s:I, s:I, s:I, s:b, s:o}", "event", "plan", "video",
                                 cli_json_text(item->path), "stem", cli_json_text(item->stem), "state", word, "reason",
                                 cli_json_text(item->reason), "frames", (json_int_t)plan->frames, "rows",
                                 (json_int_t)plan->rows, "bytes", (json_int_t)plan->bytes, "by_size",
                                 (int)plan->by_size, "error", cli_json_text(plan->error)));
}

static void plan_bounds(const cli_report *r, const tub_plan *plan)
{
    tub_plan_bound b;
    for (size_t i = 0; tub_plan_bound_at(plan, i, &b); i++)
        if (r->json)
            cli_print_json(json_pack("{s:s, s:s, s:s, s:o}", "event", "bound", "name", b.name, "value", b.value,
                                     "reason", cli_json_text(b.reason)));
        else
            cli_say(r->text, "%-15s  %-16s  %s", b.name, b.value, b.reason);
}

static void plan_totals(const cli_report *r, const tub_plan_info *info)
{
    cli_say(r->text, "[R%d] to come: %lld frames, %lld rows, %.1f MB of features%s", r->rank, (long long)info->frames,
            (long long)info->rows, (double)info->bytes / 1e6, info->todo ? ", by the videos' headers" : "");
    if (info->by_size)
        cli_say(r->text, "[R%d] %zu of these videos are guessed from their sizes", r->rank, info->by_size);
    if (info->unreadable)
        cli_say(r->text, "[R%d] " CLI_RED "%zu can't be read" CLI_PLAIN " and will fail", r->rank, info->unreadable);
    char time[32];
    cli_duration(info->seconds, time, sizeof time);
    if (info->rows_per_second > 0)
        cli_say(r->text, "[R%d] about %s at %.2f rows a second, as measured just now; bottleneck: %s", r->rank, time,
                info->rows_per_second, info->bottleneck);
}

void cli_report_plan(const cli_report *r, const tub_dataset *dataset, const tub_plan *plan)
{
    const tub_plan_info *info = tub_plan_get_info(plan);
    cli_hold_lines(true);
    for (size_t i = 0; i < r->videos; i++) {
        tub_item item;
        tub_plan_item planned;
        tub_dataset_item(dataset, i, &item);
        tub_plan_item_at(plan, i, &planned);
        plan_item(r, &item, &planned);
    }
    cli_hold_lines(false);
    plan_bounds(r, plan);
    plan_totals(r, info);
    cli_say(r->text,
            _("[R%d] shard %d/%d (from: %s): %zu videos: %zu to do (%.1f MB), %zu done, %zu failed before; nothing was "
              "written"),
            r->rank, r->rank, r->world, r->shard_source, r->videos, r->todo, r->bytes_todo / 1e6, r->done_before,
            r->failed_before);
    if (r->json)
        cli_print_json(json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:s?, s:I}", "event", "end",
                                 "dry_run", 1, "videos", (json_int_t)r->videos, "to_do", (json_int_t)r->todo, "done",
                                 (json_int_t)r->done_before, "failed", (json_int_t)r->failed_before, "frames",
                                 (json_int_t)info->frames, "rows", (json_int_t)info->rows, "bytes",
                                 (json_int_t)info->bytes, "rows_per_second", info->rows_per_second, "seconds",
                                 info->seconds, "bottleneck", info->bottleneck, "memory", (json_int_t)info->memory));
}
