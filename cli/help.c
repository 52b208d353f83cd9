// What --help prints: from the verbs' table and the option table.
#include <stdio.h>
#include <string.h>

#include "cli.h"

static void print_row(const option_row *row, const char *last_group)
{
    char left[80];
    const char *value = row->value ? row->value : "", *hidden = strstr(value, "||");
    int length = (int)(hidden ? (size_t)(hidden - value) : strlen(value));
    snprintf(left, sizeof left, "--%s%s%.*s", row->name, *value ? " " : "", length, value);
    const char *group = strcmp(row->group, last_group) ? row->group : "";
    // A long list of choices must not push the column of explanations to the right.
    if (strlen(left) > 33)
        printf("  %-8s%s: %s\n", group, left, row->help);
    else
        printf("  %-8s%-33s  %s\n", group, left, row->help);
}

void cli_print_help(const cli_verb *verb)
{
    printf("Usage: tubelet %s %s%s[options]\n%s\n", verb->name, verb->operands, *verb->operands ? " " : "",
           verb->summary);
    if (verb->notes)
        printf("%s\n", verb->notes);
    const char *group = "";
    for (size_t i = 0; cli_option_at(i); i++) {
        const option_row *row = cli_option_at(i);
        if (!(row->verbs & verb->bit) || row->verbs == EVERY_VERB)
            continue;
        print_row(row, group);
        group = row->group;
    }
    printf("  %-8s--config FILE  --print-config  --help: see tubelet --help\n", "all");
}

// The options that every verb takes.
static void print_common(void)
{
    for (size_t i = 0; cli_option_at(i); i++)
        if (cli_option_at(i)->verbs == EVERY_VERB)
            print_row(cli_option_at(i), "all");
}

void cli_print_overview(void)
{
    printf("tubelet %s: videos into features for temporal action detection\n\nUsage: tubelet VERB ...\n",
           tub_version());
    for (size_t i = 0; cli_verb_at(i); i++)
        printf("  %-15s  %s\n", cli_verb_at(i)->name, cli_verb_at(i)->summary);
    printf("\nOptions of every verb; each setting can also stand in a file or the environment (docs/settings.md):\n");
    print_common();
    printf("\ntubelet VERB --help explains a verb; tubelet --version prints the version.\n"
           "Exit codes: 0 all well, 1 fatal, 2 usage or settings, 3 some videos failed or are partial,\n"
           "4 model rejected, 5 output not writable, 6 device, 130/143 interrupted (run again to resume).\n");
}
