// tubelet report: recorded runs as a page.
#include "cli.h"
#include "report_html.h"

int cli_show_report(const cli_arguments *args)
{
    int code = cli_require(args, OPTION_OUT);
    if (code != CLI_OK)
        return code;
    bool two = args->operand_count > 1;
    json_t *before = two ? cli_report_load(args->operands[0]) : NULL;
    json_t *run = two && !before ? NULL : cli_report_load(args->operands[two]);
    code = run ? cli_report_save_page(args->value[OPTION_OUT].text, before, run) : CLI_USAGE;
    json_decref(before);
    json_decref(run);
    return code;
}
