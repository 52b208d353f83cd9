// Fuzzing: what a parser does with any bytes. Each fuzz_*.c has one function, which libFuzzer calls (clang
// -fsanitize=fuzzer,address,undefined) or, as in the tests, the driver of fuzz_driver.c does.
#ifndef TUB_FUZZ_H
#define TUB_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Writes `data` to a file of this process's own, always the same, and returns its path.
const char *fuzz_file(const uint8_t *data, size_t size);

#endif
