// The page of --report: one file that draws one recorded run, or two side by side.
#ifndef TUB_CLI_REPORT_HTML_H
#define TUB_CLI_REPORT_HTML_H

#include <jansson.h>

// The page, made from cli/page/ by the build; "@DATA@" stands where the runs go.
extern const unsigned char cli_report_page[];

// Writes a run to `path`: as a page, or where the name ends with .json as the record alone. Returns 0 or an exit code
// after a message.
int cli_report_save(const char *path, const json_t *run);
// Two runs on one page (`before` may be NULL).
int cli_report_save_page(const char *path, const json_t *before, const json_t *run);
// A run from either kind of file, the caller's. NULL after a message.
json_t *cli_report_load(const char *path);

#endif
