/* server_table.h - the tables a server makes of objects (meta.k8s.io/v1 Table), as kubectl shows them.
 *
 * Headers are shown once for each set of columns; watches send theirs with the first event only. THREADS: one a
 * thread. */
#ifndef STOWAGE_KUBECTL_OUTPUT_SERVER_TABLE_H
#define STOWAGE_KUBECTL_OUTPUT_SERVER_TABLE_H

#include "base/str.h"
#include "client/kinds.h"
#include "kubectl/output/table.h"

#include <jansson.h>

#define TABLE_ACCEPT                                                                                                   \
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"

struct server_table {
    bool wide, no_headers, show_labels, with_namespace, with_kind;
    const struct strlist *label_columns; /* borrowed; NULL: none */
    json_t *columns;                     /* the last that came; owned */
    bool headed;                         /* their headers are out */
};
void server_table_release(struct server_table *t);
/* Rows are added to `out`. event: what a first column EVENT shows, or NULL. kind: for names, may be NULL. */
void server_table_add(struct server_table *t, const struct kind *kind, const json_t *table, const char *event,
                      struct table *out);

#endif
