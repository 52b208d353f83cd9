// The command's words in the user's language: gettext with the catalogues of po/. What the library says is English.
#ifndef TUB_CLI_TRANSLATE_H
#define TUB_CLI_TRANSLATE_H

// Marks a text and translates it; N_ only marks.
#define _(text) cli_translate(text)
#define N_(text) text

// Once, before anything is said. gettext translates only where the system has the locale that LANG and the like name.
// Where it hasn't (a container, a small installation), the same catalogue is read without it.
void cli_translate_start(void);

const char *cli_translate(const char *text) __attribute__((format_arg(1)));

#endif
