/* dns.c - names of services and pods, as the cluster's DNS gives them.
 *
 * WHAT: one question, one answer. The zone is a tree that kube-proxy's loop makes (kubeletsim/dns_zone.c):
 *     {"names": {"web.default.svc.cluster.local": {"A": ["10.96.3.4"], "CNAME": "example.com",
 *                                                  "SRV": [{"port": 80, "target": "web.default.svc.cluster.local"}]}},
 *      "PTR": {"10.96.3.4": ["web.default.svc.cluster.local"]}}
 * A name that only has others below it is there as {}, so "there is nothing of that type" (NODATA) and "there is no
 * such name" (NXDOMAIN) can be told apart. 10-244-0-5.<namespace>.pod.cluster.local is answered from its own text.
 * There is no other network to ask, so all else is NXDOMAIN.
 *
 * What does not fit the asker's buffer is left out and marked as cut (he asks again by TCP). Answers to names with
 * several addresses begin at another one each time. Source: RFC 1035, 2308, 6891; Kubernetes DNS specification 1.1.0.
 * THREADS: pure. */
#include "sys/dns_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ZONE      "cluster.local"
#define DNS_TTL   30
#define NAME_SIZE 256
#define HEAD_SIZE 12
#define CHAIN_MAX 8
#define UDP_PLAIN 512
#define UDP_EDNS  1232

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_PTR = 12, TYPE_SRV = 33, TYPE_OPT = 41, TYPE_ANY = 255 };
enum { NOERROR = 0, NXDOMAIN = 3, NOTIMP = 4 };
enum section { ANSWER, AUTHORITY, ADDITIONAL, SECTIONS };

struct answer {
    const json_t *zone;
    struct buf *out;
    size_t limit;
    unsigned count[SECTIONS];
    unsigned turn; /* which of several comes first */
    bool cut;
};

/* ---- names ---- */

/* "web.default" from its labels; the bytes it took, 0 = malformed (compression is not used in questions). */
static size_t read_name(const uint8_t *p, size_t len, char out[NAME_SIZE])
{
    size_t at = 0, n = 0;
    while (at < len && p[at]) {
        const size_t label = p[at++];
        if (label > 63 || at + label > len || n + label + 2 > NAME_SIZE)
            return 0;
        if (n)
            out[n++] = '.';
        for (size_t i = 0; i < label; i++)
            out[n++] = (char)tolower(p[at + i]);
        at += label;
    }
    out[n] = '\0';
    return at < len ? at + 1 : 0;
}

static void put_name(struct buf *out, const char *name)
{
    while (*name) {
        const size_t label = strcspn(name, ".");
        if (label == 0 || label > 63)
            break;
        buf_addc(out, (char)label);
        buf_add(out, name, label);
        name += label + (name[label] == '.');
    }
    buf_addc(out, 0);
}

static void put16(struct buf *out, unsigned v)
{
    const uint8_t two[] = {(uint8_t)(v >> 8), (uint8_t)v};
    buf_add(out, two, sizeof two);
}

static void put32(struct buf *out, uint32_t v)
{
    put16(out, v >> 16);
    put16(out, v & 0xffff);
}

static void set16(struct buf *out, size_t at, unsigned v)
{
    out->data[at] = (char)(v >> 8);
    out->data[at + 1] = (char)v;
}

/* ---- records ---- */

static void put_record(struct answer *a, enum section s, const char *name, unsigned type, const struct buf *data)
{
    const size_t before = a->out->len;
    put_name(a->out, name);
    put16(a->out, type);
    put16(a->out, 1);
    put32(a->out, DNS_TTL);
    put16(a->out, (unsigned)data->len);
    buf_add(a->out, data->data, data->len);
    if (a->out->len <= a->limit) {
        a->count[s]++;
        return;
    }
    a->out->len = before;
    a->cut = a->cut || s == ANSWER;
}

static void put_target(struct answer *a, enum section s, const char *name, unsigned type, const char *target)
{
    _auto_buf_ struct buf data = BUF_INIT;
    put_name(&data, target);
    put_record(a, s, name, type, &data);
}

static void put_addresses(struct answer *a, enum section s, const char *name, const json_t *list)
{
    const size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) {
        struct in_addr address;
        const char *text = json_string_value(json_array_get(list, (i + a->turn) % n));
        if (!text || inet_pton(AF_INET, text, &address) != 1)
            continue;
        struct buf data = {.data = (char *)&address, .len = sizeof address};
        put_record(a, s, name, TYPE_A, &data);
    }
}

static const json_t *find(const struct answer *a, const char *name)
{
    return json_object_get(json_object_get(a->zone, "names"), name);
}

static void put_services(struct answer *a, const char *name, const json_t *list)
{
    const size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        _auto_buf_ struct buf data = BUF_INIT;
        put16(&data, 0);
        put16(&data, n > 100 ? 1 : (unsigned)(100 / n)); /* weight */
        put16(&data, (unsigned)jint(item, "port", 0));
        put_name(&data, jstr_or(item, "target", ""));
        put_record(a, ANSWER, name, TYPE_SRV, &data);
    }
    for (size_t i = 0; i < n; i++) {
        const char *target = jstr_or(json_array_get(list, i), "target", "");
        put_addresses(a, ADDITIONAL, target, json_object_get(find(a, target), "A"));
    }
}

/* Who says that there is nothing, and for how long that holds. */
static void put_authority(struct answer *a)
{
    _auto_buf_ struct buf data = BUF_INIT;
    put_name(&data, "ns.dns." ZONE);
    put_name(&data, "hostmaster." ZONE);
    put32(&data, (uint32_t)jint(a->zone, "serial", 1));
    put32(&data, 7200);
    put32(&data, 1800);
    put32(&data, 86400);
    put32(&data, DNS_TTL);
    put_record(a, AUTHORITY, ZONE, TYPE_SOA, &data);
}

