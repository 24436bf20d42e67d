/* endpoints.c - endpoints and endpoint slices: addresses and ports behind a service.
 *
 * THREADS: pure functions. Source: pkg/apis/core/validation, pkg/apis/discovery/validation. */
#include "api/validate/kinds_int.h"

#include <arpa/inet.h>

/* -- endpoints -- */

static void address_check(const struct change *c, const struct vpath *p, const json_t *address)
{
    const char *ip = vstr(address, "ip"), *hostname = vstr(address, "hostname");
    size_t faults = c->errs->len;
    v_ip(c->errs, FIELD(p, "ip"), ip);
    if (hostname[0] != '\0')
        v_name(c->errs, FIELD(p, "hostname"), hostname, rule_label);
    if (vhas(address, "nodeName"))
        v_name(c->errs, FIELD(p, "nodeName"), vstr(address, "nodeName"), rule_subdomain);
    if (c->errs->len == faults)
        v_ip_not_special(c->errs, FIELD(p, "ip"), ip);
}

static void port_check(const struct change *c, const struct vpath *p, const json_t *port, bool need_name)
{
    const char *name = vstr(port, "name");
    if (need_name && name[0] == '\0')
        v_required(c->errs, FIELD(p, "name"), NULL);
    else if (name[0] != '\0')
        v_name(c->errs, FIELD(p, "name"), name, rule_label);
    v_port(c->errs, FIELD(p, "port"), vint(port, "port"));
    v_protocol(c->errs, FIELD(p, "protocol"), vstr(port, "protocol"));
    if (vhas(port, "appProtocol"))
        v_name(c->errs, FIELD(p, "appProtocol"), vstr(port, "appProtocol"), rule_qualified);
}

static void subset_check(const struct change *c, const struct vpath *p, const json_t *subset)
{
    static const char *const lists[] = {"addresses", "notReadyAddresses"};
    const json_t *ports = vget(subset, "ports");
    const struct vpath *ports_at = FIELD(p, "ports");
    size_t i, total = 0;
    json_t *item;
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        total += json_array_size(vget(subset, lists[k]));
    if (total == 0)
        v_required(c->errs, p, "must specify `addresses` or `notReadyAddresses`");
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        const struct vpath *list_at = FIELD(p, lists[k]);
        json_array_foreach(vget(subset, lists[k]), i, item) address_check(c, ITEM(list_at, i), item);
    }
    json_array_foreach(ports, i, item) port_check(c, ITEM(ports_at, i), item, json_array_size(ports) > 1);
}

static void subsets_check(const struct change *c)
{
    const struct vpath *p = FIELD(NULL, "subsets");
    size_t i;
    json_t *subset;
    json_array_foreach(vget(c->obj, "subsets"), i, subset) subset_check(c, ITEM(p, i), subset);
}

void endpoints_create(const struct change *c)
{
    change_meta_create(c);
    subsets_check(c);
}

void endpoints_update(const struct change *c)
{
    change_meta_update(c);
    subsets_check(c);
}

/* -- slices -- */

static void slice_address_check(const struct change *c, const struct vpath *p, const char *type, const char *address)
{
    unsigned char bytes[16];
    if (strcmp(type, "FQDN") == 0) {
        v_name(c->errs, p, address, rule_subdomain);
        return;
    }
    bool six = strcmp(type, "IPv6") == 0;
    if (inet_pton(six ? AF_INET6 : AF_INET, address, bytes) != 1)
        v_invalid(c->errs, p, address, six ? "must be a valid IPv6 address" : "must be a valid IPv4 address");
    else
        v_ip_not_special(c->errs, p, address);
}

static void endpoint_check(const struct change *c, const struct vpath *p, const json_t *endpoint)
{
    enum { MAX_ADDRESSES = 100 };
    const json_t *addresses = vget(endpoint, "addresses");
    const struct vpath *addresses_at = FIELD(p, "addresses");
    const char *type = vstr(c->obj, "addressType");
    if (json_array_size(addresses) == 0)
        v_required(c->errs, addresses_at, "must contain at least 1 address");
    else if (json_array_size(addresses) > MAX_ADDRESSES)
        v_too_many(c->errs, addresses_at, json_array_size(addresses), MAX_ADDRESSES);
    for (size_t i = 0; i < json_array_size(addresses); i++)
        slice_address_check(c, ITEM(addresses_at, i), type, vitem(addresses, i));
    if (vhas(endpoint, "nodeName"))
        v_name(c->errs, FIELD(p, "nodeName"), vstr(endpoint, "nodeName"), rule_subdomain);
    if (vhas(endpoint, "hostname"))
        v_name(c->errs, FIELD(p, "hostname"), vstr(endpoint, "hostname"), rule_label);
}

static void slice_ports_check(const struct change *c)
{
    _auto_strlist_ struct strlist names = {0};
    const struct vpath *p = FIELD(NULL, "ports");
    size_t i;
    json_t *port;
    json_array_foreach(vget(c->obj, "ports"), i, port)
    {
        const struct vpath *at = ITEM(p, i);
        const char *name = vstr(port, "name");
        if (name[0] != '\0')
            v_name(c->errs, FIELD(at, "name"), name, rule_label);
        if (strlist_has(&names, name))
            v_duplicate(c->errs, FIELD(at, "name"), name);
        strlist_add(&names, name);
        v_protocol(c->errs, FIELD(at, "protocol"), vstr(port, "protocol"));
        if (vhas(port, "appProtocol"))
            v_name(c->errs, FIELD(at, "appProtocol"), vstr(port, "appProtocol"), rule_qualified);
    }
}

void slice_create(const struct change *c)
{
    enum { MAX_ENDPOINTS = 1000 };
    static const char *const types[] = {"FQDN", "IPv4", "IPv6", NULL};
    const json_t *endpoints = vget(c->obj, "endpoints");
    const struct vpath *p = FIELD(NULL, "endpoints");
    size_t i;
    json_t *endpoint;
    change_meta_create(c);
    v_choice(c->errs, FIELD(NULL, "addressType"), vstr(c->obj, "addressType"), types);
    if (json_array_size(endpoints) > MAX_ENDPOINTS) {
        v_too_many(c->errs, p, json_array_size(endpoints), MAX_ENDPOINTS);
    } else {
        json_array_foreach(endpoints, i, endpoint) endpoint_check(c, ITEM(p, i), endpoint);
    }
    slice_ports_check(c);
}

void slice_update(const struct change *c)
{
    slice_create(c);
    v_immutable_str(c->errs, FIELD(NULL, "addressType"), vstr(c->obj, "addressType"), vstr(c->old, "addressType"));
}
