// The output of a dry run.
#ifndef TUB_CLI_PLAN_REPORT_H
#define TUB_CLI_PLAN_REPORT_H

#include "report.h"

// Prints each video, then the totals, what decides each setting, and the estimate.
void cli_report_plan(const cli_report *r, const tub_dataset *dataset, const tub_plan *plan);

#endif
