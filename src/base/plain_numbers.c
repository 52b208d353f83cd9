#include "plain_numbers.h"

tub_plain_numbers tub_plain_numbers_begin(void)
{
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return (tub_plain_numbers){uselocale(plain), plain}; // without memory for it, the locale stays as it is
}

void tub_plain_numbers_end(tub_plain_numbers n)
{
    uselocale(n.before);
    if (n.plain)
        freelocale(n.plain);
}
