// SIGINT and SIGTERM: the first signal asks the run to stop, the second ends the process at once.
#ifndef TUB_CLI_INTERRUPT_H
#define TUB_CLI_INTERRUPT_H

void cli_catch_interrupts(void);
// Non-zero once a signal came; for `stop` of tub_run_params.
const volatile int *cli_stop_flag(void);
// 130 or 143 once a signal came, else 0.
int cli_interrupted(void);

#endif
