// Writes a command line as text that a shell reads back as the same words.
#include <stdlib.h>
#include <string.h>

#include "report.h"

static bool plain_word(const char *word)
{
    return *word && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")] == 0;
}

static bool has_control(const char *word)
{
    for (; *word; word++)
        if ((unsigned char)*word < 0x20 || *word == 0x7f)
            return true;
    return false;
}

// 'word', or $'word' if it holds a newline or the like, which must be escaped.
static void put_word(FILE *to, const char *word)
{
    if (plain_word(word)) {
        fputs(word, to);
        return;
    }
    bool control = has_control(word);
    fputs(control ? "$'" : "'", to);
    for (; *word; word++) {
        unsigned char c = (unsigned char)*word;
        if (control && (c < 0x20 || c == 0x7f))
            fprintf(to, "\\%03o", c);
        else if (control && (c == '\'' || c == '\\'))
            fprintf(to, "\\%c", c);
        else if (c == '\'')
            fputs("'\\''", to);
        else
            fputc(c, to);
    }
    fputc('\'', to);
}

char *cli_command_line(const cli_arguments *args, const char *more)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return NULL;
    for (int i = 0; i < args->argc; i++) {
        if (i)
            fputc(' ', to);
        put_word(to, args->argv[i]);
        // Before the operands: after a "--", nothing would be read as an option.
        if (i == 1)
            fputs(more, to);
    }
    return fclose(to) ? (free(text), NULL) : text;
}
