/* match.c - does a text match what a check wants of it? One row a way of matching. See check_int.h. */
#include "lab/check_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <regex.h>
#include <string.h>

#define SHOWN_LINES 12
#define SHOWN_BYTES 1500

void show_text(struct buf *out, const char *text)
{
    size_t lines = 0, n = 0;
    while (n < SHOWN_BYTES && text[n] && lines < SHOWN_LINES)
        lines += text[n++] == '\n';
    buf_add(out, text, n);
    if (text[n])
        buf_adds(out, " ...");
    while (out->len && isspace((unsigned char)out->data[out->len - 1]))
        out->data[--out->len] = '\0';
}

/* White space around it left out. Returns new. */
static char *trimmed(const char *s)
{
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    while (n && isspace((unsigned char)s[n - 1]))
        n--;
    return xstrndup(s, n);
}

static char *scalar_text(const json_t *v)
{
    return json_is_string(v) ? xstrdup(json_string_value(v)) : json_text(v);
}

/* 1 Gi is 1024 Mi. */
static bool same(const char *a, const char *b)
{
    struct quantity x, y;
    if (strcmp(a, b) == 0)
        return true;
    return isdigit((unsigned char)*a) && isdigit((unsigned char)*b) && quantity_parse(a, &x) == 0 &&
           quantity_parse(b, &y) == 0 && quantity_cmp(&x, &y) == 0;
}

static int way_is(const json_t *want, const char *text, struct err *e)
{
    _auto_free_ char *a = scalar_text(want), *b = trimmed(a), *c = trimmed(text);
    (void)e;
    return same(b, c);
}

static int way_contains(const json_t *want, const char *text, struct err *e)
{
    (void)e;
    return strstr(text, json_string_value(want)) != NULL;
}

static int way_lacks(const json_t *want, const char *text, struct err *e)
{
    return !way_contains(want, text, e);
}

static int way_matches(const json_t *want, const char *text, struct err *e)
{
    regex_t re;
    char why[200];
    const int rc = regcomp(&re, json_string_value(want), REG_EXTENDED | REG_NOSUB | REG_NEWLINE);
    if (rc != 0) {
        regerror(rc, &re, why, sizeof why);
        return err_set(e, ERR_USAGE, "the expression \"%s\": %s", json_string_value(want), why);
    }
    const bool fits = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return fits;
}

/* -1, 0, 1; 2 when one of them is no number. */
static int order(const json_t *want, const char *text)
{
    _auto_free_ char *a = scalar_text(want), *b = trimmed(text);
    struct quantity x, y;
    return quantity_parse(b, &x) < 0 || quantity_parse(a, &y) < 0 ? 2 : quantity_cmp(&x, &y);
}

static int way_at_least(const json_t *want, const char *text, struct err *e)
{
    const int o = order(want, text);
    (void)e;
    return o == 0 || o == 1;
}

static int way_at_most(const json_t *want, const char *text, struct err *e)
{
    const int o = order(want, text);
    (void)e;
    return o == 0 || o == -1;
}

static int way_one_of(const json_t *want, const char *text, struct err *e)
{
    size_t i;
    const json_t *x;
    json_array_foreach(want, i, x) if (way_is(x, text, e) == 1) return 1;
    return json_is_array(want) ? 0 : way_is(want, text, e);
}

static const struct {
    const char *field, *words;
    int (*fits)(const json_t *want, const char *text, struct err *e);
} ways[] = {
    {"is", "", way_is},
    {"contains", "something with ", way_contains},
    {"lacks", "nothing with ", way_lacks},
    {"matches", "something that fits ", way_matches},
    {"atLeast", "at least ", way_at_least},
    {"atMost", "at most ", way_at_most},
    {"oneOf", "one of ", way_one_of},
};

int match_text(const json_t *match, const char *text, bool *out_matches, struct buf *expected, struct err *e)
{
    *out_matches = true;
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        const json_t *want = json_object_get(match, ways[i].field);
        if (!want)
            continue;
        _auto_free_ char *shown = scalar_text(want);
        const int fits = ways[i].fits(want, text, e);
        if (fits < 0)
            return -1;
        buf_addf(expected, "%s%s", ways[i].words, shown);
        *out_matches = fits;
    }
    return 0;
}
