/* quantity.c - amounts with suffixes, as Kubernetes' resource.Quantity reads and prints them.
 *
 * DESIGN: the value is one 128-bit integer counting billionths, the smallest step Kubernetes keeps, so all arithmetic
 * is exact and comparison is a subtraction. A text goes through three steps: split() cuts it into sign, whole digits,
 * fraction digits and suffix; suffix_find() gives the suffix a base and an exponent; scale() folds both into
 * billionths, rounding away from zero so that a request for very little never becomes a request for nothing.
 *
 * The real parser has a fast path for short numbers that remembers the text it was given if that looks canonical
 * *enough*
 * ("50.Mi", "1.234", "+5"). Clients see that text again, so `verbatim` reproduces the rule. Texts that only the slow
 * path of the real parser can read are refused by different words, hence the three messages.
 *
 * INVARIANTS: nano never overflows: every multiplication saturates. BinarySI values stay within ±(2^63-1) units.
 * THREADS: pure functions. */
#include "api/quantity.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;

#define NANO           1000000000LL
#define NANO_MAX       ((quantity_nano)170000000000 * NANO * NANO * NANO)
#define FAST_DIGITS    18 /* decimal digits that always fit 64 bits */
#define DECIMAL_DIGITS 37
#define BINARY_DIGITS  20 /* still fits 128 bits after a shift by 60 */

static const char FORMAT_WRONG[] =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
static const char NUMBER_WRONG[] = "unable to parse numeric part of quantity";
static const char SUFFIX_WRONG[] = "unable to parse quantity's suffix";

static const struct suffix {
    const char *text;
    int exponent; /* of 2 or of 10 */
    enum quantity_format format;
} suffixes[] = {
    {"", 0, QF_DECIMAL_SI},   {"n", -9, QF_DECIMAL_SI}, {"u", -6, QF_DECIMAL_SI}, {"m", -3, QF_DECIMAL_SI},
    {"k", 3, QF_DECIMAL_SI},  {"M", 6, QF_DECIMAL_SI},  {"G", 9, QF_DECIMAL_SI},  {"T", 12, QF_DECIMAL_SI},
    {"P", 15, QF_DECIMAL_SI}, {"E", 18, QF_DECIMAL_SI}, {"Ki", 10, QF_BINARY_SI}, {"Mi", 20, QF_BINARY_SI},
    {"Gi", 30, QF_BINARY_SI}, {"Ti", 40, QF_BINARY_SI}, {"Pi", 50, QF_BINARY_SI}, {"Ei", 60, QF_BINARY_SI},
};

struct parts {
    bool negative;
    const char *whole; /* without leading zeros; may be empty */
    size_t whole_len;
    const char *fraction;
    size_t fraction_len;
    bool digits; /* at least one digit stands before the suffix */
    const char *suffix;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Cuts `s`; -1 if its shape is wrong. */
static int split(const char *s, struct parts *p)
{
    *p = (struct parts){.negative = *s == '-'};
    if (*s == '-' || *s == '+')
        s++;
    const char *start = s;
    while (*s == '0')
        s++;
    p->whole = s;
    while (is_digit(*s))
        s++;
    p->whole_len = (size_t)(s - p->whole);
    p->digits = s > start;
    p->fraction = s;
    if (*s == '.') {
        p->fraction = ++s;
        while (is_digit(*s))
            s++;
        p->fraction_len = (size_t)(s - p->fraction);
        p->digits = p->digits || p->fraction_len > 0;
    }
    p->suffix = s;
    s += strspn(s, "eEinumkKMGTP");
    if (*s == '-' || *s == '+')
        s++;
    s += strspn(s, "0123456789");
    return *s == '\0' ? 0 : -1;
}

/* "e3", "E-6": the digits after the letter, with their sign. */
static int exponent_parse(const char *s, int *out)
{
    bool negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    size_t len = strlen(s);
    if (len == 0 || strspn(s, "0123456789") != len)
        return -1;
    int v = 0;
    for (; *s != '\0'; s++) {
        v = v * 10 + (*s - '0');
        if (v > 100000)
            v = 100000; /* saturates below anyway */
    }
    *out = negative ? -v : v;
    return 0;
}

static int suffix_find(const char *text, struct suffix *out)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (strcmp(suffixes[i].text, text) == 0) {
            *out = suffixes[i];
            return 0;
        }
    }
    int exponent;
    if ((text[0] != 'e' && text[0] != 'E') || exponent_parse(text + 1, &exponent) < 0)
        return -1;
    *out = (struct suffix){text, exponent, QF_DECIMAL_EXPONENT};
    return 0;
}

