/* selector_int.h - one requirement on a set of labels, shared by label and node selectors. Private to api. */
#ifndef STOWAGE_API_SELECTOR_INT_H
#define STOWAGE_API_SELECTOR_INT_H

#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

enum req_op { REQ_EQ, REQ_EQ_EQ, REQ_NE, REQ_IN, REQ_NOT_IN, REQ_EXISTS, REQ_ABSENT, REQ_GT, REQ_LT };

struct requirement {
    char *key; /* owned */
    enum req_op op;
    struct strlist values; /* sorted, each once */
};

void requirement_release(struct requirement *r);
/* "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"; -1 if it is none of them. */
int req_op_of_object(const char *name, enum req_op *out);
/* Copies a matchExpressions entry; -1 if its operator is unknown or does not go with its values. */
int requirement_from_json(const json_t *expression, struct requirement *out);
bool requirement_match(const struct requirement *r, const json_t *labels);

#endif
