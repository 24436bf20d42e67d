/* accept.c - content negotiation, see accept_int.h.
 *
 * DESIGN: clauses are put in order of preference (q, then the more exact type, then as written) and the first that can
 * be served wins. The parameters as, g and v ask for another form of the same data; a clause whose form the endpoint
 * does not have is passed over, which is how kubectl's "a Table, else a Table of the beta, else JSON" works. Protobuf
 * is understood in bodies but never sent: clients that prefer it always offer JSON too.
 * Source: apiserver endpoints/handlers/negotiation/negotiate.go, munnerz/goautoneg.
 * THREADS: pure.
 * When you add a form, also give it a case where answers are made (view.c). */
#include "apiserver/accept_int.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_CLAUSES = 16, MAX_PARAM = 64 };

struct clause {
    char type[MAX_PARAM], sub[MAX_PARAM];
    char as[MAX_PARAM], group[MAX_PARAM], version[16];
    bool pretty, bad_stream;
    double q;
};

/* Copies [p, p+n) without blanks at either end. */
static void copy_trimmed(char *out, size_t cap, const char *p, size_t n)
{
    while (n > 0 && isspace((unsigned char)*p)) {
        p++;
        n--;
    }
    while (n > 0 && isspace((unsigned char)p[n - 1]))
        n--;
    if (n >= cap)
        n = cap - 1;
    memcpy(out, p, n);
    out[n] = '\0';
}

static void read_param(struct clause *c, const char *p, size_t n)
{
    const char *eq = memchr(p, '=', n);
    if (!eq)
        return;
    char key[MAX_PARAM], value[MAX_PARAM];
    copy_trimmed(key, sizeof key, p, (size_t)(eq - p));
    copy_trimmed(value, sizeof value, eq + 1, n - (size_t)(eq - p) - 1);
    if (strcmp(key, "q") == 0)
        c->q = strtod(value, NULL);
    else if (strcmp(key, "as") == 0)
        copy_trimmed(c->as, sizeof c->as, value, strlen(value));
    else if (strcmp(key, "g") == 0)
        copy_trimmed(c->group, sizeof c->group, value, strlen(value));
    else if (strcmp(key, "v") == 0)
        copy_trimmed(c->version, sizeof c->version, value, strlen(value));
    else if (strcmp(key, "pretty") == 0)
        c->pretty = strcmp(value, "1") == 0;
    else if (strcmp(key, "stream") == 0)
        c->bad_stream = strcmp(value, "watch") != 0;
}

/* False for what is no media range at all. */
static bool read_clause(struct clause *c, const char *p, size_t n)
{
    *c = (struct clause){.q = 1};
    size_t len = 0;
    while (len < n && p[len] != ';')
        len++;
    char range[2 * MAX_PARAM];
    copy_trimmed(range, sizeof range, p, len);
    char *slash = strchr(range, '/');
    if (slash) {
        copy_trimmed(c->type, sizeof c->type, range, (size_t)(slash - range));
        copy_trimmed(c->sub, sizeof c->sub, slash + 1, strlen(slash + 1));
    } else if (strcmp(range, "*") == 0) {
        memcpy(c->type, "*", 2);
        memcpy(c->sub, "*", 2);
    } else {
        return false;
    }
    while (len < n) {
        p += len + 1;
        n -= len + 1;
        for (len = 0; len < n && p[len] != ';'; len++)
            ;
        read_param(c, p, len);
    }
    return true;
}

static bool preferred(const struct clause *a, const struct clause *b)
{
    if (a->q != b->q)
        return a->q > b->q;
    if (strcmp(a->type, "*") != 0 && strcmp(b->type, "*") == 0)
        return true;
    return strcmp(a->sub, "*") != 0 && strcmp(b->sub, "*") == 0;
}

static size_t read_header(const char *header, struct clause *out)
{
    size_t count = 0;
    for (const char *p = header; *p && count < MAX_CLAUSES;) {
        size_t n = strcspn(p, ",");
        struct clause c;
        if (read_clause(&c, p, n)) {
            size_t at = count++;
            for (; at > 0 && preferred(&c, &out[at - 1]); at--)
                out[at] = out[at - 1];
            out[at] = c;
        }
        p += n + (p[n] == ',');
    }
    return count;
}

