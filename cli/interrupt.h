// SIGINT and SIGTERM: the first asks to stop, the second leaves at once.
#ifndef TUB_CLI_INTERRUPT_H
#define TUB_CLI_INTERRUPT_H

void cli_catch_interrupts(void);
// Non-zero once a signal came; what tub_dataset_run() takes as `stop`.
const volatile int *cli_stop_flag(void);
// 130 or 143 once a signal came, else 0.
int cli_interrupted(void);

#endif
