/* yaml_resolve.c - see yaml_int.h.
 *
 * DESIGN: the words are a table; numbers follow strconv.ParseInt with base 0 (0x1f, 0644, 0b11, 1_000) and a float
 * pattern. What looks like a date stays a string, as sigs.k8s.io/yaml leaves it. THREADS: pure. */
#include "api/yaml_int.h"

#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 400 };

static const struct {
    const char *word;
    json_type type;
} words[] = {
    {"", JSON_NULL},     {"~", JSON_NULL},      {"null", JSON_NULL},   {"Null", JSON_NULL},   {"NULL", JSON_NULL},
    {"true", JSON_TRUE}, {"True", JSON_TRUE},   {"TRUE", JSON_TRUE},   {"y", JSON_TRUE},      {"Y", JSON_TRUE},
    {"yes", JSON_TRUE},  {"Yes", JSON_TRUE},    {"YES", JSON_TRUE},    {"on", JSON_TRUE},     {"On", JSON_TRUE},
    {"ON", JSON_TRUE},   {"false", JSON_FALSE}, {"False", JSON_FALSE}, {"FALSE", JSON_FALSE}, {"n", JSON_FALSE},
    {"N", JSON_FALSE},   {"no", JSON_FALSE},    {"No", JSON_FALSE},    {"NO", JSON_FALSE},    {"off", JSON_FALSE},
    {"Off", JSON_FALSE}, {"OFF", JSON_FALSE},
};

bool yaml_is_not_finite(const char *s, size_t n)
{
    static const char *const names[] = {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF"};
    if (n == 5 && (*s == '+' || *s == '-')) {
        s++;
        n--;
        if (memcmp(s, ".n", 2) == 0 || memcmp(s, ".N", 2) == 0)
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (n == 4 && memcmp(s, names[i], 4) == 0)
            return true;
    return false;
}

static size_t count_digits(const char *s)
{
    return strspn(s, "0123456789");
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *s)
{
    if (*s == '-' || *s == '+')
        s++;
    size_t whole = count_digits(s);
    s += whole;
    if (*s == '.') {
        size_t fraction = count_digits(++s);
        s += fraction;
        if (whole + fraction == 0)
            return false;
    } else if (whole == 0) {
        return false;
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        if (*s == '-' || *s == '+')
            s++;
        size_t exponent = count_digits(s);
        s += exponent;
        if (exponent == 0)
            return false;
    }
    return *s == '\0';
}

static int digits_base(const char **s)
{
    if ((*s)[0] != '0' || (*s)[1] == '\0')
        return 10;
    int base = strchr("xX", (*s)[1]) ? 16 : strchr("bB", (*s)[1]) ? 2 : strchr("oO", (*s)[1]) ? 8 : 0;
    *s += base ? 2 : 1;
    return base ? base : 8;
}

/* strconv.ParseInt(s, 0, 64), and whole numbers up to 2^64 as reals. NULL: no integer. */
static json_t *integer(const char *s)
{
    bool negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    int base = digits_base(&s);
    static const char all[] = "0123456789abcdefABCDEF";
    size_t usable = base == 16 ? strspn(s, all) : strspn(s, base == 10 ? "0123456789" : base == 8 ? "01234567" : "01");
    if (!*s || s[usable])
        return NULL;
    errno = 0;
    unsigned long long v = strtoull(s, NULL, base);
    if (errno || v > (unsigned long long)INT64_MAX + negative)
        return errno || negative ? NULL : json_real((double)v);
    return json_integer(negative ? (long long)(0 - v) : (long long)v);
}

static json_t *number(const char *s, size_t n)
{
    char plain[NUMBER_MAX];
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        if (s[i] != '_')
            plain[len++] = s[i];
    plain[len] = '\0';
    json_t *whole = integer(plain);
    if (whole)
        return whole;
    return is_float(plain) ? json_real(strtod(plain, NULL)) : NULL;
}

json_t *yaml_resolve(const char *s, size_t n)
{
    for (size_t i = 0; n <= 5 && i < ARRAY_LEN(words); i++) {
        if (strlen(words[i].word) == n && memcmp(words[i].word, s, n) == 0)
            return words[i].type == JSON_NULL ? json_null() : json_boolean(words[i].type == JSON_TRUE);
    }
    json_t *v = NULL;
    if (n > 0 && n < NUMBER_MAX && strchr("+-.0123456789", *s))
        v = number(s, n);
    return v ? v : json_stringn_nocheck(s, n);
}