static const struct {
    const char *kind, *group;
    const char *versions[3];
    enum form form;
    unsigned offer;
} forms[] = {
    {"Table", "meta.k8s.io", {"v1", "v1beta1"}, FORM_TABLE, OFFER_TABLE},
    {"PartialObjectMetadata", "meta.k8s.io", {"v1", "v1beta1"}, FORM_PARTIAL, OFFER_PARTIAL},
    {"PartialObjectMetadataList", "meta.k8s.io", {"v1", "v1beta1"}, FORM_PARTIAL_LIST, OFFER_PARTIAL},
    {"APIGroupDiscoveryList", "apidiscovery.k8s.io", {"v2", "v2beta1"}, FORM_DISCOVERY, OFFER_DISCOVERY},
};

static bool find_form(const struct clause *c, unsigned offers, struct wanted *out)
{
    if (!c->as[0] && !c->group[0] && !c->version[0]) {
        out->form = FORM_OBJECT;
        out->version = "";
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (!(forms[i].offer & offers) || strcmp(forms[i].kind, c->as) != 0 || strcmp(forms[i].group, c->group) != 0)
            continue;
        for (const char *const *v = forms[i].versions; *v; v++)
            if (strcmp(*v, c->version) == 0) {
                out->form = forms[i].form;
                out->version = *v;
                return true;
            }
    }
    return false;
}

static bool matches(const struct clause *c, const char *sub)
{
    bool type = strcmp(c->type, "application") == 0;
    return (type && (strcmp(c->sub, sub) == 0 || strcmp(c->sub, "*") == 0)) ||
           (strcmp(c->type, "*") == 0 && strcmp(c->sub, "*") == 0);
}

int accept_negotiate(const char *header, unsigned offers, struct wanted *out)
{
    struct wanted w = {.form = FORM_OBJECT, .encoding = ENCODE_JSON, .version = ""};
    if (!header || !*header) {
        *out = w;
        return 0;
    }
    struct clause clauses[MAX_CLAUSES];
    size_t count = read_header(header, clauses);
    for (size_t i = 0; i < count; i++) {
        const struct clause *c = &clauses[i];
        bool json = matches(c, "json");
        if (!json && (!matches(c, "yaml") || (offers & OFFER_NO_YAML)))
            continue;
        if (c->bad_stream || !find_form(c, offers, &w))
            continue;
        w.encoding = json ? ENCODE_JSON : ENCODE_YAML;
        w.pretty = c->pretty;
        *out = w;
        return 0;
    }
    return -1;
}

bool accept_names(const char *header, const char *const *types)
{
    if (!header || !*header)
        return true;
    for (const char *p = header; *p;) {
        size_t n = strcspn(p, ",");
        char range[2 * MAX_PARAM];
        size_t bare = strcspn(p, ";");
        copy_trimmed(range, sizeof range, p, bare < n ? bare : n);
        if (strcmp(range, "*/*") == 0)
            return true;
        for (const char *const *t = types; *t; t++)
            if (strcmp(range, *t) == 0)
                return true;
        p += n + (p[n] == ',');
    }
    return false;
}

bool content_is(const char *header, const char *type)
{
    char bare[2 * MAX_PARAM];
    copy_trimmed(bare, sizeof bare, header, strcspn(header, ";"));
    return strcasecmp(bare, type) == 0;
}

int content_media(const char *header, enum media *out)
{
    static const struct {
        const char *type;
        enum media media;
    } known[] = {
        {"application/json", MEDIA_JSON},
        {"application/yaml", MEDIA_YAML},
        {"application/vnd.kubernetes.protobuf", MEDIA_PROTOBUF},
    };
    if (!header || !*header) {
        *out = MEDIA_JSON;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (content_is(header, known[i].type)) {
            *out = known[i].media;
            return 0;
        }
    return -1;
}
