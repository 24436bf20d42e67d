/* unknown.c - an image that is neither here nor in the catalogue: does a stub run in its place, or does it fail?
 *
 * WHY: there is no network. Most labs only need that *something* runs under an application's name; but others show what
 * a failing pull looks like, and those must fail. So a name fails that says of itself that it is none ("nosuch",
 * "invalid"), that is a slip of the finger from one that everybody knows ("ngnix"), or that names a registry nobody has
 * heard of. Names of a registry on this machine are pulled from there.
 *
 * The words are containerd's. When you add a rule: a row in a table. THREADS: pure. */
#include "images/images_int.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What stands in names (their letters and digits) of what is not meant to be. */
static const char *const telling[] = {
    "nonexist", "notexist",  "doesntexist",  "nosuch",      "invalid",   "wrongimage",   "wrongtag",      "badimage",
    "badtag",   "fakeimage", "faketag",      "brokenimage", "brokentag", "missingimage", "imagenotfound", "notfound",
    "noimage",  "bogus",     "unknownimage", "unknowntag",  "typo",      "imaginary",
};

/* Registries that are there, at least in the world: their images get a stub. Those of a domain below count too. */
static const char *const registries[] = {
    "docker.io",
    "gcr.io",
    "registry.k8s.io",
    "k8s.gcr.io",
    "quay.io",
    "ghcr.io",
    "pkg.dev",
    "nvcr.io",
    "amazonaws.com",
    "public.ecr.aws",
    "azurecr.io",
    "mcr.microsoft.com",
    "gitlab.com",
    "cgr.dev",
    "lscr.io",
    "docker.elastic.co",
    "redhat.com",
    "redhat.io",
    "jfrog.io",
    "zalan.do",
    "weave.works",
    "icr.io",
    "container-registry.oracle.com",
    "digitalocean.com",
    "linkerd.io",
    "k3s.io",
    "rancher.com",
    "suse.com",
    "fluxcd.io",
    "jetstack.io",
    "ocir.io",
};

/* Names of docker.io/library that everybody knows, beside those of the catalogue. */
static const char *const famous[] = {
    "node",      "golang",    "python",      "openjdk",   "tomcat",  "rabbitmq",    "memcached", "elasticsearch",
    "cassandra", "wordpress", "mariadb",     "traefik",   "haproxy", "jenkins",     "registry",  "fedora",
    "mysql",     "postgres",  "hello-world", "nextcloud", "consul",  "logstash",    "kibana",    "influxdb",
    "grafana",   "drupal",    "joomla",      "ghost",     "couchdb", "amazonlinux", "redis",     "mongo",
};

/* ---- misspelt ---- */

static bool is_slip_of(const char *name, const char *known)
{
    const size_t n = str_slips(name, known);
    return strlen(known) >= 5 && n > 0 && n <= (strlen(name) >= 8 ? 2 : 1);
}

static bool is_misspelt(const struct image_name *n)
{
    static const char library[] = "library/", home[] = "docker.io/library/";
    if (!str_eq(n->domain, "docker.io") || !str_starts(n->path, library))
        return false;
    const char *name = n->path + sizeof library - 1;
    bool slip = false;
    for (size_t i = 0; i < ARRAY_LEN(famous); i++) {
        if (str_eq(name, famous[i]))
            return false;
        slip = slip || is_slip_of(name, famous[i]);
    }
    const struct image_def *row;
    for (size_t i = 0; !slip && (row = catalogue_row(i)); i++)
        slip = str_starts(row->repository, home) && is_slip_of(name, row->repository + sizeof home - 1);
    return slip;
}

/* ---- other signs ---- */

bool unknown_tells(const char *text)
{
    _auto_buf_ struct buf plain = BUF_INIT;
    for (; text && *text; text++)
        if (isalnum((unsigned char)*text))
            buf_addc(&plain, (char)tolower((unsigned char)*text));
    for (size_t i = 0; i < ARRAY_LEN(telling); i++)
        if (strstr(buf_str(&plain), telling[i]))
            return true;
    return false;
}

static bool is_below(const char *host, const char *domain)
{
    return str_eq(host, domain) || (str_ends(host, domain) && host[strlen(host) - strlen(domain) - 1] == '.');
}

static bool is_known_registry(const char *domain)
{
    _auto_free_ char *host = xstrndup(domain, strcspn(domain, ":"));
    for (size_t i = 0; i < ARRAY_LEN(registries); i++)
        if (is_below(host, registries[i]))
            return true;
    return false;
}

static bool is_this_machine(const char *domain)
{
    _auto_free_ char *host = xstrndup(domain, strcspn(domain, ":"));
    return str_eq(host, "localhost") || str_starts(host, "127.");
}

enum unknown unknown_judge(const struct image_name *n)
{
    if (is_this_machine(n->domain))
        return UNKNOWN_LOCAL;
    if (!is_known_registry(n->domain))
        return UNKNOWN_NO_HOST;
    if (unknown_tells(n->path) || is_misspelt(n))
        return UNKNOWN_DENIED;
    return unknown_tells(n->tag) ? UNKNOWN_NO_TAG : UNKNOWN_STUB;
}

/* ---- the words ---- */

/* What a containerd without network says. */
static int no_host(const struct image_name *n, const char *canonical, struct err *e)
{
    const char *host = str_eq(n->domain, "docker.io") ? "registry-1.docker.io" : n->domain;
    return err_set(e, ERR_NOT_FOUND,
                   "rpc error: code = Unknown desc = failed to pull and unpack image \"%s\": failed to resolve "
                   "reference \"%s\": failed to do request: Head \"https://%s/v2/%s/manifests/%s\": dial tcp: lookup "
                   "%.*s: no such host (Stowage works offline: bring an image with \"stowage image import ARCHIVE\")",
                   canonical, canonical, host, n->path, n->tag ? n->tag : n->digest, (int)strcspn(host, ":"), host);
}

int unknown_refuse(enum unknown why, const struct image_name *n, struct err *e)
{
    _auto_free_ char *canonical = image_name_text(n);
    if (why == UNKNOWN_NO_HOST)
        return no_host(n, canonical, e);
    if (why == UNKNOWN_NO_TAG)
        return err_set(e, ERR_NOT_FOUND,
                       "rpc error: code = NotFound desc = failed to pull and unpack image \"%s\": failed to resolve "
                       "reference \"%s\": %s: not found",
                       canonical, canonical, canonical);
    return err_set(e, ERR_NOT_FOUND,
                   "rpc error: code = Unknown desc = failed to pull and unpack image \"%s\": failed to resolve "
                   "reference \"%s\": pull access denied, repository does not exist or may require authorization: "
                   "server message: insufficient_scope: authorization failed",
                   canonical, canonical);
}
