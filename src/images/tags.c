/* tags.c - which tags exist, decided by data.
 *
 * Labs depend on tags that do *not* exist ("nginx:1.161" must fail to pull), so a rule lists for each minor version its
 * last patch, the names that stand for a version, and the suffixes of variants. THREADS: pure. */
#include "images/images_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Is `word` (n bytes) in the space-separated list? */
static bool list_has(const char *list, const char *word, size_t n)
{
    while (list && *list) {
        const size_t len = strcspn(list, " ");
        if (len == n && memcmp(list, word, n) == 0)
            return true;
        list += len + (list[len] == ' ');
    }
    return false;
}

/* "latest=1.27.3": the version of the name, or NULL. */
static char *named_version(const char *names, const char *tag, size_t n)
{
    while (names && *names) {
        const size_t len = strcspn(names, " ");
        const char *eq = memchr(names, '=', len);
        if (eq && (size_t)(eq - names) == n && memcmp(names, tag, n) == 0)
            return xstrndup(eq + 1, len - n - 1);
        names += len + (names[len] == ' ');
    }
    return NULL;
}

/* "1.7:12" against "1.7" or "1.7.9". */
static char *listed_version(const char *versions, const char *tag, size_t n)
{
    for (const char *at = versions; at && *at;) {
        const size_t len = strcspn(at, " ");
        const char *colon = memchr(at, ':', len);
        const size_t minor = colon ? (size_t)(colon - at) : len;
        const long last = colon ? strtol(colon + 1, NULL, 10) : -1;
        if (n >= minor && memcmp(at, tag, minor) == 0) {
            if (n == minor)
                return last >= 0 ? xasprintf("%.*s.%ld", (int)minor, tag, last) : xstrndup(tag, n);
            char *end = NULL;
            if (tag[minor] == '.' && isdigit((unsigned char)tag[minor + 1])) {
                const long patch = strtol(tag + minor + 1, &end, 10);
                if (end == tag + n && patch <= last)
                    return xstrndup(tag, n);
            }
        }
        at += len + (at[len] == ' ');
    }
    return NULL;
}

static bool looks_like_version(const char *tag, size_t n)
{
    if (n && (tag[0] == 'v' || tag[0] == 'V'))
        tag++, n--;
    return n && isdigit((unsigned char)tag[0]) && strspn(tag, "0123456789.") >= n;
}

static bool open_version(const struct tag_rule *rule, const char *tag, char **out_version)
{
    const size_t n = strcspn(tag, "-");
    if (!rule->open || !*tag || unknown_tells(tag))
        return false;
    *out_version = looks_like_version(tag, n) ? xstrndup(tag, n) : xstrdup("1");
    return true;
}

/* Every part after the base must be a known suffix. */
static bool suffixes_ok(const char *suffixes, const char *s)
{
    while (*s == '-') {
        const size_t n = strcspn(s + 1, "-");
        if (!list_has(suffixes, s + 1, n))
            return false;
        s += n + 1;
    }
    return *s == '\0';
}

bool tag_find(const struct tag_rule *rule, const char *tag, char **out_version)
{
    const size_t whole = strlen(tag);
    size_t n = whole;
    while (true) {
        char *version = named_version(rule->names, tag, n);
        if (!version)
            version = listed_version(rule->versions, tag, n);
        if (!version && rule->any && looks_like_version(tag, n))
            version = xstrndup(tag, n);
        if (version && suffixes_ok(rule->suffixes, tag + n)) {
            *out_version = version;
            return true;
        }
        free(version);
        while (n > 0 && tag[n - 1] != '-')
            n--;
        if (n <= 1)
            return open_version(rule, tag, out_version);
        n--;
    }
}
