// Fibres: functions with their own stacks, which one thread runs in turns.
#ifndef EMULATED_FIBRES_H
#define EMULATED_FIBRES_H

#include <functional>

enum { FIBRES = 1024 };

// Runs fibre `number` from where it paused, or from the beginning of `body`, until it pauses, ends or fails.
enum fibre_state { FIBRE_PAUSED, FIBRE_ENDED, FIBRE_LEFT };
fibre_state fibre_run(int number, const std::function<void()> &body);

// Called from inside a fibre.
void fibre_pause();
[[noreturn]] void fibre_leave(); // ends for good
int fibre_number();              // -1: not in a fibre

// The next run of each fibre begins anew.
void fibres_abandon();

#endif
