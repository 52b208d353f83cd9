#include "completion.h"

// Text inside '...' in places where _arguments and _describe give brackets and colons a meaning.
static void put_text(FILE *to, const char *text)
{
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", to);
        else {
            if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
                fputc('\\', to);
            fputc(*text, to);
        }
}

static void write_row(FILE *to, const option_row *row)
{
    char words[2048];
    fprintf(to, " \\\n            '--%s%s[", row->name, row->kind == KIND_FLAG ? "" : "=");
    put_text(to, row->help);
    fputc(']', to);
    cli_value_words(row, words, sizeof words);
    if (cli_value_is_path(row))
        fprintf(to, ":%s:_files", row->name);
    else if (*words)
        fprintf(to, ":%s:(%s)", row->name, words);
    else if (row->kind != KIND_FLAG)
        fprintf(to, ":%s: ", row->name);
    fputc('\'', to);
}

static void write_verb(FILE *to, const cli_verb *verb)
{
    fprintf(to, "    %s)\n        _arguments", verb->name);
    for (size_t i = 0; cli_option_at(i); i++)
        if (cli_row_is_of(cli_option_at(i), verb))
            write_row(to, cli_option_at(i));
    if (verb->bit == VERB_COMPLETION)
        fprintf(to, " \\\n            '1:shell:(bash zsh fish)'");
    else if (cli_operands_are_paths(verb))
        fprintf(to, " \\\n            '*:file:_files'");
    fprintf(to, " ;;\n");
}

void cli_complete_zsh(FILE *to)
{
    fprintf(to, "#compdef tubelet\n# zsh completion of tubelet: made by `tubelet completion zsh`.\n"
                "_tubelet() {\n    local -a verbs\n    verbs=(");
    for (size_t i = 0; cli_verb_at(i); i++) {
        fprintf(to, "\n        '%s:", cli_verb_at(i)->name);
        put_text(to, cli_verb_at(i)->summary);
        fputc('\'', to);
    }
    fprintf(to, ")\n    if (( CURRENT == 2 )); then\n        _describe verb verbs\n        return\n    fi\n"
                "    local verb=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $verb in\n"
                "    help) _describe verb verbs ;;\n");
    for (size_t i = 0; cli_verb_at(i); i++)
        write_verb(to, cli_verb_at(i));
    fprintf(to, "    esac\n}\nif [[ $funcstack[1] == _tubelet ]]; then\n    _tubelet \"$@\"\nelse\n"
                "    compdef _tubelet tubelet\nfi\n");
}
