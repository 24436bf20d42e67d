/* selector.h - label selectors (query text and LabelSelector objects), field selectors, node selectors.
 * Source: apimachinery labels/selector.go, fields/selector.go; component-helpers nodeaffinity. */
#ifndef STOWAGE_API_SELECTOR_H
#define STOWAGE_API_SELECTOR_H

#include "api/resource.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct label_selector;
/* Error BAD_REQUEST with the real text ("unable to parse requirement: …"). "" selects everything. */
int label_selector_parse(const char *text, struct label_selector **out, struct err *e);
/* From {"matchLabels":…,"matchExpressions":…}; NULL or json null selects nothing, {} everything. */
int label_selector_from_json(const json_t *sel, struct label_selector **out, struct err *e);
bool label_selector_match(const struct label_selector *s, const json_t *labels /* object or NULL */);
void label_selector_free(struct label_selector *s);
/* Canonical text ("app=web,tier in (a,b)"), as Scale status.selector shows. Returns new. */
char *label_selector_text(const struct label_selector *s);

struct field_selector;
/* Checks the labels the kind knows (§10 of the facts: metadata.name, spec.nodeName, involvedObject.*, …); BAD_REQUEST
 * else. */
int field_selector_parse(const struct resource *r, const char *text, struct field_selector **out, struct err *e);
bool field_selector_match(const struct field_selector *s, const json_t *obj);
/* The value if the selector pins metadata.name with =, else NULL. Borrows. */
const char *field_selector_name(const struct field_selector *s);
void field_selector_free(struct field_selector *s);

/* NodeSelector {nodeSelectorTerms:[{matchExpressions,matchFields}]} against a node object: terms are ORed. NULL (or
 * null) restricts nothing. */
bool node_selector_match(const json_t *node_selector, const json_t *node);

#endif
