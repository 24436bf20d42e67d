/* utf8.c - is it UTF-8? As Unicode has it: no surrogates, nothing longer than need be, nothing beyond U+10FFFF. */
#include "base/jtree/jtree_int.h"

#include <string.h>

/* Bytes that follow `lead`, and the range of the first of them; 0 if nothing starts so. */
static int follow(unsigned char lead, unsigned char *out_low, unsigned char *out_high)
{
    *out_low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *out_high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    return lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
}

/* Bytes at the start that are ASCII. */
static size_t ascii(const char *s, size_t n)
{
    size_t i = 0;
    for (uint64_t word; i + sizeof word <= n; i += sizeof word) {
        memcpy(&word, s + i, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < n && !(s[i] & 0x80))
        i++;
    return i;
}

bool utf8_valid(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = ascii(s, n); i < n; i += ascii(s + i, n - i)) {
        unsigned char low, high;
        int more = follow(p[i++], &low, &high);
        if (more == 0 || (size_t)more > n - i || p[i] < low || p[i] > high)
            return false;
        for (i++; --more > 0; i++)
            if ((p[i] & 0xC0) != 0x80)
                return false;
    }
    return true;
}
