/* page_int.h - what describers write on: a page of labelled lines, aligned when it is done. Private to
 * kubectl/describe.
 *
 * How to add a describer: rows in the file of its family, and its line in kinds[] of describe.c. */
#ifndef STOWAGE_KUBECTL_DESCRIBE_PAGE_INT_H
#define STOWAGE_KUBECTL_DESCRIBE_PAGE_INT_H

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct page {
    struct buf raw;        /* since the last flush, with its tabs */
    struct buf *out;       /* aligned; borrowed */
    int indent;            /* levels that are added to every line's own: a claim inside a volume */
    int64_t now;           /* wall ns, for ages */
    const json_t *related; /* what belongs to the object, by name; borrowed */
};

/* Text at a level (two blanks each, wherever in a line it begins). */
void page_put(struct page *p, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The rest of a line. */
void page_end(struct page *p, const char *text);
/* What came so far shares no columns with what follows. */
void page_flush(struct page *p);

/* -- rows: most of what a describer does -- */
enum row_how {
    ROW_SHOW,        /* "Label:\tvalue", whatever it is; nothing where there is none */
    ROW_NUMBER,      /* 0 where there is none */
    ROW_FLAG,        /* true, false */
    ROW_SOME,        /* only if the member is there */
    ROW_FULL,        /* only if it is there and not empty; lists with commas */
    ROW_ELSE,        /* `other` in place of nothing; lists with commas */
    ROW_LIST,        /* as Go prints a list: [a b] */
    ROW_LABELS,      /* a line each, key=value */
    ROW_ANNOTATIONS, /* a line each, key: value, long ones cut */
    ROW_PAIRS,       /* key=value,key=value or <none> */
    ROW_SELECTOR,    /* of an object {matchLabels…} */
    ROW_TIME,        /* RFC 1123 in local time */
    ROW_TIME_SOME,
    ROW_TITLE, /* the label alone */
    ROW_CALL,
};
struct row {
    const char *label; /* with its colon */
    enum row_how how;
    const char *path;
    const char *other; /* ROW_ELSE, ROW_SOME: what follows the value ("s") */
    void (*call)(struct page *p, const json_t *object);
    int level;
};
/* Until a row without label and call. */
void page_rows(struct page *p, const struct row *rows, const json_t *object);
#define ROWS_END                                                                                                       \
    {                                                                                                                  \
        0                                                                                                              \
    }

/* -- values (values.c): all append -- */
void value_text(struct buf *out, const json_t *value); /* as Go's %v */
void value_join(struct buf *out, const json_t *list, const char *between);
void value_time(struct buf *out, const char *rfc3339); /* NULL: Go's zero time */
void value_age(struct buf *out, const char *rfc3339, int64_t now);
void value_pairs(struct buf *out, const json_t *object);
void value_selector(struct buf *out, const json_t *selector, const char *none);
void value_modes(struct buf *out, const json_t *modes); /* RWO,ROX */
void value_controller(struct buf *out, const json_t *object);
/* Returns new array of borrowed keys' texts in order. */
json_t *keys_sorted(const json_t *object);
/* Bytes of a base64 text. Returns new. */
char *base64_of(const char *text, size_t *out_len);
size_t base64_size(const char *text); /* how many */

/* -- parts (parts.c and families) -- */
void page_labels(struct page *p, const char *indent, const char *title, const json_t *labels);
void page_annotations(struct page *p, const char *title, const json_t *annotations);
void page_resources(struct page *p, int level, const char *title, const json_t *list);
/* A title, a header and a line for each condition; the rows of `cells` are member names, times marked by '@' in front.
 */
struct condition_column {
    const char *title, *rule, *member;
    bool blank; /* a blank follows the cell, as some of kubectl's tables have it */
    bool time;
};
void page_conditions(struct page *p, const json_t *list, const char *title, const struct condition_column *columns,
                     size_t n);
void page_conditions_short(struct page *p, const json_t *list); /* Type Status Reason */
void page_conditions_timed(struct page *p, const json_t *list); /* and since when, and why in words */
/* With a second time: when it was last looked at. */
void page_conditions_seen(struct page *p, const json_t *list, const char *title, const char *member);
void page_events(struct page *p, const json_t *events);
void page_pod_template(struct page *p, const json_t *template_object);
void page_containers(struct page *p, const char *label, const json_t *containers, const json_t *statuses,
                     const json_t *pod, const char *space);
void page_volumes(struct page *p, const json_t *volumes, const char *space);
void page_volume_source(struct page *p, const json_t *spec);
void page_claim(struct page *p, const json_t *claim, bool whole);
void page_tolerations(struct page *p, const char *title, const json_t *tolerations);
void page_spread(struct page *p, const json_t *constraints, const char *space);
void page_pod_phases(struct page *p, const json_t *object);
void page_node_resources(struct page *p, const json_t *node);

/* -- whole kinds, by family -- */
extern const struct row rows_pod[], rows_node[], rows_pv[], rows_pvc[], rows_storage_class[], rows_attributes_class[],
    rows_csi_node[], rows_service[], rows_endpoints[], rows_slice[], rows_ingress[], rows_ingress_class[],
    rows_service_cidr[], rows_ip_address[], rows_network_policy[], rows_replication_controller[], rows_replica_set[],
    rows_deployment[], rows_stateful_set[], rows_daemon_set[], rows_job[], rows_cron_job[], rows_config_map[],
    rows_secret[], rows_service_account[], rows_role[], rows_role_binding[], rows_namespace[], rows_quota[],
    rows_limit_range[], rows_hpa[], rows_budget[], rows_priority_class[], rows_csr[];
void describe_generic(struct page *p, const json_t *object);
/* Why such a request can not be described; NULL: it can. */
const char *describe_csr_fault(const json_t *object);

#endif
