/* common.c - pieces that many kinds have: ports, addresses, selectors, paths, access modes.
 *
 * THREADS: pure functions. Sources: apimachinery util/validation, apis/meta/v1/validation; pkg/apis/core/validation. */
#include "api/validate/validate_int.h"

#include <arpa/inet.h>
#include <stdlib.h>

const char *const access_modes[] = {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod", NULL};
const char *const volume_modes[] = {"Block", "Filesystem", NULL};
static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};

#define NOT_NEGATIVE "must be greater than or equal to 0"
#define BAD_IP       "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"

/* -- numbers and words -- */

void v_nonnegative(struct field_errors *errs, const struct vpath *p, int64_t value)
{
    if (value < 0)
        v_invalid_int(errs, p, value, NOT_NEGATIVE);
}

void v_nonnegative_field(struct field_errors *errs, const struct vpath *parent, const json_t *obj, const char *key)
{
    v_nonnegative(errs, FIELD(parent, key), vint(obj, key));
}

void v_range(struct field_errors *errs, const struct vpath *p, int64_t value, int64_t low, int64_t high)
{
    if (value >= low && value <= high)
        return;
    _auto_free_ char *detail = xasprintf("must be between %lld and %lld, inclusive", (long long)low, (long long)high);
    v_invalid_int(errs, p, value, detail);
}

void v_port(struct field_errors *errs, const struct vpath *p, int64_t port)
{
    v_range(errs, p, port, 1, 65535);
}

void v_port_or_name(struct field_errors *errs, const struct vpath *p, const json_t *port)
{
    if (json_is_string(port))
        v_name(errs, p, json_string_value(port), rule_port_name);
    else
        v_port(errs, p, json_integer_value(port));
}

void v_protocol(struct field_errors *errs, const struct vpath *p, const char *protocol)
{
    v_choice(errs, p, protocol, protocols);
}

void v_required_str(struct field_errors *errs, const struct vpath *parent, const json_t *obj, const char *key)
{
    if (vstr(obj, key)[0] == '\0')
        v_required(errs, FIELD(parent, key), NULL);
}

void v_choice(struct field_errors *errs, const struct vpath *p, const char *value, const char *const *valid)
{
    if (value[0] == '\0')
        v_required(errs, p, NULL);
    else if (!one_of(value, valid))
        v_unsupported(errs, p, value, valid);
}

void v_choice_opt(struct field_errors *errs, const struct vpath *parent, const json_t *obj, const char *key,
                  const char *const *valid)
{
    if (vhas(obj, key) && !one_of(vstr(obj, key), valid))
        v_unsupported(errs, FIELD(parent, key), vstr(obj, key), valid);
}

void v_immutable_str(struct field_errors *errs, const struct vpath *p, const char *now, const char *before)
{
    if (strcmp(now, before) != 0)
        v_invalid(errs, p, now, "field is immutable");
}

void v_token_lifetime(struct field_errors *errs, const struct vpath *p, int64_t seconds)
{
    if (seconds < 600)
        v_invalid_int(errs, p, seconds, "may not specify a duration less than 10 minutes");
    else if (seconds > INT64_C(1) << 32)
        v_invalid_int(errs, p, seconds, "may not specify a duration larger than 2^32 seconds");
}

/* -- addresses -- */

static bool ip_parse(const char *text, unsigned char v4[4], unsigned char v6[16], bool *is_v4)
{
    *is_v4 = inet_pton(AF_INET, text, v4) == 1;
    return *is_v4 || inet_pton(AF_INET6, text, v6) == 1;
}

bool v_ip(struct field_errors *errs, const struct vpath *p, const char *ip)
{
    unsigned char v4[4], v6[16];
    bool is_v4;
    if (ip_parse(ip, v4, v6, &is_v4))
        return true;
    v_invalid(errs, p, ip, BAD_IP);
    return false;
}

