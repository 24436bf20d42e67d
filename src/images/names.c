/* names.c - image references: the distribution project's grammar and containerd's error words.
 *
 * domain[:port]/path/components[:tag][@algorithm:hex]. The first component is a domain when it has a dot, a colon or an
 * upper case letter, or is "localhost"; otherwise the domain is docker.io, and a single component gets "library/" in
 * front. THREADS: pure. */
#include "images/image.h"
#include "images/images_int.h"
#include "images/manage.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 255
#define TAG_MAX_LEN  128

void image_name_release(struct image_name *n)
{
    free(n->domain);
    free(n->path);
    free(n->tag);
    free(n->digest);
    *n = (struct image_name){0};
}

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* One path component: alphanumeric runs separated by '.', '_', "__" or any number of '-'. */
static bool component_ok(const char *s, size_t n)
{
    if (!n || !is_lower_alnum(s[0]) || !is_lower_alnum(s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (is_lower_alnum(s[i]))
            continue;
        size_t run = 1;
        while (s[i + run] == s[i])
            run++;
        const bool fine = s[i] == '-' || (s[i] == '.' && run == 1) || (s[i] == '_' && run <= 2);
        if (!fine || !is_lower_alnum(s[i + run]))
            return false;
        i += run - 1;
    }
    return true;
}

static bool path_ok(const char *path)
{
    while (true) {
        const size_t n = strcspn(path, "/");
        if (!component_ok(path, n))
            return false;
        if (!path[n])
            return true;
        path += n + 1;
    }
}

static bool domain_ok(const char *s)
{
    const size_t host = strcspn(s, ":");
    if (!host || s[0] == '-' || s[0] == '.' || s[host - 1] == '-' || s[host - 1] == '.')
        return false;
    for (size_t i = 0; i < host; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '.')
            return false;
    if (!s[host])
        return true;
    const char *port = s + host + 1;
    return *port && port[strspn(port, "0123456789")] == '\0';
}

static bool tag_ok(const char *s)
{
    const size_t n = strlen(s);
    if (!n || n > TAG_MAX_LEN || s[0] == '.' || s[0] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("_.-", s[i]))
            return false;
    return true;
}

static bool digest_ok(const char *s)
{
    const char *colon = strchr(s, ':');
    if (!colon || colon == s)
        return false;
    const size_t n = strlen(colon + 1);
    return n >= 32 && strspn(colon + 1, "0123456789abcdef") == n;
}

static bool has_upper(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isupper((unsigned char)s[i]))
            return true;
    return false;
}

/* Splits off the domain; *rest points into ref. */
static char *split_domain(const char *ref, const char **rest)
{
    const char *slash = strchr(ref, '/');
    const size_t n = slash ? (size_t)(slash - ref) : 0;
    *rest = ref;
    const bool is_domain = slash && (memchr(ref, '.', n) || memchr(ref, ':', n) || has_upper(ref, n) ||
                                     (n == 9 && memcmp(ref, "localhost", 9) == 0));
    if (!is_domain)
        return xstrdup("docker.io");
    *rest = slash + 1;
    if (n == 15 && memcmp(ref, "index.docker.io", 15) == 0)
        return xstrdup("docker.io");
    return xstrndup(ref, n);
}

static int not_a_name(const char *ref, const char *detail, struct err *e)
{
    return err_set(e, ERR_BAD_REQUEST, "couldn't parse image name \"%s\": invalid reference format%s", ref, detail);
}

int image_name_parse(const char *ref, struct image_name *out, struct err *e)
{
    _auto_name_ struct image_name n = {0};
    const char *rest;
    n.domain = split_domain(ref, &rest);
    const bool library = str_eq(n.domain, "docker.io") && !strchr(rest, '/');
    const size_t path_len = strcspn(rest, ":@");
    n.path = xasprintf("%s%.*s", library ? "library/" : "", (int)path_len, rest);
    const char *at = strchr(rest, '@');
    if (rest[path_len] == ':')
        n.tag = at ? xstrndup(rest + path_len + 1, (size_t)(at - rest) - path_len - 1) : xstrdup(rest + path_len + 1);
    if (at)
        n.digest = xstrdup(at + 1);
    if (has_upper(n.path, strlen(n.path))) {
        _auto_free_ char *detail = xasprintf(": repository name (%s) must be lowercase", n.path);
        return not_a_name(ref, detail, e);
    }
    if (!domain_ok(n.domain) || !path_ok(n.path) || (n.tag && !tag_ok(n.tag)) || (n.digest && !digest_ok(n.digest)))
        return not_a_name(ref, "", e);
    if (strlen(n.domain) + 1 + strlen(n.path) > NAME_MAX_LEN)
        return err_set(e, ERR_BAD_REQUEST,
                       "couldn't parse image name \"%s\": repository name must not be more than %d characters", ref,
                       NAME_MAX_LEN);
    if (!n.tag && !n.digest)
        n.tag = xstrdup("latest");
    *out = n;
    n = (struct image_name){0};
    return 0;
}

char *image_name_text(const struct image_name *n)
{
    _auto_buf_ struct buf b = BUF_INIT;
    buf_addf(&b, "%s/%s", n->domain, n->path);
    if (n->tag)
        buf_addf(&b, ":%s", n->tag);
    if (n->digest)
        buf_addf(&b, "@%s", n->digest);
    return buf_steal(&b, NULL);
}

const char *image_name_familiar(const char *name)
{
    static const char *const prefixes[] = {"docker.io/library/", "docker.io/"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts(name, prefixes[i]))
            return name + strlen(prefixes[i]);
    return name;
}

int image_normalize(const char *ref, char **out, struct err *e)
{
    _auto_name_ struct image_name n = {0};
    if (image_name_parse(ref, &n, e) < 0)
        return -1;
    *out = image_name_text(&n);
    return 0;
}
