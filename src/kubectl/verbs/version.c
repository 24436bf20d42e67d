/* version.c - `kubectl version`, `kubectl cluster-info`: who speaks with whom. */
#include "api/decode.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/output/print.h"
#include "kubectl/verbs/verbs_int.h"

#include <stdlib.h>
#include <string.h>

/* The kubectl whose words these are. */
#define CLIENT_MINOR   "32"
#define CLIENT_VERSION "v1." CLIENT_MINOR ".13"
#define KUSTOMIZE      "v5.5.0" /* that is in it */

static int ask_server(struct call *c, json_t **out)
{
    struct err e = ERR_INIT;
    if (call_json(c, "GET", "/version", NULL, NULL, out, &e) < 0)
        return call_error(c, &e), -1;
    return 0;
}

static void print_tree(struct call *c, const json_t *tree, const char *form)
{
    if (str_eq(form, "json")) {
        char *text = json_dumps(tree, JSON_INDENT(2));
        fprintf(c->k->out, "%s\n", text);
        free(text);
        return;
    }
    _auto_free_ char *text = yaml_text(tree);
    fprintf(c->k->out, "%s\n", text);
}

static void print_client(const struct call *c)
{
    fprintf(c->k->out, "Client Version: %s\nKustomize Version: %s\n", CLIENT_VERSION, KUSTOMIZE);
}

static int version_run(struct call *c)
{
    const char *form = call_text(c, "output");
    _auto_json_ json_t *server = NULL;
    if (*form && !str_eq(form, "yaml") && !str_eq(form, "json"))
        return call_fail(c, "--output must be 'yaml' or 'json'");
    if (!call_bool(c, "client") && ask_server(c, &server) < 0 && !*form)
        print_client(c);
    if (c->code)
        return c->code;
    if (*form) {
        _auto_json_ json_t *tree = json_pack("{s:{s:s,s:s,s:s},s:s}", "clientVersion", "major", "1", "minor",
                                             CLIENT_MINOR, "gitVersion", CLIENT_VERSION, "kustomizeVersion", KUSTOMIZE);
        if (server)
            json_object_set(tree, "serverVersion", server);
        print_tree(c, tree, form);
        return 0;
    }
    print_client(c);
    if (server)
        fprintf(c->k->out, "Server Version: %s\n", jstr_or(server, "gitVersion", ""));
    return 0;
}

static const struct kubectl_flag version_flags[] = {
    {"client", 0, FLAG_BOOL, NULL, "Only our own"},
    {"output", 'o', FLAG_TEXT, NULL, "yaml or json"},
    {0},
};

const struct kubectl_verb kubectl_version = {
    .name = "version",
    .summary = "Print the client and server version information",
    .usage = "[options]",
    .flags = version_flags,
    .run = version_run,
};

/* ---- cluster-info ---- */

static void tell_service(struct call *c, const char *name, const char *link)
{
    if (c->k->colour)
        fprintf(c->k->out, "\x1b[0;32m%s\x1b[0m is running at \x1b[0;33m%s\x1b[0m\n", name, link);
    else
        fprintf(c->k->out, "%s is running at %s\n", name, link);
}

/* Where the API server's proxy reaches a service of the cluster. */
static void tell_one(struct call *c, const json_t *service)
{
    const char *name = jstr_or(service, "metadata.name", ""), *ns = jstr_or(service, "metadata.namespace", "");
    const char *shown = jmap(service, "metadata.labels", "kubernetes.io/name");
    const json_t *port = json_array_get(jat(service, "spec.ports"), 0);
    const char *port_name = jstr_or(port, "name", "");
    const bool secure = jint(port, "port", 0) == 443;
    _auto_free_ char *link = xasprintf("%s/api/v1/namespaces/%s/services/%s%s%s%s/proxy", c->k->access.url, ns,
                                       secure ? "https:" : "", name, *port_name || secure ? ":" : "", port_name);
    tell_service(c, shown ? shown : name, link);
}

static int cluster_info_run(struct call *c)
{
    _auto_json_ json_t *list = NULL;
    struct err e = ERR_INIT;
    size_t i;
    const json_t *service;
    if (call_json(c, "GET",
                  "/api/v1/namespaces/kube-system/services?labelSelector=kubernetes.io%2Fcluster-service%3Dtrue", NULL,
                  NULL, &list, &e) < 0)
        return call_error(c, &e);
    tell_service(c, "Kubernetes control plane", c->k->access.url);
    json_array_foreach(json_object_get(list, "items"), i, service) tell_one(c, service);
    fputs("\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n", c->k->out);
    return 0;
}

/* ---- cluster-info dump ---- */

static int dump_list(struct call *c, const char *path)
{
    _auto_json_ json_t *list = NULL;
    _auto_buf_ struct buf text = BUF_INIT;
    struct err e = ERR_INIT;
    if (call_json(c, "GET", path, NULL, NULL, &list, &e) < 0)
        return call_error(c, &e);
    if (str_eq(call_text(c, "output"), "yaml")) {
        _auto_free_ char *yaml = yaml_text(list);
        fprintf(c->k->out, "%s---\n", yaml);
        return 0;
    }
    json_pretty(&text, list);
    fprintf(c->k->out, "%s\n", buf_str(&text));
    return 0;
}

static int dump_space(struct call *c, const char *ns)
{
    static const char *const lists[] = {"api/v1/%s/events",
                                        "api/v1/%s/replicationcontrollers",
                                        "api/v1/%s/services",
                                        "apis/apps/v1/%s/daemonsets",
                                        "apis/apps/v1/%s/deployments",
                                        "apis/apps/v1/%s/replicasets",
                                        "api/v1/%s/pods"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const char *gap = strstr(lists[i], "/%s");
        _auto_free_ char *path =
            xasprintf("/%.*s%s%s%s", (int)(gap - lists[i]), lists[i], *ns ? "/namespaces/" : "", ns, gap + 3);
        if (dump_list(c, path) != 0)
            return 1;
    }
    return 0;
}

static int dump_run(struct call *c)
{
    const struct strlist *given = call_list(c, "namespaces");
    static const char *const usual[] = {"kube-system", "default"};
    if (dump_list(c, "/api/v1/nodes") != 0)
        return c->code;
    if (call_bool(c, "all-namespaces"))
        return dump_space(c, "");
    for (size_t i = 0; i < given->len; i++)
        dump_space(c, given->items[i]);
    for (size_t i = 0; given->len == 0 && i < ARRAY_LEN(usual); i++)
        dump_space(c, usual[i]);
    return c->code;
}

static const struct kubectl_flag dump_flags[] = {
    FLAGS_ALL_NAMESPACES,
    {"namespaces", 0, FLAG_LIST, NULL, "These namespaces; else kube-system and default"},
    {"output", 'o', FLAG_TEXT, "json", "json or yaml"},
    {0},
};

static const struct kubectl_verb dump = {
    .name = "dump",
    .summary = "Dump relevant information for debugging and diagnosis",
    .usage = "[options]",
    .flags = dump_flags,
    .run = dump_run,
};
static const struct kubectl_verb *const info_subs[] = {&dump, NULL};

const struct kubectl_verb kubectl_cluster_info = {
    .name = "cluster-info",
    .summary = "Display cluster information",
    .usage = "[flags] [options]",
    .subs = info_subs,
    .run = cluster_info_run,
};
