/* pairs.h - words like "app=web", "tier-": what `label` and `annotate` put and take, and the words before them. */
#ifndef STOWAGE_KUBECTL_PAIRS_H
#define STOWAGE_KUBECTL_PAIRS_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>

struct pairs {
    json_t *put;           /* {"app": "web"}; owned */
    struct strlist remove; /* keys */
    size_t words;          /* how many words stood before the first pair */
};
void pairs_release(struct pairs *p);
#define _auto_pairs_ __attribute__((cleanup(pairs_release)))

/* Is it a pair at all, or a kind or a name? */
bool pairs_is(const char *word);
/* what: "label" or "annotation"; labels' values are checked. BAD_REQUEST in kubectl's words. */
int pairs_parse(const struct strlist *words, const char *what, struct pairs *out, struct err *e);

#endif
