#include "catalogue.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC = (int)0x950412deu, LARGEST = 1 << 20, HEAD = 20 };

// The file's layout: five numbers (magic, revision, count, offset of the table of texts, offset of the table of
// translations), then the two tables of (length, offset), sorted by text, then the bytes.
struct cli_catalogue {
    char *bytes;
    uint32_t size, count, texts, translations;
};

static uint32_t number(const cli_catalogue *c, uint32_t offset)
{
    uint32_t value;
    memcpy(&value, c->bytes + offset, sizeof value);
    return value;
}

static bool is_table(const cli_catalogue *c, uint32_t table)
{
    if (table > c->size || c->count > (c->size - table) / 8)
        return false;
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t length = number(c, table + 8 * i), offset = number(c, table + 8 * i + 4);
        if (offset >= c->size || length >= c->size - offset || c->bytes[offset + length] != '\0')
            return false;
    }
    return true;
}

static bool is_whole(cli_catalogue *c)
{
    if (c->size < HEAD || number(c, 0) != (uint32_t)MAGIC)
        return false;
    c->count = number(c, 8);
    c->texts = number(c, 12);
    c->translations = number(c, 16);
    return is_table(c, c->texts) && is_table(c, c->translations);
}

cli_catalogue *cli_catalogue_open(const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    cli_catalogue *c = calloc(1, sizeof *c);
    if (c)
        c->bytes = malloc(LARGEST);
    if (c && c->bytes)
        c->size = (uint32_t)fread(c->bytes, 1, LARGEST, f);
    fclose(f);
    if (c && c->bytes && is_whole(c))
        return c;
    cli_catalogue_close(c);
    return NULL;
}

void cli_catalogue_close(cli_catalogue *c)
{
    if (!c)
        return;
    free(c->bytes);
    free(c);
}

const char *cli_catalogue_find(const cli_catalogue *c, const char *text)
{
    uint32_t low = 0, high = c->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(text, c->bytes + number(c, c->texts + 8 * middle + 4));
        if (order == 0)
            return c->bytes + number(c, c->translations + 8 * middle + 4);
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return text;
}
