// Numbers in text that programs read: with a point, whatever locale the program that embeds the library has set.
//
//   const tub_plain_numbers before = tub_plain_numbers_begin();
//   ... snprintf(), strtod() ...
//   tub_plain_numbers_end(before);
//
// Concerns the calling thread alone; no function of a caller's is called between the two.
#ifndef TUB_PLAIN_NUMBERS_H
#define TUB_PLAIN_NUMBERS_H

#include <locale.h>

typedef struct tub_plain_numbers {
    locale_t before, plain;
} tub_plain_numbers;

tub_plain_numbers tub_plain_numbers_begin(void);
void tub_plain_numbers_end(tub_plain_numbers n);

#endif