/* ---- answering ---- */

/* "10-244-0-5.default.pod.cluster.local" names an address in any namespace there is. Returns new, or NULL. */
static json_t *pod_name(const struct answer *a, const char *name)
{
    unsigned b[4];
    int end = 0;
    char address[INET_ADDRSTRLEN];
    const char *dot = strchr(name, '.');
    if (!dot || sscanf(name, "%3u-%3u-%3u-%3u%n", &b[0], &b[1], &b[2], &b[3], &end) != 4 || name + end != dot)
        return NULL;
    const size_t len = strlen(dot), tail = strlen(".pod." ZONE);
    if (len <= tail || strcmp(dot + len - tail, ".pod." ZONE) != 0 || !find(a, dot + 1))
        return NULL;
    snprintf(address, sizeof address, "%u.%u.%u.%u", b[0] & 255, b[1] & 255, b[2] & 255, b[3] & 255);
    return json_pack("{s:[s]}", "A", address);
}

static bool put_reverse(struct answer *a, const char *name, unsigned type)
{
    unsigned b[4];
    char tail[16] = "", address[INET_ADDRSTRLEN];
    if (sscanf(name, "%3u.%3u.%3u.%3u.%15s", &b[3], &b[2], &b[1], &b[0], tail) != 5 || !str_eq(tail, "in-addr.arpa"))
        return false;
    snprintf(address, sizeof address, "%u.%u.%u.%u", b[0] & 255, b[1] & 255, b[2] & 255, b[3] & 255);
    const json_t *list = json_object_get(json_object_get(a->zone, "PTR"), address);
    for (size_t i = 0; (type == TYPE_PTR || type == TYPE_ANY) && i < json_array_size(list); i++)
        put_target(a, ANSWER, name, TYPE_PTR, json_string_value(json_array_get(list, i)));
    return list != NULL;
}

/* The records of a name, following aliases. Returns the response code. */
static int put_answer(struct answer *a, const char *name, unsigned type)
{
    _auto_json_ json_t *pod = pod_name(a, name);
    const json_t *records = pod ? pod : find(a, name);
    if (!records)
        return put_reverse(a, name, type) ? NOERROR : NXDOMAIN;
    for (int hops = 0; records && hops < CHAIN_MAX; hops++) {
        const char *alias = jstr(records, "CNAME");
        if (type == TYPE_A || type == TYPE_ANY)
            put_addresses(a, ANSWER, name, json_object_get(records, "A"));
        if (type == TYPE_SRV || type == TYPE_ANY)
            put_services(a, name, json_object_get(records, "SRV"));
        if (!alias)
            break;
        put_target(a, ANSWER, name, TYPE_CNAME, alias);
        name = alias;
        records = type == TYPE_CNAME ? NULL : find(a, name);
    }
    return NOERROR;
}

static bool in_zone(const char *name)
{
    const size_t n = strlen(name), z = strlen(ZONE);
    return n >= z && strcmp(name + n - z, ZONE) == 0 && (n == z || name[n - z - 1] == '.');
}

/* What the asker can take by UDP: what his OPT record says, else what everybody can. */
static size_t udp_room(const uint8_t *query, size_t len, size_t end, bool *out_edns)
{
    const bool has = (query[10] || query[11]) && len >= end + 11 && query[end] == 0 && query[end + 1] == 0 &&
                     query[end + 2] == TYPE_OPT;
    const size_t asked = has ? (size_t)query[end + 3] << 8 | query[end + 4] : UDP_PLAIN;
    *out_edns = has;
    return asked < UDP_PLAIN ? UDP_PLAIN : asked > UDP_EDNS ? UDP_EDNS : asked;
}

static void put_edns(struct answer *a)
{
    buf_addc(a->out, 0);
    put16(a->out, TYPE_OPT);
    put16(a->out, UDP_EDNS);
    put32(a->out, 0);
    put16(a->out, 0);
    a->count[ADDITIONAL]++;
}

static void put_head(struct answer *a, const uint8_t *query, int code)
{
    uint8_t *head = (uint8_t *)a->out->data;
    head[2] = (uint8_t)(0x84 | (query[2] & 0x79) | (a->cut ? 2 : 0)); /* answer, authoritative; the rest as asked */
    head[3] = (uint8_t)(0x80 | code);
    set16(a->out, 4, 1);
    for (size_t s = 0; s < SECTIONS; s++)
        set16(a->out, 6 + s * 2, a->count[s]);
}

bool dns_answer(const json_t *zone, const uint8_t *query, size_t len, bool by_tcp, struct buf *out)
{
    enum { EDNS_SIZE = 11 };
    char name[NAME_SIZE];
    bool edns = false;
    const size_t question = len > HEAD_SIZE ? read_name(query + HEAD_SIZE, len - HEAD_SIZE, name) : 0;
    const size_t end = HEAD_SIZE + question + 4;
    if (!question || end > len || (query[2] & 0x80))
        return false;
    const unsigned type = (unsigned)query[end - 4] << 8 | query[end - 3];
    const size_t room = udp_room(query, len, end, &edns);
    struct answer a = {.zone = zone, .out = out, .turn = (unsigned)query[0] << 8 | query[1]};
    int code = NOTIMP;
    buf_clear(out);
    buf_add(out, query, end);
    a.limit = (by_tcp ? 65000 : room) - (edns ? EDNS_SIZE : 0);
    if ((query[2] & 0x78) == 0)
        code = put_answer(&a, name, type);
    if (!a.count[ANSWER] && !a.cut && in_zone(name))
        put_authority(&a);
    if (edns)
        put_edns(&a);
    put_head(&a, query, code);
    return true;
}