static u128 times10(u128 v, int n)
{
    for (; n > 0 && v != 0; n--) {
        if (v > (u128)NANO_MAX / 10)
            return (u128)NANO_MAX;
        v *= 10;
    }
    return v;
}

static u128 over10_up(u128 v, int n)
{
    bool rest = false;
    for (; n > 0 && v != 0; n--) {
        rest = rest || v % 10 != 0;
        v /= 10;
    }
    return v + (rest ? 1 : 0);
}

/* All digits as one number; *power is what that number must still be multiplied by (a power of ten), *rest whether
 * digits were cut. */
static u128 digits_value(const struct parts *p, int max_digits, int *power, bool *rest)
{
    u128 v = 0;
    int used = 0;
    *power = 0;
    *rest = false;
    for (size_t i = 0; i < p->whole_len + p->fraction_len; i++) {
        bool fraction = i >= p->whole_len;
        char c = fraction ? p->fraction[i - p->whole_len] : p->whole[i];
        if (used >= max_digits) {
            *rest = *rest || c != '0';
            if (!fraction)
                ++*power;
            continue;
        }
        v = v * 10 + (u128)(c - '0');
        if (v != 0)
            used++;
        if (fraction)
            --*power;
    }
    return v;
}

/* The value in billionths, rounded away from zero. */
static quantity_nano scale(const struct parts *p, const struct suffix *suf)
{
    bool binary = suf->format == QF_BINARY_SI, rest;
    int power;
    u128 v = digits_value(p, binary ? BINARY_DIGITS : DECIMAL_DIGITS, &power, &rest);
    if (v == 0)
        return 0;
    if (binary)
        v <<= suf->exponent;
    else
        power += suf->exponent;
    power += 9;
    v = power >= 0 ? times10(v, power) : over10_up(v, -power);
    if (rest && power < 0 && v < (u128)NANO_MAX)
        v++;
    u128 limit = binary ? (u128)INT64_MAX * NANO : (u128)NANO_MAX;
    if (v > limit)
        v = limit;
    return p->negative ? -(quantity_nano)v : (quantity_nano)v;
}

/* Whether the real parser's fast path reads this text: short enough for 64-bit arithmetic. */
static bool is_short(const struct parts *p, const struct suffix *suf)
{
    int whole = p->whole_len > 0 ? (int)p->whole_len : 1;
    if (p->whole_len > FAST_DIGITS || p->fraction_len > FAST_DIGITS)
        return false;
    if (suf->format == QF_BINARY_SI)
        return p->fraction_len == 0 && 15 - whole - suf->exponent * 3 / 10 - 1 >= 0;
    return whole + (int)p->fraction_len <= FAST_DIGITS && suf->exponent - (int)p->fraction_len >= -9;
}

/* Whether Kubernetes keeps the text as it stands; the caller knows is_short(). */
static bool is_kept(const struct parts *p, const struct suffix *suf)
{
    if (p->whole_len == 0)
        return false;
    if (suf->format == QF_BINARY_SI) {
        int power;
        bool rest;
        return (digits_value(p, BINARY_DIGITS, &power, &rest) & 7) != 0;
    }
    if ((suf->exponent - (int)p->fraction_len) % 3 != 0)
        return false;
    int zeros = 0;
    for (size_t i = 0; i < p->fraction_len; i++)
        zeros = p->fraction[i] == '0' ? zeros + 1 : 0;
    if ((size_t)zeros == p->fraction_len)
        for (size_t i = p->whole_len; i > 0 && p->whole[i - 1] == '0'; i--)
            zeros++;
    return zeros < 3;
}

static const char *parse(const char *s, struct quantity *out)
{
    struct parts p;
    struct suffix suf;
    if (*s == '\0' || split(s, &p) < 0)
        return FORMAT_WRONG;
    if (suffix_find(p.suffix, &suf) < 0)
        return SUFFIX_WRONG;
    bool fast = is_short(&p, &suf);
    if (!fast && !p.digits)
        return NUMBER_WRONG;
    struct quantity q = {.nano = scale(&p, &suf), .format = suf.format};
    quantity_nano magnitude = q.nano < 0 ? -q.nano : q.nano;
    if (!fast && q.format == QF_BINARY_SI && magnitude > 0 && magnitude < NANO)
        q.format = QF_DECIMAL_SI;
    q.verbatim = fast && is_kept(&p, &suf);
    q.below_milli = suf.format == QF_BINARY_SI
                        ? q.nano % 1000000 != 0
                        : suf.exponent - (int)p.fraction_len < -3 && (fast || q.nano % 1000000 != 0);
    *out = q;
    return NULL;
}

