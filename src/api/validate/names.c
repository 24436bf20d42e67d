/* names.c - what a name may be: DNS labels and subdomains, qualified names, label values, keys, ports, percentages.
 *
 * DESIGN: a rule collects complaints (most names can be wrong in more than one way, and each is told); the public
 * check_*() functions give the first. Every text is static and is Kubernetes' own (apimachinery util/validation), the
 * regular expressions in them included, but matching is by hand: one pass, no regex engine.
 * THREADS: pure functions. When you add a rule: a function here, its name in validate_int.h. */
#include "api/validate/validate_int.h"

#include <ctype.h>

#define MAX_63       "must be no more than 63 characters"
#define MAX_253      "must be no more than 253 characters"
#define SUBDOMAIN_RX "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
#define SUBDOMAIN_TEXT                                                                                                 \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "   \
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '" SUBDOMAIN_RX "')"
#define LABEL_TEXT                                                                                                     \
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "    \
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "                     \
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
#define DNS1035_TEXT                                                                                                   \
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, " \
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "             \
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
#define QUALIFIED_TEXT                                                                                                 \
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " \
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "                                      \
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define LABEL_VALUE_TEXT                                                                                               \
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "    \
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "  \
    "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
#define CONFIG_KEY_TEXT                                                                                                \
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "  \
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
#define HEADER_TEXT                                                                                                    \
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "        \
    "validation is '[-A-Za-z0-9]+')"
#define PERCENT_TEXT                                                                                                   \
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for " \
    "validation is '[0-9]+%')"
#define ENV_TEXT "a valid environment variable name must consist only of printable ASCII characters other than '='"

enum { LABEL_MAX = 63, SUBDOMAIN_MAX = 253, PORT_NAME_MAX = 15 };

static void complain(struct msgs *out, const char *text)
{
    if (out->len < ARRAY_LEN(out->text))
        out->text[out->len++] = text;
}

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? */
static bool matches_label(const char *s, size_t n)
{
    if (n == 0 || !is_lower_alnum(s[0]) || !is_lower_alnum(s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_lower_alnum(s[i]) && s[i] != '-')
            return false;
    }
    return true;
}

static bool matches_subdomain(const char *s, size_t n)
{
    size_t start = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && s[i] != '.')
            continue;
        if (!matches_label(s + start, i - start))
            return false;
        start = i + 1;
    }
    return true;
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9] */
static bool matches_qualified(const char *s, size_t n)
{
    if (n == 0 || !is_alnum(s[0]) || !is_alnum(s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_alnum(s[i]) && strchr("-_.", s[i]) == NULL)
            return false;
    }
    return true;
}

void rule_label(const char *s, struct msgs *out)
{
    size_t n = strlen(s);
    if (n > LABEL_MAX)
        complain(out, MAX_63);
    if (matches_label(s, n))
        return;
    complain(out, matches_subdomain(s, n) ? "must not contain dots" : LABEL_TEXT);
}

void rule_subdomain(const char *s, struct msgs *out)
{
    size_t n = strlen(s);
    if (n > SUBDOMAIN_MAX)
        complain(out, MAX_253);
    if (!matches_subdomain(s, n))
        complain(out, SUBDOMAIN_TEXT);
}

void rule_dns1035(const char *s, struct msgs *out)
{
    size_t n = strlen(s);
    if (n > LABEL_MAX)
        complain(out, MAX_63);
    if (!matches_label(s, n) || !isalpha((unsigned char)s[0]))
        complain(out, DNS1035_TEXT);
}

