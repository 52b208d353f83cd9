// What a dry run says.
#ifndef TUB_CLI_PLAN_REPORT_H
#define TUB_CLI_PLAN_REPORT_H

#include "report.h"

// Video by video, then the totals, what bounds each decision, and the estimate.
void cli_report_plan(const cli_report *r, const tub_dataset *dataset, const tub_plan *plan);

#endif