int quantity_parse(const char *s, struct quantity *out)
{
    return parse(s, out) == NULL ? 0 : -1;
}

const char *quantity_refusal(const char *s)
{
    struct quantity ignored;
    return parse(s, &ignored);
}

/* Decimal digits of v at the end of `end`; returns where they begin. */
static char *digits_write(char *end, u128 v)
{
    do {
        *--end = (char)('0' + (int)(v % 10));
        v /= 10;
    } while (v != 0);
    return end;
}

static const char *suffix_of(enum quantity_format format, int exponent)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (suffixes[i].format == format && suffixes[i].exponent == exponent)
            return suffixes[i].text;
    return NULL;
}

static void write_number(char out[QUANTITY_TEXT_LEN], bool negative, u128 v, enum quantity_format format, int exponent)
{
    char digits[48];
    char *end = digits + sizeof digits - 1;
    *end = '\0';
    const char *text = digits_write(end, v);
    const char *suffix = exponent == 0 ? "" : suffix_of(format, exponent);
    if (suffix != NULL)
        snprintf(out, QUANTITY_TEXT_LEN, "%s%s%s", negative ? "-" : "", text, suffix);
    else
        snprintf(out, QUANTITY_TEXT_LEN, "%s%se%d", negative ? "-" : "", text, exponent);
}

void quantity_format(const struct quantity *q, char out[QUANTITY_TEXT_LEN])
{
    bool negative = q->nano < 0;
    u128 v = negative ? -(u128)q->nano : (u128)q->nano;
    if (v == 0) {
        write_number(out, false, 0, QF_DECIMAL_SI, 0);
        return;
    }
    if (q->format == QF_BINARY_SI && v >= (u128)1024 * NANO && v % NANO == 0) {
        int exponent = 0;
        for (v /= NANO; v % 1024 == 0 && exponent < 60; exponent += 10)
            v /= 1024;
        write_number(out, negative, v, QF_BINARY_SI, exponent);
        return;
    }
    int exponent = -9;
    for (; v % 1000 == 0; exponent += 3)
        v /= 1000;
    write_number(out, negative, v, q->format == QF_BINARY_SI ? QF_DECIMAL_SI : q->format, exponent);
}

int quantity_text(const char *s, bool milli, char out[QUANTITY_TEXT_LEN])
{
    struct quantity q;
    if (quantity_parse(s, &q) < 0)
        return -1;
    if (milli && q.below_milli) {
        quantity_nano rest = q.nano % 1000000;
        if (rest != 0)
            q.nano += (q.nano < 0 ? -1000000 : 1000000) - rest;
        q.verbatim = false;
    }
    if (q.verbatim && strlen(s) < QUANTITY_TEXT_LEN)
        snprintf(out, QUANTITY_TEXT_LEN, "%s", s);
    else
        quantity_format(&q, out);
    return 0;
}

int quantity_cmp(const struct quantity *a, const struct quantity *b)
{
    return (a->nano > b->nano) - (a->nano < b->nano);
}

/* nano / unit, rounded away from zero, within int64. */
static int64_t scaled(const struct quantity *q, int64_t unit)
{
    quantity_nano v = q->nano / unit, rest = q->nano % unit;
    if (rest != 0)
        v += rest < 0 ? -1 : 1;
    if (v > INT64_MAX)
        return INT64_MAX;
    return v < INT64_MIN ? INT64_MIN : (int64_t)v;
}

int64_t quantity_value(const struct quantity *q)
{
    return scaled(q, NANO);
}

int64_t quantity_milli(const struct quantity *q)
{
    return scaled(q, NANO / 1000);
}

void quantity_from_bytes(int64_t v, struct quantity *out)
{
    *out = (struct quantity){.nano = (quantity_nano)v * NANO, .format = QF_BINARY_SI};
}

static void add(struct quantity *a, const struct quantity *b, bool subtract)
{
    quantity_nano sum;
    bool over =
        subtract ? __builtin_sub_overflow(a->nano, b->nano, &sum) : __builtin_add_overflow(a->nano, b->nano, &sum);
    if (over)
        sum = a->nano > 0 ? NANO_MAX : -NANO_MAX;
    if (a->nano == 0)
        a->format = b->format; /* an empty sum takes the manner of what comes first */
    a->nano = sum;
    a->verbatim = false;
}

void quantity_add(struct quantity *a, const struct quantity *b)
{
    add(a, b, false);
}

void quantity_sub(struct quantity *a, const struct quantity *b)
{
    add(a, b, true);
}

int64_t quantity_bytes(const char *s, int64_t dflt)
{
    struct quantity q;
    return s != NULL && quantity_parse(s, &q) == 0 ? quantity_value(&q) : dflt;
}