void rule_qualified(const char *s, struct msgs *out)
{
    const char *name = s;
    const char *slash = strchr(s, '/');
    if (slash != NULL && strchr(slash + 1, '/') != NULL) {
        complain(out, "a qualified name " QUALIFIED_TEXT
                      " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
        return;
    }
    if (slash != NULL) {
        size_t n = (size_t)(slash - s);
        name = slash + 1;
        if (n == 0)
            complain(out, "prefix part must be non-empty");
        if (n > SUBDOMAIN_MAX)
            complain(out, "prefix part " MAX_253);
        if (n > 0 && !matches_subdomain(s, n))
            complain(out, "prefix part " SUBDOMAIN_TEXT);
    }
    size_t n = strlen(name);
    if (n == 0)
        complain(out, "name part must be non-empty");
    else if (n > LABEL_MAX)
        complain(out, "name part " MAX_63);
    if (!matches_qualified(name, n))
        complain(out, "name part " QUALIFIED_TEXT);
}

/* Applies a rule to the lower-case form. */
static void lowered(const char *s, struct msgs *out, name_rule *rule)
{
    _auto_free_ char *lower = xstrdup(s);
    for (char *c = lower; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    rule(lower, out);
}

void rule_qualified_nocase(const char *s, struct msgs *out)
{
    lowered(s, out, rule_qualified);
}

void rule_subdomain_nocase(const char *s, struct msgs *out)
{
    lowered(s, out, rule_subdomain);
}

void rule_label_value(const char *s, struct msgs *out)
{
    size_t n = strlen(s);
    if (n > LABEL_MAX)
        complain(out, MAX_63);
    if (n > 0 && !matches_qualified(s, n))
        complain(out, LABEL_VALUE_TEXT);
}

void rule_config_key(const char *s, struct msgs *out)
{
    size_t n = strlen(s);
    bool fine = n > 0;
    for (size_t i = 0; i < n; i++)
        fine = fine && (is_alnum(s[i]) || strchr("-._", s[i]) != NULL);
    if (n > SUBDOMAIN_MAX)
        complain(out, MAX_253);
    if (!fine)
        complain(out, CONFIG_KEY_TEXT);
    if (strcmp(s, ".") == 0)
        complain(out, "must not be '.'");
    else if (strcmp(s, "..") == 0)
        complain(out, "must not be '..'");
    else if (str_starts(s, ".."))
        complain(out, "must not start with '..'");
}

void rule_port_name(const char *s, struct msgs *out)
{
    size_t n = strlen(s);
    bool charset = n > 0, letter = false;
    for (size_t i = 0; i < n; i++) {
        charset = charset && (is_lower_alnum(s[i]) || s[i] == '-');
        letter = letter || (s[i] >= 'a' && s[i] <= 'z');
    }
    if (n > PORT_NAME_MAX)
        complain(out, "must be no more than 15 characters");
    if (!charset)
        complain(out, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    if (!letter)
        complain(out, "must contain at least one letter (a-z)");
    if (strstr(s, "--") != NULL)
        complain(out, "must not contain consecutive hyphens");
    if (n > 0 && (s[0] == '-' || s[n - 1] == '-'))
        complain(out, "must not begin or end with a hyphen");
}

void rule_path_segment(const char *s, struct msgs *out)
{
    if (strcmp(s, ".") == 0)
        complain(out, "may not be '.'");
    else if (strcmp(s, "..") == 0)
        complain(out, "may not be '..'");
    if (strchr(s, '/') != NULL)
        complain(out, "may not contain '/'");
    if (strchr(s, '%') != NULL)
        complain(out, "may not contain '%'");
}

void rule_env_name(const char *s, struct msgs *out)
{
    for (const unsigned char *c = (const unsigned char *)s; *c != '\0'; c++) {
        if (*c < 0x20 || *c > 0x7e || *c == '=') {
            complain(out, ENV_TEXT);
            return;
        }
    }
}

void rule_header_name(const char *s, struct msgs *out)
{
    bool fine = s[0] != '\0';
    for (; *s != '\0'; s++)
        fine = fine && (is_alnum(*s) || *s == '-');
    if (!fine)
        complain(out, HEADER_TEXT);
}

void rule_percent(const char *s, struct msgs *out)
{
    size_t digits = strspn(s, "0123456789");
    if (digits == 0 || strcmp(s + digits, "%") != 0)
        complain(out, PERCENT_TEXT);
}

void v_name(struct field_errors *errs, const struct vpath *p, const char *value, name_rule *rule)
{
    struct msgs m = {0};
    rule(value, &m);
    for (size_t i = 0; i < m.len; i++)
        v_invalid(errs, p, value, m.text[i]);
}

void v_name_prefix(struct field_errors *errs, const struct vpath *p, const char *prefix, name_rule *rule)
{
    size_t n = strlen(prefix);
    struct msgs m = {0};
    _auto_free_ char *masked = xstrdup(prefix);
    if (n > 1 && prefix[n - 1] == '-') {
        masked[n - 2] = 'a';
        masked[n - 1] = '\0';
    }
    rule(masked, &m);
    for (size_t i = 0; i < m.len; i++)
        v_invalid(errs, p, prefix, m.text[i]);
}

char *name_complaints(const char *value, name_rule *rule)
{
    struct msgs m = {0};
    rule(value, &m);
    if (m.len == 0)
        return NULL;
    _auto_buf_ struct buf b = BUF_INIT;
    for (size_t i = 0; i < m.len; i++)
        buf_addf(&b, "%s%s", i > 0 ? ";" : "", m.text[i]);
    return buf_steal(&b, NULL);
}

bool name_ok(const char *value, name_rule *rule)
{
    struct msgs m = {0};
    rule(value, &m);
    return m.len == 0;
}

/* -- the public ones: the first complaint -- */

static const char *first(const char *s, name_rule *rule)
{
    struct msgs m = {0};
    rule(s, &m);
    return m.len > 0 ? m.text[0] : NULL;
}

const char *check_dns1123_label(const char *s)
{
    return first(s, rule_label);
}

const char *check_dns1123_subdomain(const char *s)
{
    return first(s, rule_subdomain);
}

const char *check_dns1035_label(const char *s)
{
    return first(s, rule_dns1035);
}

const char *check_qualified_name(const char *s)
{
    return first(s, rule_qualified);
}

const char *check_label_value(const char *s)
{
    return first(s, rule_label_value);
}

const char *check_config_key(const char *s)
{
    return first(s, rule_config_key);
}
