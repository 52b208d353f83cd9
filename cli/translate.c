#include "translate.h"

#include <libintl.h>
#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "catalogue.h"

static char domain[] = "tubelet";
static cli_catalogue *catalogue; // read without gettext, NULL = none

static const char *set(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

// The locale that the environment asks for, in POSIX's order.
static const char *asked_locale(void)
{
    const char *name = set("LC_ALL");
    if (!name)
        name = set("LC_MESSAGES");
    return name ? name : set("LANG");
}

static bool is_plain(const char *locale)
{
    return !locale || !strcmp(locale, "C") || !strcmp(locale, "POSIX") || !strncmp(locale, "C.", 2);
}

// Catalogues are in UTF-8. Only the system can convert them to a locale's encoding, and only if it has the locale.
static bool writes_utf8(const char *locale)
{
    const char *codes = strchr(locale, '.');
    return !codes || !strncasecmp(codes, ".utf-8", 6) || !strncasecmp(codes, ".utf8", 5);
}

// Beside the command in the build folder, or below the prefix where it is installed.
static bool find_folder(char *out, size_t size)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 1)
        return false;
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    *slash = '\0';
    const char *below[] = {"locale", "../share/locale"};
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        int written = snprintf(out, size, "%s/%s", self, below[i]);
        if (written > 0 && (size_t)written < size && access(out, R_OK) == 0)
            return true;
    }
    return false;
}

// "zh_CN.UTF-8" -> the catalogue of zh_CN, or else of zh. `length` is the name's.
static cli_catalogue *open_language(const char *folder, const char *name, size_t length)
{
    size_t whole = strcspn(name, ".@");
    whole = whole < length ? whole : length;
    size_t language = strcspn(name, "_");
    for (size_t tried = whole; tried > 0; tried = language < tried ? language : 0) {
        char *path = NULL;
        if (asprintf(&path, "%s/%.*s/LC_MESSAGES/%s.mo", folder, (int)tried, name, domain) < 0)
            return NULL;
        cli_catalogue *found = cli_catalogue_open(path);
        free(path);
        if (found)
            return found;
    }
    return NULL;
}

// LANGUAGE is a list: the first language that has a catalogue counts. "en" and "C" in it end the search.
static cli_catalogue *open_asked(const char *folder, const char *locale)
{
    const char *list = set("LANGUAGE");
    for (const char *at = list ? list : locale; *at;) {
        size_t length = strcspn(at, ":");
        if (length > 0 && (!strncmp(at, "en", 2) || (length == 1 && *at == 'C')))
            return NULL;
        cli_catalogue *found = length > 0 ? open_language(folder, at, length) : NULL;
        if (found)
            return found;
        at += length + (at[length] == ':');
    }
    return NULL;
}

void cli_translate_start(void)
{
    char folder[PATH_MAX + 32];
    const char *asked = asked_locale();
    // Not LC_NUMERIC: numbers have a point everywhere.
    setlocale(LC_CTYPE, "");
    const char *got = setlocale(LC_MESSAGES, "");
    if (is_plain(asked) || !find_folder(folder, sizeof folder))
        return;
    // gettext itself would skip English in LANGUAGE, which has no catalogue, and take the next language.
    cli_catalogue *own = open_asked(folder, asked);
    if (!own)
        return;
    const bool by_gettext = got && !is_plain(got);
    if (by_gettext) {
        bindtextdomain(domain, folder);
        textdomain(domain);
    }
    if (!by_gettext && writes_utf8(asked))
        catalogue = own;
    else
        cli_catalogue_close(own);
}

const char *cli_translate(const char *text)
{
    if (!*text) // the catalogue's own header
        return text;
    return catalogue ? cli_catalogue_find(catalogue, text) : gettext(text);
}
