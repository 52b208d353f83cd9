// The page of --report: one file that shows one recorded run, or two side by side.
#ifndef TUB_CLI_REPORT_HTML_H
#define TUB_CLI_REPORT_HTML_H

#include <jansson.h>

// The page, which the build makes from cli/page/. The runs replace "@DATA@".
extern const unsigned char cli_report_page[];

// Writes a run to `path`: as a page, or if the name ends with .json, only the record. Returns 0, or an exit code after
// a message.
int cli_report_save(const char *path, const json_t *run);
// Two runs on one page (`before` may be NULL).
int cli_report_save_page(const char *path, const json_t *before, const json_t *run);
// Reads a run from either kind of file; the caller frees it. NULL after a message.
json_t *cli_report_load(const char *path);

#endif
