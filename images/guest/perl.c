/* perl.c - the one program that everybody runs in the image perl: `perl -Mbignum=bpi -wle 'print bpi(2000)'`, the
 * digits of pi, as in the documentation of Jobs. There is no other Perl here, and it says so. */
#include "guest.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 20000
#define GUARD      4 /* digits more than asked for: the last is rounded */

/* One digit (or 10: a carry into the digits before it) of the spigot of Rabinowitz and Wagon. */
static unsigned next_digit(uint32_t *a, size_t len)
{
    uint64_t carry = 0;
    for (size_t i = len; i-- > 0;) {
        const uint64_t x = (uint64_t)a[i] * 10 + carry * (i + 1), d = i ? 2 * i + 1 : 10;
        a[i] = (uint32_t)(x % d);
        carry = x / d;
    }
    return (unsigned)carry;
}

/* Writes `want` digits of pi, "31415…". */
static void spigot(char *out, size_t want)
{
    const size_t len = want * 10 / 3 + 2;
    uint32_t *a = malloc(len * sizeof *a);
    size_t n = 0, nines = 0;
    int held = -1; /* a carry may still change it, and the nines after it */
    for (size_t i = 0; a && i < len; i++)
        a[i] = 2;
    while (a && n < want) {
        const unsigned digit = next_digit(a, len);
        if (digit == 9) {
            nines++;
            continue;
        }
        if (held >= 0)
            out[n++] = (char)('0' + held + (digit == 10));
        for (; nines > 0; nines--)
            if (n < want)
                out[n++] = digit == 10 ? '0' : '9';
        held = digit == 10 ? 0 : (int)digit;
    }
    free(a);
}

static void print_pi(size_t digits)
{
    char *text = calloc(digits + GUARD + 1, 1);
    if (!text)
        return;
    spigot(text, digits + GUARD);
    if (text[digits] >= '5')
        for (size_t i = digits; i-- > 0 && ++text[i] > '9';)
            text[i] = '0';
    text[digits] = '\0';
    printf("%c%s%s\n", text[0], digits > 1 ? "." : "", text + 1);
    free(text);
}

int perl_main(int argc, char **argv)
{
    unsigned digits = 0;
    for (int i = 1; i < argc; i++) {
        const char *at = strstr(argv[i], "bpi(");
        if (at && sscanf(at, "bpi(%u)", &digits) == 1 && digits > 0 && digits <= DIGITS_MAX) {
            print_pi(digits);
            return 0;
        }
    }
    fprintf(stderr,
            "perl: this image has no Perl, it only knows -Mbignum=bpi -wle 'print bpi(2000)'. An image with the "
            "real one: stowage image build-deb perl --package perl-base\n");
    return 127;
}
