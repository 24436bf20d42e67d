/* view_int.h - other forms of the same data: tables, metadata only, indented, YAML. */
#ifndef STOWAGE_APISERVER_VIEW_INT_H
#define STOWAGE_APISERVER_VIEW_INT_H

#include "api/printer.h"
#include "apiserver/accept_int.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

/* The tree of `obj` as kind `res` shows it: its own, or converted when two kinds share a bucket (events). Returns new.
 */
json_t *view_tree(const struct resource *res, const struct sobj *obj);
/* Its JSON text in that kind; either borrowed from obj (scratch untouched) or written to scratch. */
void view_bytes(const struct resource *res, const struct sobj *obj, struct buf *scratch, const char **out,
                size_t *out_len);

struct table_opts {
    const char *version; /* "v1", "v1beta1" */
    enum include_object include;
    int64_t now;
};
/* ?includeObject; BAD_REQUEST for what it does not know. */
int table_include(const char *text, enum include_object *out, struct err *e);
/* {"kind":"Table",…,"columnDefinitions":[…],"rows":[ : the caller adds rows and ends with "]}". `metadata` is JSON
 * text. columns false writes null (watches after their first event). */
void table_open(struct buf *out, const struct resource *res, const struct table_opts *o, const char *metadata,
                bool columns);
void table_row(struct buf *out, const struct resource *res, const struct table_opts *o, const json_t *tree);

/* {"kind":"PartialObjectMetadata",…}; `item` leaves kind and apiVersion out. */
void partial_write(struct buf *out, const char *version, const json_t *tree, bool item);

/* Compact JSON -> indented by two blanks, as Go's json.Indent. */
void json_indent(struct buf *out, const char *text, size_t len);
/* Compact JSON -> YAML with sorted keys. */
void json_to_yaml(struct buf *out, const char *text, size_t len);

#endif
