// The command's texts in the user's language: gettext with the catalogues in po/. The library's texts are English.
#ifndef TUB_CLI_TRANSLATE_H
#define TUB_CLI_TRANSLATE_H

// Marks a text and translates it; N_ only marks.
#define _(text) cli_translate(text)
#define N_(text) text

// Call this once, before any output. gettext translates only if the system has the locale named by LANG and the like.
// If it doesn't (a container, a small installation), the same catalogue is read without gettext.
void cli_translate_start(void);

const char *cli_translate(const char *text) __attribute__((format_arg(1)));

#endif
