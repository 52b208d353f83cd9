#include "emulated_fibres.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

namespace
{

enum { STACK = 64 << 10, PAGE = 4096, LINE = 5 * 64 };

struct fibre {
    jmp_buf place;
    unsigned char *stack;
    bool begun;
};

fibre fibres[FIBRES];
jmp_buf caller;
int running = -1;
fibre_state state;
const std::function<void()> *function;

// A fibre is used again and again: its context is made once, later runs are jumps.
void repeat()
{
    for (;;) {
        (*function)();
        state = FIBRE_ENDED;
        if (!_setjmp(fibres[running].place))
            _longjmp(caller, 1);
    }
}

void begin(fibre *f)
{
    static ucontext_t context;
    if (!f->stack) {
        f->stack =
            (unsigned char *)mmap(nullptr, STACK + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(f->stack, PAGE, PROT_NONE);
    }
    f->begun = true;
    getcontext(&context);
    context.uc_stack.ss_sp = f->stack + PAGE;
    context.uc_stack.ss_size = STACK - (size_t)(f - fibres) * LINE % PAGE; // spread over the parts of a cache
    context.uc_link = nullptr;
    makecontext(&context, repeat, 0);
    setcontext(&context);
}

} // namespace

fibre_state fibre_run(int number, const std::function<void()> &body)
{
    function = &body;
    running = number;
    state = FIBRE_PAUSED;
    if (!_setjmp(caller)) {
        if (fibres[number].begun)
            _longjmp(fibres[number].place, 1);
        begin(&fibres[number]);
    }
    running = -1;
    return state;
}

void fibre_pause()
{
    if (!_setjmp(fibres[running].place))
        _longjmp(caller, 1);
}

void fibre_leave()
{
    state = FIBRE_LEFT;
    _longjmp(caller, 1);
}

int fibre_number()
{
    return running;
}

void fibres_abandon()
{
    for (fibre &f : fibres)
        f.begun = false;
}
