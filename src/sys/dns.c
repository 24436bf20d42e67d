/* dns.c - names of services, as the cluster's DNS gives them: A records, PTR for their addresses, NXDOMAIN for all else
 * (there is no other network to ask). RFC 1035; one question a packet; answers never longer than the packet. THREADS:
 * pure. */
#include "sys/svc_int.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DNS_TTL    30
#define NAME_SIZE  256
#define TYPE_A     1
#define TYPE_PTR   12
#define TYPE_ANY   255
#define NXDOMAIN   3
#define HEAD_SIZE  12
#define RECORD_MAX (2 + 10 + NAME_SIZE)

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

static size_t write_name(const char *name, uint8_t *out)
{
    size_t n = 0;
    while (*name) {
        const size_t label = strcspn(name, ".");
        out[n++] = (uint8_t)label;
        memcpy(out + n, name, label);
        n += label;
        name += label + (name[label] == '.');
    }
    out[n++] = 0;
    return n;
}

static size_t put16(uint8_t *out, unsigned v)
{
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
    return 2;
}

/* A record for the name in the question (a pointer to offset 12). */
static size_t put_record(uint8_t *out, unsigned type, const void *data, size_t len)
{
    size_t n = put16(out, 0xc000 | HEAD_SIZE);
    n += put16(out + n, type);
    n += put16(out + n, 1);
    n += put16(out + n, 0);
    n += put16(out + n, DNS_TTL);
    n += put16(out + n, (unsigned)len);
    memcpy(out + n, data, len);
    return n + len;
}

/* "4.3.96.10.in-addr.arpa" -> a name whose address is 10.96.3.4, or NULL. */
static const char *reverse(const json_t *names, const char *question)
{
    unsigned a, b, c, d;
    char tail[16] = "", address[INET_ADDRSTRLEN];
    if (sscanf(question, "%u.%u.%u.%u.%15s", &d, &c, &b, &a, tail) != 5 || strcmp(tail, "in-addr.arpa") != 0)
        return NULL;
    snprintf(address, sizeof address, "%u.%u.%u.%u", a & 255, b & 255, c & 255, d & 255);
    const char *name;
    json_t *list;
    json_object_foreach((json_t *)names, name, list)
    {
        size_t i;
        const json_t *item;
        json_array_foreach(list, i, item)
        {
            if (json_is_string(item) && strcmp(json_string_value(item), address) == 0 && strlen(name) < NAME_SIZE - 2)
                return name;
        }
    }
    return NULL;
}

static size_t answer_addresses(const json_t *list, uint8_t *out, size_t room, unsigned *count)
{
    size_t n = 0, i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        struct in_addr address;
        if (n + RECORD_MAX > room ||
            inet_pton(AF_INET, json_string_value(item) ? json_string_value(item) : "", &address) != 1)
            continue;
        n += put_record(out + n, TYPE_A, &address, sizeof address);
        (*count)++;
    }
    return n;
}

size_t dns_answer(const json_t *names, const uint8_t *query, size_t len, uint8_t *out, size_t size)
{
    char name[NAME_SIZE];
    const size_t question = len > HEAD_SIZE ? read_name(query + HEAD_SIZE, len - HEAD_SIZE, name) : 0;
    const size_t end = HEAD_SIZE + question + 4;
    if (!question || end > len || end + RECORD_MAX > size || (query[2] & 0x80))
        return 0;
    const unsigned type = (unsigned)query[HEAD_SIZE + question] << 8 | query[HEAD_SIZE + question + 1];
    const json_t *list = json_object_get(names, name);
    const char *back = type == TYPE_PTR ? reverse(names, name) : NULL;
    unsigned count = 0;
    memcpy(out, query, end);
    size_t n = end;
    if (list && (type == TYPE_A || type == TYPE_ANY))
        n += answer_addresses(list, out + n, size - n, &count);
    if (back) {
        uint8_t target[NAME_SIZE + 2] = {0};
        const size_t target_len = write_name(back, target);
        n += put_record(out + n, TYPE_PTR, target, target_len);
        count++;
    }
    out[2] = (uint8_t)(0x84 | (query[2] & 1)); /* answer, authoritative; recursion desired as asked */
    out[3] = (uint8_t)(0x80 | (list || back ? 0 : NXDOMAIN));
    put16(out + 4, 1);
    put16(out + 6, count);
    put16(out + 8, 0);
    put16(out + 10, 0);
    return n;
}
