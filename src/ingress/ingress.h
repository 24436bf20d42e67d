/* ingress.h - the cluster's ingress controller: a reverse proxy for HTTP/1.1 on an address of the user's loopback.
 *
 * It knows nothing of Kubernetes but a table, which can be replaced at any time; requests under way go on with the one
 * they began with:
 *     {"rules": [{"host": "shop.example.com",      ("*.example.com"; "": every host that has no rules of its own)
 *                 "path": "/cart", "type": "Prefix", ("Exact", "Prefix", "ImplementationSpecific")
 *                 "fallback": false,               (for paths of that host which no other rule takes)
 *                 "rewrite": "/$2", "regex": true, (as ingress-nginx's annotations say)
 *                 "targets": ["10.244.0.5:80"]}],  (none: 503)
 *      "tls": [{"hosts": ["shop.example.com"], "cert": "PEM", "key": "PEM", "redirect": true}]}
 * Of rules that say the same the first counts. What nothing takes gets 404; answers of its own look like those of
 * ingress-nginx. Source: the API of networking.k8s.io/v1; ingress-nginx' documentation. */
#ifndef STOWAGE_INGRESS_INGRESS_H
#define STOWAGE_INGRESS_INGRESS_H

#include "base/err.h"

#include <jansson.h>
#include <stdint.h>

struct ingress;
struct ingress_conf {
    const char *address; /* borrowed during the call; "127.80.9.1" */
    uint16_t http_port, https_port;
    /* A socket connected (or connecting) to a pod, or -1. Any thread. */
    int (*dial)(void *arg, const char *ip, uint16_t port);
    void *arg;
};
/* Listens and answers. Fails when a port is not to be had. */
int ingress_open(const struct ingress_conf *conf, struct ingress **out, struct err *e);
void ingress_set(struct ingress *in, json_t *take_table);
/* Ends every connection and waits for it. NULL is fine. */
void ingress_close(struct ingress *in);

#endif
