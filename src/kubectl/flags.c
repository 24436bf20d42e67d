/* flags.c - a command line to flags and words, by the rules of Go's pflag.
 *
 * --name value, --name=value, -n value, -nvalue, -n=value, -it for two bools; a bool takes no next argument; flags and
 * words may be mixed, "--" ends the flags. A flag that is given twice counts the last time, lists add up. Values are
 * checked here, so verbs read what they need without an error. THREADS: pure. */
#include "base/str.h"
#include "kubectl/call_int.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

static const struct {
    const char *name;
    double ms;
} units[] = {{"ns", 1e-6}, {"us", 1e-3}, {"µs", 1e-3}, {"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 36e5}};

/* Milliseconds of a unit at the start of `s`, its length in *out_len; 0: none. The longest that fits. */
static double unit_ms(const char *s, size_t *out_len)
{
    double ms = 0;
    size_t best = 0;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        const size_t n = strlen(units[i].name);
        if (n > best && strncmp(s, units[i].name, n) == 0) {
            best = n;
            ms = units[i].ms;
        }
    }
    *out_len = best;
    return ms;
}

int duration_ms(const char *text, int64_t *out)
{
    const bool minus = text[0] == '-';
    const char *p = text + (minus || text[0] == '+');
    double total = 0;
    if (strcmp(p, "0") == 0)
        p++;
    else if (!*p)
        return -1;
    while (*p) {
        char *end;
        size_t n;
        if (!isdigit((unsigned char)*p) && *p != '.')
            return -1;
        const double number = strtod(p, &end);
        const double ms = unit_ms(end, &n);
        if (ms == 0 || end == p)
            return -1;
        total += number * ms;
        p = end + n;
    }
    *out = (int64_t)(minus ? -total : total);
    return 0;
}

static int value_refused(const struct kubectl_flag *f, const char *value, const char *why, struct err *e)
{
    if (f->letter)
        return err_set(e, ERR_USAGE, "invalid argument \"%s\" for \"-%c, --%s\" flag: %s", value, f->letter, f->name,
                       why);
    return err_set(e, ERR_USAGE, "invalid argument \"%s\" for \"--%s\" flag: %s", value, f->name, why);
}

static bool is_bool(const char *text)
{
    static const char *const texts[] = {"1", "t", "T", "TRUE",  "true",  "True",
                                        "0", "f", "F", "FALSE", "false", "False"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (str_eq(text, texts[i]))
            return true;
    return false;
}

static int value_check(const struct kubectl_flag *f, const char *value, struct err *e)
{
    _auto_free_ char *why = NULL;
    int64_t n;
    if (f->type == FLAG_INT && !str_to_i64(value, &n))
        why = xasprintf("strconv.ParseInt: parsing \"%s\": invalid syntax", value);
    if (f->type == FLAG_BOOL && !is_bool(value))
        why = xasprintf("strconv.ParseBool: parsing \"%s\": invalid syntax", value);
    if (f->type == FLAG_DURATION && duration_ms(value, &n) < 0)
        why = xasprintf("time: %s duration \"%s\"", str_to_i64(value, &n) ? "missing unit in" : "invalid", value);
    return why ? value_refused(f, value, why, e) : 0;
}

/* ---- the tables ---- */

static struct flag_value *slot(struct call *c, const struct kubectl_flag *f)
{
    for (size_t i = 0; i < c->values_len; i++)
        if (c->values[i].flag == f)
            return &c->values[i];
    return NULL;
}

static void table_add(struct call *c, const struct kubectl_flag *table)
{
    for (const struct kubectl_flag *f = table; f && f->name; f++) {
        bool known = false;
        for (size_t i = 0; i < c->values_len; i++)
            known |= str_eq(c->values[i].flag->name, f->name);
        if (known)
            continue; /* the verb's own meaning of a global flag */
        if (c->values_len == CALL_FLAGS_MAX)
            BUG("more than %d flags: %s", CALL_FLAGS_MAX, c->path);
        c->values[c->values_len++].flag = f;
    }
}

static const struct kubectl_flag *by_name(const struct call *c, const char *name, size_t n)
{
    for (size_t i = 0; i < c->values_len; i++) {
        const struct kubectl_flag *f = c->values[i].flag;
        if (strlen(f->name) == n && strncmp(f->name, name, n) == 0)
            return f;
    }
    return NULL;
}

static const struct kubectl_flag *by_letter(const struct call *c, char letter)
{
    for (size_t i = 0; i < c->values_len; i++)
        if (c->values[i].flag->letter == letter)
            return c->values[i].flag;
    return NULL;
}

static const char *bare_of(const struct kubectl_flag *f)
{
    return f->bare ? f->bare : f->type == FLAG_BOOL ? "true" : NULL;
}

bool flags_skips(const struct kubectl_flag *const *tables, const char *arg)
{
    if (arg[0] != '-' || !arg[1] || strchr(arg, '='))
        return false;
    for (; *tables; tables++)
        for (const struct kubectl_flag *f = *tables; f->name; f++) {
            const bool meant = arg[1] == '-' ? str_eq(arg + 2, f->name) : arg[1] == f->letter && !arg[2];
            if (meant)
                return !bare_of(f);
        }
    return false;
}

/* ---- reading ---- */

static int give(struct call *c, const struct kubectl_flag *f, const char *value, struct err *e)
{
    struct flag_value *v = slot(c, f);
    if (value_check(f, value, e) < 0)
        return -1;
    if (f->type == FLAG_LIST)
        strlist_split(&v->texts, value, ',');
    else
        strlist_add(&v->texts, value);
    return 0;
}

/* "--name…" at argv[*i]. */
static int take_long(struct call *c, int argc, char **argv, int *i, struct err *e)
{
    const char *name = argv[*i] + 2;
    const size_t n = strcspn(name, "=");
    if (n == 0 || name[0] == '-')
        return err_set(e, ERR_USAGE, "bad flag syntax: %s", argv[*i]);
    const struct kubectl_flag *f = by_name(c, name, n);
    if (!f)
        return err_set(e, ERR_USAGE, "unknown flag: --%.*s", (int)n, name);
    if (name[n])
        return give(c, f, name + n + 1, e);
    if (bare_of(f))
        return give(c, f, bare_of(f), e);
    if (*i + 1 >= argc)
        return err_set(e, ERR_USAGE, "flag needs an argument: --%s", f->name);
    return give(c, f, argv[++*i], e);
}

/* "-it", "-nns" at argv[*i]. */
static int take_letters(struct call *c, int argc, char **argv, int *i, struct err *e)
{
    const char *all = argv[*i] + 1;
    for (const char *p = all; *p; p++) {
        const struct kubectl_flag *f = by_letter(c, *p);
        if (!f)
            return err_set(e, ERR_USAGE, "unknown shorthand flag: '%c' in -%s", *p, p);
        if (p[1] == '=')
            return give(c, f, p + 2, e);
        if (bare_of(f)) {
            if (give(c, f, bare_of(f), e) < 0)
                return -1;
            continue;
        }
        if (p[1])
            return give(c, f, p + 1, e);
        if (*i + 1 >= argc)
            return err_set(e, ERR_USAGE, "flag needs an argument: '%c' in -%s", *p, p);
        return give(c, f, argv[++*i], e);
    }
    return 0;
}

int flags_parse(struct call *c, int argc, char **argv, struct err *e)
{
    table_add(c, c->verb->flags);
    table_add(c, kubectl_global_flags());
    c->dash = -1;
    for (int i = 0; i < argc; i++) {
        const char *a = argv[i];
        int rc = 0;
        if (c->dash >= 0 || a[0] != '-' || !a[1])
            strlist_add(&c->words, a);
        else if (strcmp(a, "--") == 0)
            c->dash = (int)c->words.len;
        else
            rc = a[1] == '-' ? take_long(c, argc, argv, &i, e) : take_letters(c, argc, argv, &i, e);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* ---- what verbs ask ---- */

static const struct flag_value *value_of(const struct call *c, const char *flag)
{
    for (size_t i = 0; i < c->values_len; i++)
        if (str_eq(c->values[i].flag->name, flag))
            return &c->values[i];
    BUG("%s has no flag --%s", c->path, flag);
}

bool call_knows(const struct call *c, const char *flag)
{
    return by_name(c, flag, strlen(flag));
}

bool call_given(const struct call *c, const char *flag)
{
    return value_of(c, flag)->texts.len > 0;
}

const char *call_text(const struct call *c, const char *flag)
{
    const struct flag_value *v = value_of(c, flag);
    if (v->texts.len)
        return v->texts.items[v->texts.len - 1];
    return v->flag->dflt ? v->flag->dflt : "";
}

bool call_bool(const struct call *c, const char *flag)
{
    const char *text = call_text(c, flag);
    return text[0] == '1' || text[0] == 't' || text[0] == 'T';
}

int64_t call_int(const struct call *c, const char *flag)
{
    int64_t n = 0;
    return str_to_i64(call_text(c, flag), &n) ? n : 0;
}

int64_t call_duration(const struct call *c, const char *flag)
{
    int64_t ms = 0;
    return duration_ms(call_text(c, flag), &ms) == 0 ? ms : 0;
}

const struct strlist *call_list(const struct call *c, const char *flag)
{
    return &value_of(c, flag)->texts;
}
