// Fibres: functions with stacks of their own that are run in turns by one thread.
#ifndef EMULATED_FIBRES_H
#define EMULATED_FIBRES_H

#include <functional>

enum { FIBRES = 1024 };

// Runs fibre `number` from where it paused, or from the beginning of `body`, until it pauses, ends or fails.
enum fibre_state { FIBRE_PAUSED, FIBRE_ENDED, FIBRE_LEFT };
fibre_state fibre_run(int number, const std::function<void()> &body);

// From inside one.
void fibre_pause();
[[noreturn]] void fibre_leave(); // for good
int fibre_number();              // -1: outside

// The next run of each begins anew.
void fibres_abandon();

#endif
