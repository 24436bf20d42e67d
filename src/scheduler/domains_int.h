/* domains_int.h - numbers by topology domain: (topology key, value of the node's label) -> count. Private to scheduler.
 *
 * Keys and values are borrowed: they live as long as the attempt's nodes and pods. */
#ifndef STOWAGE_SCHEDULER_DOMAINS_INT_H
#define STOWAGE_SCHEDULER_DOMAINS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domain {
    const char *key, *value; /* NULL value: a free place */
    int64_t count;
};
struct domains {
    struct domain *items; /* owned; open addressing */
    size_t len, cap;
    bool interned; /* equal values have one address: cheaper to find */
};
void domains_release(struct domains *d);
/* The count's place, made with 0. Valid until the next call. */
int64_t *domains_at(struct domains *d, const char *key, const char *value);
/* 0 if there is none. */
int64_t domains_get(const struct domains *d, const char *key, const char *value);
/* Is there one at all (counts of 0 do not count)? */
int domains_any(const struct domains *d);

#endif
