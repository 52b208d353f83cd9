// Numbers in text for programs: with a decimal point, whatever locale the program that embeds the library has set.
//
//   const tub_plain_numbers before = tub_plain_numbers_begin();
//   ... snprintf(), strtod() ...
//   tub_plain_numbers_end(before);
//
// Affects only the calling thread. Don't call a caller's function between the two.
#ifndef TUB_PLAIN_NUMBERS_H
#define TUB_PLAIN_NUMBERS_H

#include <locale.h>

typedef struct tub_plain_numbers {
    locale_t before, plain;
} tub_plain_numbers;

tub_plain_numbers tub_plain_numbers_begin(void);
void tub_plain_numbers_end(tub_plain_numbers n);

#endif
