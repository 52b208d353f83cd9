#include "completion.h"

static void put_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', to);
        fputc(*text, to);
    }
}

static void write_row(FILE *to, const cli_verb *verb, const option_row *row)
{
    char words[2048];
    fprintf(to, "complete -c tubelet -n '__fish_seen_subcommand_from %s' -l %s", verb->name, row->name);
    cli_value_words(row, words, sizeof words);
    if (cli_value_is_path(row))
        fputs(" -rF", to);
    else if (row->kind != KIND_FLAG)
        fprintf(to, " -x%s%s%s", *words ? " -a '" : "", words, *words ? "'" : "");
    fputs(" -d '", to);
    put_text(to, row->help);
    fputs("'\n", to);
}

static void write_verb(FILE *to, const cli_verb *verb)
{
    fprintf(to, "complete -c tubelet -f -n '__fish_use_subcommand' -a %s -d '", verb->name);
    put_text(to, verb->summary);
    fputs("'\n", to);
    for (size_t i = 0; cli_option_at(i); i++)
        if (cli_row_is_of(cli_option_at(i), verb))
            write_row(to, verb, cli_option_at(i));
    if (verb->bit == VERB_COMPLETION)
        fprintf(to, "complete -c tubelet -f -n '__fish_seen_subcommand_from %s' -a 'bash zsh fish'\n", verb->name);
}

void cli_complete_fish(FILE *to)
{
    fprintf(to, "# fish completion of tubelet: made by `tubelet completion fish`.\n");
    for (size_t i = 0; cli_verb_at(i); i++)
        write_verb(to, cli_verb_at(i));
}
