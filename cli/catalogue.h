// A catalogue of translations: gettext's .mo file, in UTF-8.
#ifndef TUB_CLI_CATALOGUE_H
#define TUB_CLI_CATALOGUE_H

typedef struct cli_catalogue cli_catalogue;

// NULL if there is no such file, or it isn't a catalogue. Texts found in it are valid until it is closed. close()
// accepts NULL.
cli_catalogue *cli_catalogue_open(const char *path);
void cli_catalogue_close(cli_catalogue *c);
// The translation, or the text itself if there is none.
const char *cli_catalogue_find(const cli_catalogue *c, const char *text) __attribute__((format_arg(2)));

#endif
