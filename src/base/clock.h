// Clocks, to measure where time goes.
#ifndef TUB_CLOCK_H
#define TUB_CLOCK_H

double tub_now(void);           // seconds of the monotonic clock
double tub_thread_cpu(void);    // seconds of processor time of the calling thread

#endif
