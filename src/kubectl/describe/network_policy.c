/* network_policy.c - what a policy lets in and out, rule by rule. THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <time.h>

#define INDENT "    "

/* What differs between the two directions. */
struct direction {
    const char *type, *rules, *peers, *word, *isolated, *open;
};
static const struct direction directions[] = {
    {"Ingress", "ingress", "from", "From", "ingress", "source"},
    {"Egress", "egress", "to", "To", "egress", "destination"},
};

static void put_selector(struct page *p, const char *label, const json_t *selector)
{
    if (!json_is_object(selector))
        return;
    _auto_buf_ struct buf text = BUF_INIT;
    value_selector(&text, selector, "<none>");
    page_put(p, 1, INDENT "%s: %s\n", label, buf_str(&text));
}

static void put_peer(struct page *p, const char *word, const json_t *peer)
{
    const json_t *pods = jat(peer, "podSelector"), *spaces = jat(peer, "namespaceSelector"),
                 *block = jat(peer, "ipBlock");
    page_put(p, 0, INDENT "%s:\n", word);
    put_selector(p, "NamespaceSelector", spaces);
    put_selector(p, "PodSelector", pods);
    if (json_is_object(pods) || json_is_object(spaces) || !json_is_object(block))
        return;
    _auto_buf_ struct buf except = BUF_INIT;
    value_join(&except, jat(block, "except"), ", ");
    page_put(p, 1, INDENT "IPBlock:\n");
    page_put(p, 2, INDENT "CIDR: %s\n", jstr_or(block, "cidr", ""));
    page_put(p, 2, INDENT "Except: %s\n", buf_str(&except));
}

static void put_port(struct page *p, const json_t *port)
{
    _auto_buf_ struct buf number = BUF_INIT;
    value_text(&number, jat(port, "port"));
    const char *protocol = jstr_or(port, "protocol", "TCP");
    if (json_is_integer(jat(port, "endPort")))
        page_put(p, 0, INDENT "To Port Range: %s-%lld/%s\n", buf_str(&number), (long long)jint(port, "endPort", 0),
                 protocol);
    else
        page_put(p, 0, INDENT "To Port: %s/%s\n", buf_str(&number), protocol);
}

static void put_rules(struct page *p, const struct direction *d, const json_t *rules)
{
    size_t n = json_array_size(rules);
    if (n == 0)
        page_put(p, 0, INDENT "<none> (Selected pods are isolated for %s connectivity)\n", d->isolated);
    for (size_t i = 0; i < n; i++) {
        const json_t *ports = jat(json_array_get(rules, i), "ports"), *peers = jat(json_array_get(rules, i), d->peers);
        if (json_array_size(ports) == 0)
            page_put(p, 0, INDENT "To Port: <any> (traffic allowed to all ports)\n");
        for (size_t j = 0; j < json_array_size(ports); j++)
            put_port(p, json_array_get(ports, j));
        if (json_array_size(peers) == 0)
            page_put(p, 0, INDENT "%s: <any> (traffic not restricted by %s)\n", d->word, d->open);
        for (size_t j = 0; j < json_array_size(peers); j++)
            put_peer(p, d->word, json_array_get(peers, j));
        if (i + 1 < n)
            page_put(p, 0, INDENT "----------\n");
    }
}

static void put_spec(struct page *p, const json_t *spec)
{
    const json_t *selector = jat(spec, "podSelector"), *types = jat(spec, "policyTypes");
    page_put(p, 0, "Spec:\n");
    page_put(p, 1, "PodSelector: ");
    _auto_buf_ struct buf text = BUF_INIT, list = BUF_INIT;
    if (json_object_size(jat(selector, "matchLabels")) == 0 && json_array_size(jat(selector, "matchExpressions")) == 0)
        buf_adds(&text, "<none> (Allowing the specific traffic to all pods in this namespace)");
    else
        value_selector(&text, selector, "<none>");
    page_put(p, 2, "%s\n", buf_str(&text));
    for (size_t i = 0; i < ARRAY_LEN(directions); i++) {
        const struct direction *d = &directions[i];
        if (jarr_has(spec, "policyTypes", d->type)) {
            page_put(p, 1, "Allowing %s traffic:\n", d->isolated);
            put_rules(p, d, jat(spec, d->rules));
        } else {
            page_put(p, 1, "Not affecting %s traffic\n", d->isolated);
        }
    }
    value_join(&list, types, ", ");
    page_put(p, 1, "Policy Types: %s\n", list.len > 0 ? buf_str(&list) : "<none>");
}

/* As Go's time.Time prints itself: "2026-01-02 15:04:05 +0100 CET". */
static void put_created(struct page *p, const json_t *object)
{
    int64_t ns;
    char text[64] = "0001-01-01 00:00:00 +0000 UTC";
    const char *at = jstr(object, "metadata.creationTimestamp");
    if (at != NULL && time_parse(at, &ns) == 0) {
        time_t seconds = (time_t)(ns / 1000000000);
        struct tm tm;
        localtime_r(&seconds, &tm);
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z %Z", &tm);
    }
    page_put(p, 0, "Created on:\t%s\n", text);
}

const struct row rows_network_policy[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_created, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, "spec", NULL, put_spec, 0},
    ROWS_END,
};
