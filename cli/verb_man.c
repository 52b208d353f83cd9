// tubelet man: the manual page, in man macros, from the verbs' table and the option table.
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "completion.h"
#include "settings_layers.h"

// Text that roff prints as it is: '-' stays '-', and '.' and '\'' at the beginning of a line mean nothing.
static void put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++)
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
}

static void put_line(const char *text)
{
    put_text(text);
    putchar('\n');
}

static void print_option(const option_row *row)
{
    printf(".TP\n\\fB\\-\\-");
    put_text(row->name);
    printf("\\fR");
    if (row->value) {
        char value[256];
        snprintf(value, sizeof value, "%.*s", cli_value_shown(row), row->value);
        printf(" \\fI");
        put_text(value);
        printf("\\fR");
    }
    printf("\n");
    put_line(row->help);
}

static void print_options(const cli_verb *verb)
{
    const char *group = "";
    for (size_t i = 0; cli_option_at(i); i++) {
        const option_row *row = cli_option_at(i);
        if (!cli_row_is_of(row, verb) || row->verbs == EVERY_VERB)
            continue;
        if (strcmp(group, row->group))
            printf(".PP\n.I %s\n", row->group);
        group = row->group;
        print_option(row);
    }
}

static void print_verb(const cli_verb *verb)
{
    printf(".SS tubelet ");
    put_text(verb->name);
    printf("\n.B tubelet ");
    put_text(verb->name);
    if (*verb->operands) {
        printf("\n.I ");
        put_text(verb->operands);
    }
    printf("\n.RI [ options ]\n.PP\n");
    put_line(verb->summary);
    if (verb->notes) {
        printf(".PP\n");
        put_line(verb->notes);
    }
    print_options(verb);
}

static void print_settings(void)
{
    printf(".SH SETTINGS\nEach option, without its dashes, can also be set in a file, one\n"
           ".IR \"NAME\" \" = \" \"VALUE\"\na line, and in the environment.\n"
           "The command line counts most, then the environment, then the project's file, then the user's.\n"
           "Flags take yes or no; on the command line \\fB\\-\\-no\\-\\fINAME\\fR takes one back.\n"
           "Lines below \\fB[\\fIVERB\\fB]\\fR are for that verb; a # begins a comment.\n"
           "\\fB\\-\\-print\\-config\\fR says each setting and where it comes from.\n"
           ".SH ENVIRONMENT\n");
    for (size_t i = 0; cli_option_at(i); i++) {
        const option_row *row = cli_option_at(i);
        char name[64];
        bool told = !cli_is_setting(row->id);
        for (size_t j = 0; j < i; j++)
            told |= !strcmp(cli_option_at(j)->name, row->name);
        cli_variable_name(row, name);
        if (!told)
            printf("%s\\fB%s\\fR", i ? ", " : "", name);
    }
    printf(
        ": the options of these names.\n.TP\n.B TUBELET_CONFIG\nthe settings file, as with \\-\\-config\n"
        ".TP\n.B TUBELET_ISA\nscalar, avx2, avx512, avx512_bf16 or amx (64-bit ARM: scalar or neon): the highest "
        "instruction set that may be used\n.TP\n.B TUBELET_OPENVINO\nwhere OpenVINO is\n"
        ".TP\n.B TUBELET_CUDA_PLUGIN\nthe file of the plug-in for GPUs\n.TP\n.B NO_COLOR\nif set, nothing is colored\n"
        ".SH FILES\n.TP\n.I ./tubelet.conf\nthe project's settings\n"
        ".TP\n.I $XDG_CONFIG_HOME/tubelet/config\nthe user's settings; ~/.config/tubelet/config without the "
        "variable\n.TP\n.I $XDG_CACHE_HOME/tubelet\nwhat was measured on this machine, profiles, packed weights; "
        "~/.cache/tubelet without the variable.\nMay be deleted\n");
}

int cli_man(const cli_arguments *args)
{
    (void)args;
    printf(
        ".TH TUBELET 1 \"\" \"tubelet %s\" \"User Commands\"\n.SH NAME\n"
        "tubelet \\- videos into features for temporal action detection\n.SH SYNOPSIS\n"
        ".B tubelet\n.I VERB\n.RI [ options ]\n.SH DESCRIPTION\n"
        "Decodes videos once, cuts them into sliding windows, runs a video transformer over them and writes one\n"
        "float32 array [T, C] a video.\n"
        "A run resumes where it was stopped, and refuses to mix settings in one folder.\n.SH OPTIONS OF EVERY VERB\n",
        tub_version());
    for (size_t i = 0; cli_option_at(i); i++)
        if (cli_option_at(i)->verbs == EVERY_VERB)
            print_option(cli_option_at(i));
    printf(".SH VERBS\n");
    for (size_t i = 0; cli_verb_at(i); i++)
        print_verb(cli_verb_at(i));
    print_settings();
    printf(".SH EXIT STATUS\n"
           "0 all well, 1 fatal, 2 usage or settings, 3 some videos failed or are partial, 4 model rejected,\n"
           "5 output not writable, 6 device, 130 and 143 interrupted: run again to resume.\n");
    return CLI_OK;
}
