// The remaining time that a run reports.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "../../cli/report_progress.c"

static double now;
static char line[LONGEST_LINE + 64];

const char *cli_translate(const char *text)
{
    return text;
}

double cli_now(void)
{
    return now;
}

bool cli_has_status_line(void)
{
    return true;
}

bool cli_lines_are_json(void)
{
    return false;
}

void cli_say_with(FILE *to, json_t *facts, const char *format, ...)
{
    (void)to, (void)facts, (void)format;
}

void cli_status_line(const char *text)
{
    snprintf(line, sizeof line, "%s", text);
}

// After ten days: `done` of `todo` megabytes are finished, with as many rows, and in addition the rows of `ahead`
// videos of one megabyte each.
static void expect(double todo, double done, int64_t ahead, const char *eta)
{
    cli_report r = {.todo = (size_t)todo, .bytes_todo = todo, .bytes_done = done, .rows_done = (int64_t)done};
    const tub_progress p = {.rows_done = r.rows_done + ahead};
    const tub_run_totals totals = {.ok = (size_t)done};
    const tub_event event = {.kind = TUB_EVENT_TICK, .progress = &p, .totals = &totals};
    char expected[64];
    now = 10 * 86400;
    cli_report_tick(&r, &event);
    snprintf(expected, sizeof expected, " | ETA %s | ", eta);
    if (!strstr(line, expected))
        fail_msg("ETA %s was expected in %s", eta, line);
}

static void test_the_last_of_a_million_videos(void **state)
{
    (void)state;
    expect(1e6, 500000, 0, "240:00:00");
    expect(1e6, 990000, 0, "2:25:27");
    expect(1e6, 999900, 0, "1:26");
    expect(1e6, 999999, 0, "0:01");
    expect(1e6, 1e6, 0, "0:00");
}

// Rows that are ahead may be more than the remaining bytes suggest.
static void test_videos_under_way(void **state)
{
    (void)state;
    expect(1e6, 500000, 250000, "80:00:00");
    expect(1e6, 500000, 700000, "1:12:22");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_last_of_a_million_videos),
                                       cmocka_unit_test(test_videos_under_way)};
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