/* Why an address cannot be an endpoint's or a service's; NULL if it can. */
static const char *special_range(const unsigned char v4[4], const unsigned char v6[16], bool is_v4)
{
    static const unsigned char loopback6[16] = {[15] = 1};
    if (is_v4 ? v4[0] == 127 : memcmp(v6, loopback6, 16) == 0)
        return "may not be in the loopback range (127.0.0.0/8, ::1/128)";
    if (is_v4 ? v4[0] == 169 && v4[1] == 254 : v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80)
        return "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
    if (is_v4 ? v4[0] == 224 && v4[1] == 0 && v4[2] == 0 : v6[0] == 0xff && (v6[1] & 0x0f) == 0x02)
        return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
    return NULL;
}

void v_ip_not_special(struct field_errors *errs, const struct vpath *p, const char *ip)
{
    static const unsigned char zero[16] = {0};
    unsigned char v4[4], v6[16];
    bool is_v4;
    if (!ip_parse(ip, v4, v6, &is_v4)) {
        v_invalid(errs, p, ip, "must be a valid IP address");
        return;
    }
    if (memcmp(is_v4 ? v4 : v6, zero, is_v4 ? 4 : 16) == 0) {
        _auto_free_ char *detail = xasprintf("may not be unspecified (%s)", ip);
        v_invalid(errs, p, ip, detail);
        return;
    }
    const char *why = special_range(v4, v6, is_v4);
    if (why != NULL)
        v_invalid(errs, p, ip, why);
}

void v_cidr(struct field_errors *errs, const struct vpath *p, const char *cidr)
{
    unsigned char v4[4], v6[16];
    bool is_v4 = false, fine = false;
    const char *slash = strchr(cidr, '/');
    uint64_t bits = 0;
    if (slash != NULL && str_to_u64(slash + 1, &bits)) {
        _auto_free_ char *ip = xstrndup(cidr, (size_t)(slash - cidr));
        fine = ip_parse(ip, v4, v6, &is_v4) && bits <= (is_v4 ? 32U : 128U);
    }
    if (!fine)
        v_invalid(errs, p, cidr, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
}

/* -- selectors -- */

static const char *const set_operators[] = {"In", "NotIn", NULL};
static const char *const presence_operators[] = {"Exists", "DoesNotExist", NULL};
static const char *const order_operators[] = {"Gt", "Lt", NULL};

static void label_values_check(struct field_errors *errs, const struct vpath *p, const json_t *values)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        v_name(errs, ITEM(p, i), vitem(values, i), rule_label_value);
}

