#include "completion.h"

static void list_verbs(FILE *to)
{
    for (size_t i = 0; cli_verb_at(i); i++)
        fprintf(to, "%s%s", i ? " " : "", cli_verb_at(i)->name);
}

static void write_values(FILE *to, const cli_verb *verb)
{
    char words[2048];
    for (size_t i = 0; cli_option_at(i); i++) {
        const option_row *row = cli_option_at(i);
        if (!cli_row_is_of(row, verb) || row->kind == KIND_FLAG)
            continue;
        cli_value_words(row, words, sizeof words);
        if (cli_value_is_path(row))
            fprintf(to, "        --%s) paths=1 ;;\n", row->name);
        else
            fprintf(to, "        --%s) words='%s' ;;\n", row->name, words);
    }
}

static void write_verb(FILE *to, const cli_verb *verb)
{
    fprintf(to, "    %s)\n        case $before in\n", verb->name);
    write_values(to, verb);
    fprintf(to, "        *) value=0 words='");
    for (size_t i = 0; cli_option_at(i); i++)
        if (cli_row_is_of(cli_option_at(i), verb))
            fprintf(to, "--%s ", cli_option_at(i)->name);
    fprintf(to, "' paths=%d ;;\n        esac ;;\n", cli_operands_are_paths(verb));
}

void cli_complete_bash(FILE *to)
{
    fprintf(to, "# bash completion of tubelet: made by `tubelet completion bash`.\n"
                "_tubelet()\n{\n"
                "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words='' paths=0 value=1\n"
                "    COMPREPLY=()\n"
                "    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W '");
    list_verbs(to);
    fprintf(to, "' -- \"$word\"))\n        return\n    fi\n"
                "    # bash makes three words of --name=value\n"
                "    if [[ $word == = ]]; then\n        word=''\n"
                "    elif [[ $before == = ]]; then\n        before=${COMP_WORDS[COMP_CWORD-2]}\n    fi\n"
                "    case ${COMP_WORDS[1]} in\n    help) words='");
    list_verbs(to);
    fprintf(to, "' ;;\n    completion) words='bash zsh fish --help' ;;\n");
    for (size_t i = 0; cli_verb_at(i); i++)
        if (cli_verb_at(i)->bit != VERB_COMPLETION)
            write_verb(to, cli_verb_at(i));
    fprintf(to, "    esac\n"
                "    if [[ $value == 1 || $word == -* ]]; then\n"
                "        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n    fi\n"
                "    if [[ $paths == 1 && $word != -* ]]; then\n"
                "        compopt -o filenames 2>/dev/null\n"
                "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n    fi\n"
                "}\ncomplete -F _tubelet tubelet\n");
}