/* Operator and number of values; `ordered`: Gt and Lt are known. */
static void requirement_check(struct field_errors *errs, const struct vpath *p, const json_t *req, bool ordered)
{
    const char *op = vstr(req, "operator");
    size_t n = json_array_size(vget(req, "values"));
    if (one_of(op, set_operators)) {
        if (n == 0)
            v_required(errs, FIELD(p, "values"), "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (one_of(op, presence_operators)) {
        if (n > 0)
            v_forbidden(errs, FIELD(p, "values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else if (ordered && one_of(op, order_operators)) {
        if (n != 1)
            v_required(errs, FIELD(p, "values"), "must be specified single value when `operator` is 'Lt' or 'Gt'");
    } else {
        v_invalid(errs, FIELD(p, "operator"), op, "not a valid selector operator");
    }
    v_name(errs, FIELD(p, "key"), vstr(req, "key"), rule_qualified);
}

void v_label_selector(struct field_errors *errs, const struct vpath *p, const json_t *selector)
{
    if (selector == NULL)
        return;
    const struct vpath *expressions = FIELD(p, "matchExpressions");
    size_t i;
    json_t *req;
    v_labels(errs, FIELD(p, "matchLabels"), vget(selector, "matchLabels"));
    json_array_foreach(vget(selector, "matchExpressions"), i, req)
    {
        const struct vpath *at = ITEM(expressions, i);
        requirement_check(errs, at, req, false);
        label_values_check(errs, FIELD(at, "values"), vget(req, "values"));
    }
}

static void field_requirement_check(struct field_errors *errs, const struct vpath *p, const json_t *req)
{
    const json_t *values = vget(req, "values");
    if (!one_of(vstr(req, "operator"), set_operators))
        v_invalid(errs, FIELD(p, "operator"), vstr(req, "operator"), "not a valid selector operator");
    else if (json_array_size(values) != 1)
        v_required(errs, FIELD(p, "values"),
                   "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
    if (strcmp(vstr(req, "key"), "metadata.name") != 0) {
        v_invalid(errs, FIELD(p, "key"), vstr(req, "key"), "not a valid field selector key");
        return;
    }
    const struct vpath *at = FIELD(p, "values");
    for (size_t i = 0; i < json_array_size(values); i++)
        v_name(errs, ITEM(at, i), vitem(values, i), rule_subdomain);
}

void v_node_selector_term(struct field_errors *errs, const struct vpath *p, const json_t *term, bool lax_values)
{
    const struct vpath *expressions = FIELD(p, "matchExpressions"), *fields = FIELD(p, "matchFields");
    size_t i;
    json_t *req;
    json_array_foreach(vget(term, "matchExpressions"), i, req)
    {
        const struct vpath *at = ITEM(expressions, i);
        requirement_check(errs, at, req, true);
        if (!lax_values)
            label_values_check(errs, FIELD(at, "values"), vget(req, "values"));
    }
    json_array_foreach(vget(term, "matchFields"), i, req) field_requirement_check(errs, ITEM(fields, i), req);
}

void v_node_selector(struct field_errors *errs, const struct vpath *p, const json_t *selector, bool lax_values)
{
    const struct vpath *terms = FIELD(p, "nodeSelectorTerms");
    const json_t *list = vget(selector, "nodeSelectorTerms");
    size_t i;
    json_t *term;
    if (json_array_size(list) == 0)
        v_required(errs, terms, "must have at least one node selector term");
    json_array_foreach(list, i, term) v_node_selector_term(errs, ITEM(terms, i), term, lax_values);
}

/* -- paths in files -- */

bool path_has_backsteps(const char *path)
{
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0'))
            return true;
    }
    return false;
}

void v_no_backsteps(struct field_errors *errs, const struct vpath *p, const char *path)
{
    if (path_has_backsteps(path))
        v_invalid(errs, p, path, "must not contain '..'");
}

void v_descending_path(struct field_errors *errs, const struct vpath *p, const char *path)
{
    if (path[0] == '/')
        v_invalid(errs, p, path, "must be a relative path");
    v_no_backsteps(errs, p, path);
}

void v_unreserved_path(struct field_errors *errs, const struct vpath *p, const char *path)
{
    v_descending_path(errs, p, path);
    if (str_starts(path, "..") && !str_starts(path, "../"))
        v_invalid(errs, p, path, "must not start with '..'");
}

void v_file_mode(struct field_errors *errs, const struct vpath *parent, const json_t *obj, const char *key)
{
    int64_t mode = vint(obj, key);
    if (mode < 0 || mode > 0777)
        v_invalid_int(errs, FIELD(parent, key), mode, "must be a number between 0 and 0777 (octal), both inclusive");
}

/* -- storage words -- */

void v_access_modes(struct field_errors *errs, const struct vpath *p, const json_t *modes)
{
    bool single = false, other = false;
    for (size_t i = 0; i < json_array_size(modes); i++) {
        const char *mode = vitem(modes, i);
        if (!one_of(mode, access_modes))
            v_unsupported(errs, p, mode, access_modes);
        if (strcmp(mode, "ReadWriteOncePod") == 0)
            single = true;
        else if (one_of(mode, access_modes))
            other = true;
    }
    if (single && other)
        v_forbidden(errs, p, "may not use ReadWriteOncePod with other access modes");
}

void v_csi_driver_name(struct field_errors *errs, const struct vpath *p, const char *name)
{
    enum { DRIVER_NAME_MAX = 63 };
    if (name[0] == '\0')
        v_required(errs, p, NULL);
    if (strlen(name) > DRIVER_NAME_MAX)
        v_too_long(errs, p, DRIVER_NAME_MAX);
    v_name(errs, p, name, rule_subdomain_nocase);
}
